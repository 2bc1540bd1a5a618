"""Rolling volatility of a file: `vp volatility`.

Here belongs reading what an estimator needs and showing its values; the estimators are in
`analytics.volatility`.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from vp_pipeline.analytics.volatility import ESTIMATORS, Volatility, rolling_volatility
from vp_pipeline.figures.readable import bar_name
from vp_pipeline.own_data.bars import bar_length
from vp_pipeline.own_data.candle_file import read_candles
from vp_pipeline.own_data.output import columns

_SHOWN = 20


@dataclass(frozen=True, eq=False)
class FileVolatility:
    """Values of a file's bars; `bar` is None if it has no times or one bar only."""

    candles: pd.DataFrame
    estimator: str
    window: int
    periods_per_year: float
    bar: pd.Timedelta | None
    found: Volatility

    def document(self) -> dict[str, object]:
        """For JSON: one value for each line of the file."""
        return {
            "estimator": self.estimator,
            "window": self.window,
            "values": self.found.values.tolist(),
        }


def make(path: Path, estimator: str, window: int, periods_per_year: float) -> FileVolatility:
    """Read the file and compute its volatility.

    Raises:
        DataFileError: the file cannot be used.
        ValueError: the window is too short for the estimator.
    """
    candles = read_candles(path, ESTIMATORS[estimator].columns, f"--estimator {estimator}")
    timed = "open_time" in candles and len(candles) > 1
    bar = bar_length(path, candles) if timed else None
    found = rolling_volatility(candles, estimator, window, periods_per_year, bar)
    return FileVolatility(candles, estimator, window, periods_per_year, bar, found)


def text(path: Path, result: FileVolatility) -> str:
    """For the terminal: what was counted, the range of the values and the last of them."""
    found, candles = result.found, result.candles
    kind = (
        f"{bar_name(result.bar)} bars"
        if result.bar is not None
        else "bars without times, in the file's order"
    )
    head = (
        f"{path}: {len(candles):,} {kind}\n"
        f"filled bars: {found.filled:,}, gaps in time: {found.gaps:,}; neither counts as a return\n"
        f"{result.estimator}, {result.window} observations, {result.periods_per_year:g} periods a year"
    )
    known = found.values[np.isfinite(found.values)]
    if len(known) == 0:
        return f"{head}\n\nno value: the file has fewer observations than a window"
    summary = [("least", known.min()), ("mean", known.mean()), ("most", known.max()), ("last", known[-1])]
    rows = range(max(0, len(candles) - _SHOWN), len(candles))
    last = [(_name(candles, row), _percent(found.values[row])) for row in rows]
    return "\n\n".join(
        [
            head,
            columns([(name, _percent(value)) for name, value in summary]),
            columns([("bar" if result.bar is None else "opened (UTC)", "a year"), *last]),
        ]
    )


def _name(candles: pd.DataFrame, row: int) -> str:
    if "open_time" in candles:
        return f"{candles['open_time'].iloc[row]:%Y-%m-%d %H:%M:%S}"
    return str(row + 1)


def _percent(value: float) -> str:
    return f"{value:.2%}" if np.isfinite(value) else "-"
