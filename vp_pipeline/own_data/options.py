"""Options and output that the commands on returns and prices share.

Here belongs what is about the command line; what the commands find is in their reports.
"""

import json
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    import pandas as pd

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
as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def echo_json(document: Any) -> None:
    """One indented JSON document."""
    click.echo(json.dumps(document, indent=2, allow_nan=False, ensure_ascii=False))


def echo_table(title: str, table: "pd.DataFrame") -> None:
    """A title and a table of text: a row a statistic, a column a series."""
    click.echo(title)
    click.echo()
    names = [str(name) for name in table.columns]
    cells = [["", *names], *([str(label), *map(str, row)] for label, row in table.T.items())]
    widths = [max(len(row[at]) for row in cells) for at in range(len(cells[0]))]
    for row in cells:
        line = "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True))
        click.echo(line.rstrip())


def echo_remarks(remarks: Sequence[str]) -> None:
    """Sentences below a table."""
    click.echo()
    for remark in remarks:
        click.echo(remark)
