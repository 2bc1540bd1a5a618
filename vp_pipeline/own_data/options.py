"""Options that the commands share.

Here belongs what is about the command line; what the commands find is written by `output`.
"""

import math
from typing import Any

import click

DAYS_PER_YEAR = 365
"""As `analytics.performance` has it, without which `vp --help` answers sooner."""


class Finite(click.ParamType[float]):
    """A finite number from `low` on, or above it."""

    name = "number"

    def __init__(self, low: float, above: bool = False) -> None:
        self.low = low
        self.above = above

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The number."""
        try:
            found = float(value)
        except ValueError:
            self.fail(f"{value!r} is not a number", param, ctx)
        if not math.isfinite(found) or found < self.low or (self.above and found == self.low):
            self.fail(f"{value} is not a number {'above' if self.above else 'from'} {self.low:g}", param, ctx)
        return found


periods_per_year = click.option(
    "--periods-per-year",
    type=Finite(0, above=True),
    default=DAYS_PER_YEAR,
    show_default=True,
    help="Rows that make a year.",
)
json_flag = click.option("--json", "print_json", is_flag=True, help="Print JSON instead.")
