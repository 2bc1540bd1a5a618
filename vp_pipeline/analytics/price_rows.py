"""Volume by price on one dense, fixed grid of price rows.

Here belong the grid and what may stand on it; the arithmetic of the rules is in `placement`, and what is read
from the rows (point of control, value area) in `value_area`.

Row k of size s covers the prices [k*s, (k+1)*s). The grid is aligned at 0 for every window, so profiles of
separate hours add up. A row is named by its low edge (`price`): closes of 100, 101 and 102 with rows of 1
are the rows 100, 101 and 102. Pictures draw a row around its `midpoint`. Empty rows inside are kept, as
"adjacent" would mean something else without them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Literal

import numpy as np
import pandas as pd

from vp_pipeline.analytics import placement as rules
from vp_pipeline.analytics.placement import MAX_ROWS, Floats, Ints, row_of

__all__ = [
    "CANDLE_RULES",
    "MAX_ROWS",
    "PLACEMENTS",
    "Floats",
    "Ints",
    "Placement",
    "PriceRows",
    "row_of",
    "volume_by_price",
]

Placement = Literal["close", "midpoint", "touched", "uniform", "trades"]
PLACEMENTS: tuple[Placement, ...] = ("close", "midpoint", "touched", "uniform", "trades")
CANDLE_RULES: tuple[Placement, ...] = ("uniform", "touched", "midpoint", "close")
"""Those that need candles alone."""


@dataclass(frozen=True, eq=False)
class PriceRows:
    """Volume, in base units, of the rows `first_row`, `first_row` + 1, ...; `row_size` in quote currency."""

    first_row: int
    row_size: float
    volume: Floats

    @property
    def price(self) -> Floats:
        """The low edge of each row, which is the row's name."""
        return _edges(np.arange(self.first_row, self.first_row + len(self.volume)), self.row_size)

    def prices_of(self, rows: Sequence[int]) -> list[float]:
        """The low edges of some rows, which are counted from the first one here."""
        return [float(price) for price in _edges(np.array(rows) + self.first_row, self.row_size)]

    @property
    def midpoint(self) -> Floats:
        """The middle of each row."""
        return self.price + self.row_size / 2

    @property
    def total(self) -> float:
        """Volume of all rows."""
        return float(self.volume.sum())

    def __add__(self, other: "PriceRows") -> "PriceRows":
        """The profile of both together.

        Raises:
            ValueError: the row sizes differ.
        """
        return PriceRows.sum_of((self, other))

    @classmethod
    def sum_of(cls, profiles: Iterable["PriceRows"]) -> "PriceRows":
        """The profile of all together, over the rows that any of them has.

        Raises:
            ValueError: there is none, or the row sizes differ.
        """
        given = list(profiles)
        if not given:
            raise ValueError("no profile to add up: give one or more")
        for part in given[1:]:
            if part.row_size != given[0].row_size:
                raise ValueError(f"rows of {given[0].row_size} and of {part.row_size} cannot be added")
        parts = [part for part in given if len(part.volume)]
        if not parts:
            return given[0]
        first = min(part.first_row for part in parts)
        volume = np.zeros(max(part.first_row + len(part.volume) for part in parts) - first)
        for part in parts:
            volume[part.first_row - first :][: len(part.volume)] += part.volume
        return cls(first, given[0].row_size, volume)

    def between(self, first_row: int, count: int) -> "PriceRows":
        """The same on the rows `first_row`, ... of that count; rows that it lacks are empty."""
        volume = np.zeros(count)
        start, end = max(first_row, self.first_row), min(first_row + count, self.first_row + len(self.volume))
        if end > start:
            volume[start - first_row : end - first_row] = self.volume[
                start - self.first_row : end - self.first_row
            ]
        return PriceRows(first_row, self.row_size, volume)

    def trimmed(self) -> "PriceRows":
        """From the first to the last row with volume."""
        filled = np.flatnonzero(self.volume > 0)
        if len(filled) == 0:
            return PriceRows(self.first_row, self.row_size, np.zeros(0))
        return self.between(self.first_row + int(filled[0]), int(filled[-1] - filled[0]) + 1)


def volume_by_price(candles: pd.DataFrame, row_size: float, placement: Placement = "uniform") -> PriceRows:
    """Place each candle's volume on the price rows it traded in.

    Args:
        candles: columns volume and, by `placement`, price, close, or low and high; every value present.
        row_size: height of a row, in the currency of the prices.
        placement: `uniform` spreads a candle's volume evenly over low..high, a row it covers in part
            getting its part; `touched` gives equal shares to the rows from low's to high's; `midpoint`
            puts all into the row of (low + high) / 2 and `close` into that of the close. `trades` takes a
            frame of trades and puts the volume of each into the row of its price.

    Returns:
        Rows from the lowest to the highest touched; none for no candles. Their volume is that of the
        candles up to rounding (1e-12 relative). A price that is off an edge by no more than 1e-9 of itself
        (1e-11 for `uniform`), or a fiftieth of a row if that is less, is taken to be on it.

    Raises:
        ValueError: a missing or infinite value, a negative volume, high below low, a row size that is not
            positive or so small that more than `MAX_ROWS` rows would be needed.
    """
    if not (np.isfinite(row_size) and row_size > 0):
        raise ValueError(f"row size must be a positive number, got {row_size}")
    volume = _column(candles, "volume")
    if (volume < 0).any():
        raise ValueError(f"{int((volume < 0).sum())} candles have a negative volume")
    if placement not in PLACEMENTS:
        raise ValueError(f"unknown placement {placement!r}: use {', '.join(PLACEMENTS)}")
    if len(volume) == 0:
        return PriceRows(0, row_size, np.zeros(0))
    if placement in ("close", "trades"):
        price = _column(candles, "close" if placement == "close" else "price")
        return _rows(rules.at_points(price, volume, row_size), row_size)
    low, high = _column(candles, "low"), _column(candles, "high")
    if (high < low).any():
        raise ValueError(f"{int((high < low).sum())} candles have a high below their low")
    if placement == "midpoint":
        return _rows(rules.at_points((low + high) / 2, volume, row_size), row_size)
    spread = rules.touched if placement == "touched" else rules.uniform
    return _rows(spread(low, high, volume, row_size), row_size)


def _rows(placed: tuple[int, Floats], row_size: float) -> PriceRows:
    first, volume = placed
    return PriceRows(first, row_size, volume)


def _column(candles: pd.DataFrame, name: str) -> Floats:
    if name not in candles:
        raise ValueError(f"candles have no column {name!r}")
    values = candles[name].to_numpy(dtype=np.float64, na_value=np.nan)
    absent = int((~np.isfinite(values)).sum())
    if absent:
        raise ValueError(f"{absent} candles have no finite {name}: drop them first")
    return values


def _edges(rows: Ints, row_size: float) -> Floats:
    """Low edges as they would be written: 3 * 0.1 is 0.30000000000000004, but 3 / 10 is 0.3."""
    size = _written(float(row_size))
    exact = size.denominator <= 10**15 and size.numerator * int(np.abs(rows).max(initial=0)) < 2**53
    return np.asarray(
        rows * size.numerator / size.denominator if exact else rows * row_size, dtype=np.float64
    )


@lru_cache
def _written(size: float) -> Fraction:
    return Fraction(repr(size))
