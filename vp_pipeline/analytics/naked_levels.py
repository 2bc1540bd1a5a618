"""Points of control that no later price has come back to: naked, untouched, virgin.

Here belongs when a level of an ended period is first touched; the levels come from `value_area`.

A level is the row [price, price + row size) of a period that has ended. A later candle touches it if its
range low..high meets the row. Candles of the period itself do not count, and neither does a minute without a
price.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from vp_pipeline.analytics.price_rows import Floats


@dataclass(frozen=True)
class Level:
    """A price row of a period; it counts from `known`, the period's end (exclusive), on."""

    name: str
    price: float
    row_size: float
    known: pd.Timestamp


@dataclass(frozen=True)
class Touch:
    """When a level was first touched (open time of that candle), or None while it is naked.

    `age` is from the period's end to then, or to the end of the candles for a naked one.
    """

    level: Level
    touched: pd.Timestamp | None
    age: pd.Timedelta

    @property
    def naked(self) -> bool:
        """Whether no candle has touched it."""
        return self.touched is None


def first_touches(levels: list[Level], candles: pd.DataFrame, until: pd.Timestamp) -> list[Touch]:
    """The first touch of each level.

    Args:
        levels: in any order.
        candles: columns open_time (UTC, ascending), low, high; rows without a price touch nothing.
        until: to when naked levels have been watched, the end of the newest candle.

    Raises:
        ValueError: open_time is not ascending.
    """
    opened = candles["open_time"]
    if not opened.is_monotonic_increasing:
        raise ValueError("open_time of the candles is not ascending: sort them")
    low, high = (candles[name].to_numpy(dtype=np.float64) for name in ("low", "high"))
    return [_first(level, opened, low, high, until) for level in levels]


_CHUNK = 1_440


def _first(level: Level, opened: pd.Series, low: Floats, high: Floats, until: pd.Timestamp) -> Touch:
    top = level.price + level.row_size
    # Most levels are touched soon, so the candles are looked through a day at a time.
    for start in range(int(opened.searchsorted(level.known)), len(opened), _CHUNK):
        part = slice(start, start + _CHUNK)
        met = (low[part] < top) & (high[part] >= level.price)
        if met.any():
            touched = opened.iloc[start + int(np.argmax(met))]
            return Touch(level, touched, touched - level.known)
    return Touch(level, None, until - level.known)
