"""Point of control and value area of the days before, day by day.

Here belongs the window that moves over the days; what the levels are is defined in `value_area`.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from vp_pipeline.analytics.history import History
from vp_pipeline.analytics.price_rows import Floats, PriceRows
from vp_pipeline.analytics.value_area import value_area

ROW = 0.01
"""Height of a row as a share of its price: rows stand on the logarithm, as prices of a few years may grow
a hundredfold."""


@dataclass(frozen=True, eq=False)
class Levels:
    """One value a day, in the prices of the history; NaN while fewer days than asked for are before it."""

    poc: Floats
    val: Floats
    vah: Floats


def rolling_levels(history: History, symbol: object, days: int, share: float) -> Levels:
    """For each day the levels of the volume by price of the `days` days before it, of one symbol.

    A day's volume is spread evenly over the rows from its low to its high. The point of control is the
    middle of its row; the area's ends are the outer edges of its rows.
    """
    bars = np.column_stack([table[symbol].to_numpy(float) for table in (history.low, history.high)])
    bars = np.column_stack([np.log(np.where(bars > 0, bars, np.nan)), history.volume[symbol].to_numpy(float)])
    levels = np.full((3, len(bars)), np.nan)
    counted = np.concatenate(([0], np.cumsum(np.isfinite(bars).all(axis=1))))
    for day in range(days, len(bars)):
        if counted[day] - counted[day - days] == days:
            levels[:, day] = _levels(bars[day - days : day].tobytes(), share)
    return Levels(*np.exp(levels))


# A test for looking ahead asks for the same windows again and again, of two worlds in turn: a memory that has
# no room for both keeps none of them. This has room for 17 years of five symbols.
@lru_cache(maxsize=2**16)
def _levels(window: bytes, share: float) -> tuple[float, float, float]:
    """Logarithms of POC, VAL and VAH of bars of log low, log high and volume; NaN without volume."""
    low, high, volume = np.frombuffer(window).reshape(-1, 3).T
    first = int(np.floor(low.min() / ROW))
    edge = (first + np.arange(int(np.floor(high.max() / ROW)) + 2 - first)) * ROW
    height = high - low
    covered = np.minimum(high[:, None], edge[1:]) - np.maximum(low[:, None], edge[:-1])
    part = np.maximum(covered, 0) / np.where(height > 0, height, 1)[:, None]
    # A day of one price lies in one row as a whole.
    if len(flat := np.flatnonzero(height <= 0)):
        part[flat] = 0
        part[flat, np.floor(low[flat] / ROW).astype(int) - first] = 1
    rows = volume @ part
    if not rows.sum() > 0:
        return np.nan, np.nan, np.nan
    area = value_area(PriceRows(first, ROW, rows).trimmed(), share)
    return area.poc + ROW / 2, area.val, area.vah + ROW
