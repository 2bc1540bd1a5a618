"""What a benchmark tells the report beside its own table: ratios with their goals, and points of curves.

Here belongs the form of both and how a script hands them over: a line of JSON each, in the file that
`VP_BENCH_CLAIMS` names. A script that is run alone tells nobody.
"""

import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

VARIABLE = "VP_BENCH_CLAIMS"


@dataclass(frozen=True)
class Ratio:
    """Ours against something else of the same run: seconds, bytes or a plain number; less is better.

    `theirs` is another way's figure (kind "peer"), or what ours cannot or shall not exceed by much (kind
    "limit"). `goal` is how many times theirs is to be of ours; of a limit, how many times the limit ours may
    be.
    """

    what: str
    against: str
    ours: float
    theirs: float
    unit: Literal["s", "B", ""] = "s"
    kind: Literal["peer", "limit"] = "peer"
    goal: float | None = None

    @property
    def ratio(self) -> float:
        """Theirs in units of ours; of a limit, ours in units of the limit."""
        return self.theirs / self.ours if self.kind == "peer" else self.ours / self.theirs

    @property
    def is_missed(self) -> bool:
        """Whether it is short of its goal, or worse than a peer's."""
        if self.kind == "limit":
            return self.goal is not None and self.ratio > self.goal
        return self.ratio < (self.goal or 1.0)

    @property
    def reached(self) -> float:
        """The part of the goal, or without one of the peer's figure, that is reached."""
        if self.kind == "limit":
            return (self.goal or 1.0) / self.ratio
        return self.ratio / (self.goal or 1.0)

    def shown(self, value: float) -> str:
        """A figure with its unit."""
        if self.unit == "":
            return f"{value:.1e}"
        if self.unit == "B":
            if abs(value) < 1e6:
                return f"{value / 1e3:,.0f} kB"
            return f"{value / 1e6:,.1f} MB" if abs(value) < 1e9 else f"{value / 1e9:,.2f} GB"
        if value >= 1:
            return f"{value:,.2f} s"
        return f"{value * 1e3:,.1f} ms" if value >= 1e-3 else f"{value * 1e6:,.1f} µs"

    @property
    def cells(self) -> str:
        """Ours, theirs and the ratio as cells of a table."""
        return f"{self.shown(self.ours)} | {self.shown(self.theirs)} | {times(self.ratio)}"


@dataclass(frozen=True)
class Point:
    """One point of a curve: `y` seconds where the size called `by` is `x`."""

    curve: str
    by: str
    x: float
    y: float


Claim = Ratio | Point


def times(ratio: float) -> str:
    """A ratio with as many digits as mean something."""
    return f"{ratio:,.0f}" if ratio >= 100 else f"{ratio:.1f}" if ratio >= 1 else f"{ratio:.2g}"


def tell(*claims: Claim) -> None:
    """Hand them to the report, if one is being made."""
    file = os.environ.get(VARIABLE)
    if file:
        with Path(file).open("a") as lines:
            lines.writelines(json.dumps(packed(claim)) + "\n" for claim in claims)


def packed(claim: Claim) -> dict[str, object]:
    """As JSON has it."""
    return {"type": type(claim).__name__, **asdict(claim)}


def unpacked(contents: Iterable[dict[str, object]]) -> list[Claim]:
    """What was packed."""
    kinds: dict[object, type[Claim]] = {"Ratio": Ratio, "Point": Point}
    return [
        kinds[content["type"]](**{name: value for name, value in content.items() if name != "type"})  # type: ignore[arg-type]  # as packed
        for content in contents
    ]
