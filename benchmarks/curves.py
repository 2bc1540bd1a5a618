"""Growth with rows, markets and years as one figure: a panel for each size, a line for each way.

Here belongs the drawing; the points are told by the benchmarks.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from claims import Point
from matplotlib.axes import Axes
from matplotlib.figure import Figure

# The same points give the same bytes: no date, no random ids; letters stay text.
_STYLE: Any = {"svg.hashsalt": "vp-pipeline", "svg.fonttype": "none", "font.size": 9}
_COLOURS = ("#1f5fa8", "#c2571a", "#2f7d4f", "#7a4fa3", "#8a6d1d", "#5b6470")


def draw(points: Sequence[Point], file: Path) -> None:
    """Write the SVG."""
    sizes = list(dict.fromkeys(point.by for point in points))
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(4.2 * max(len(sizes), 1), 4.4), layout="constrained")
        for place, size in enumerate(sizes):
            panel = figure.add_subplot(1, len(sizes), place + 1)
            _fill(panel, size, [point for point in points if point.by == size])
        figure.savefig(file, format="svg", metadata={"Date": None})


def _fill(panel: Axes, size: str, points: Sequence[Point]) -> None:
    for number, curve in enumerate(dict.fromkeys(point.curve for point in points)):
        line = sorted((point.x, point.y) for point in points if point.curve == curve)
        panel.plot(
            [x for x, _ in line],
            [y for _, y in line],
            marker="o",
            linestyle="-" if curve.endswith("ours") else "--",
            color=_COLOURS[number % len(_COLOURS)],
            label=curve,
        )
    panel.set_xscale("log")
    panel.set_yscale("log")
    where = sorted({point.x for point in points})
    panel.set_xticks(where, [_short(x) for x in where])
    panel.minorticks_off()
    panel.set_xlabel(size)
    panel.set_ylabel("seconds")
    panel.grid(visible=True, alpha=0.3)
    panel.legend(fontsize=8, loc="lower center", bbox_to_anchor=(0.5, 1.0), frameon=False)


def _short(count: float) -> str:
    """10k for ten thousand, 5M for five million."""
    for unit, name in ((1e6, "M"), (1e3, "k")):
        if count >= unit:
            return f"{count / unit:g}{name}"
    return f"{count:g}"
