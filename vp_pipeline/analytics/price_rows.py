"""Volume by price on one dense, fixed grid of price rows.

Here belong the grid and the rules that place a candle's volume on it; what is read from the rows
(point of control, value area) is in `value_area`.

Row k of size s covers the prices [k*s, (k+1)*s). The grid is aligned at 0 for every window, so profiles of
separate hours add up. A row is named by its low edge (`price`): closes of 100, 101 and 102 with rows of 1
are the rows 100, 101 and 102. Pictures draw a row around its `midpoint`. Empty rows inside are kept, as
"adjacent" would mean something else without them.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Placement = Literal["close", "midpoint", "touched", "uniform"]

MAX_ROWS = 5_000_000
"""More rows than this are taken for a mistake in the row size."""

_ON_EDGE = 8 * float(np.finfo(np.float64).eps)
"""A price this close to an edge, relatively, is on it: 0.3 / 0.1 is 2.9999999999999996."""


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
        if self.row_size != other.row_size:
            raise ValueError(f"rows of {self.row_size} and of {other.row_size} cannot be added")
        parts = [part for part in (self, other) if len(part.volume)]
        if len(parts) < 2:
            return parts[0] if parts else self
        first = min(part.first_row for part in parts)
        volume = np.zeros(max(part.first_row + len(part.volume) for part in parts) - first)
        for part in parts:
            volume[part.first_row - first :][: len(part.volume)] += part.volume
        return PriceRows(first, self.row_size, volume)


def volume_by_price(candles: pd.DataFrame, row_size: float, placement: Placement = "uniform") -> PriceRows:
    """Place each candle's volume on the price rows it traded in.

    Args:
        candles: columns volume and, by `placement`, close or low and high; every value present.
        row_size: height of a row, in the currency of the prices.
        placement: `uniform` spreads a candle's volume evenly over low..high, a row it covers in part
            getting its part; `touched` gives equal shares to the rows from low's to high's; `midpoint`
            puts all into the row of (low + high) / 2 and `close` into that of the close.

    Returns:
        Rows from the lowest to the highest touched; none for no candles. Their volume is that of the
        candles up to rounding (1e-12 relative).

    Raises:
        ValueError: a missing or infinite value, a negative volume, high below low, a row size that is not
            positive or so small that more than `MAX_ROWS` rows would be needed.
    """
    if not (np.isfinite(row_size) and row_size > 0):
        raise ValueError(f"row size must be a positive number, got {row_size}")
    volume = _column(candles, "volume")
    if (volume < 0).any():
        raise ValueError(f"{int((volume < 0).sum())} candles have a negative volume")
    if placement == "close":
        return _at_points(_column(candles, "close"), volume, row_size)
    low, high = _column(candles, "low"), _column(candles, "high")
    if (high < low).any():
        raise ValueError(f"{int((high < low).sum())} candles have a high below their low")
    if placement == "midpoint":
        return _at_points((low + high) / 2, volume, row_size)
    if placement == "touched":
        return _touched(_in_rows(low, row_size), _in_rows(high, row_size), volume, row_size)
    if placement == "uniform":
        return _uniform(_in_rows(low, row_size), _in_rows(high, row_size), volume, row_size)
    raise ValueError(f"unknown placement {placement!r}: use close, midpoint, touched or uniform")


def _at_points(price: Floats, volume: Floats, row_size: float) -> PriceRows:
    row = _floor(_in_rows(price, row_size))
    return _rows(row, row, volume, volume, volume, row_size)


def _touched(low: Floats, high: Floats, volume: Floats, row_size: float) -> PriceRows:
    first, last = _floor(low), _floor(high)
    share = volume / (last - first + 1)
    return _rows(first, last, share, share, share, row_size)


def _uniform(low: Floats, high: Floats, volume: Floats, row_size: float) -> PriceRows:
    first = _floor(low)
    # A high on an edge does not reach into the row above: nothing of low..high lies there.
    last = np.maximum(first, np.ceil(high).astype(np.int64) - 1)
    span = high - low
    density = np.divide(volume, span, out=np.zeros_like(volume), where=last > first)
    in_first = np.where(last > first, density * (first + 1 - low), volume)
    return _rows(first, last, in_first, density * (high - last), density, row_size)


def _rows(
    first: Ints, last: Ints, in_first: Floats, in_last: Floats, between: Floats, row_size: float
) -> PriceRows:
    """Sum up what each candle puts into its first row, its last if another, and each row between them."""
    if len(first) == 0:
        return PriceRows(0, row_size, np.zeros(0))
    base = int(first.min())
    count = int(last.max()) - base + 1
    if count > MAX_ROWS:
        raise ValueError(
            f"rows of {row_size} would be {count:,}, more than {MAX_ROWS:,}: choose a larger row size"
        )
    volume: Floats = np.bincount(first - base, in_first, count).astype(np.float64)
    several = last > first
    volume += np.bincount(last[several] - base, in_last[several], count)
    wide = last > first + 1
    begin, end, level = first[wide] + 1 - base, last[wide] - base, between[wide]
    passing = np.cumsum(np.bincount(begin, minlength=count) - np.bincount(end, minlength=count))
    running = np.cumsum(np.bincount(begin, level, count) - np.bincount(end, level, count))
    # Where no candle passes, the running sum is 0 but for rounding.
    volume += np.where(passing > 0, np.maximum(running, 0), 0)
    return PriceRows(base, row_size, volume)


def _column(candles: pd.DataFrame, name: str) -> Floats:
    if name not in candles:
        raise ValueError(f"candles have no column {name!r}")
    values = candles[name].to_numpy(dtype=np.float64, na_value=np.nan)
    absent = int((~np.isfinite(values)).sum())
    if absent:
        raise ValueError(f"{absent} candles have no finite {name}: drop them first")
    return values


def _in_rows(price: Floats, row_size: float) -> Floats:
    """Prices in units of rows, those on an edge exactly on it."""
    rows = price / row_size
    nearest = np.rint(rows)
    return np.where(np.abs(rows - nearest) <= _ON_EDGE * np.maximum(1, np.abs(nearest)), nearest, rows)


def _floor(rows: Floats) -> Ints:
    return np.floor(rows).astype(np.int64)


def _edges(rows: Ints, row_size: float) -> Floats:
    # 3 * 0.1 is 0.30000000000000004, but 3 / 10 is 0.3.
    rows_per_unit = round(1 / row_size)
    if rows_per_unit > 1 and np.isclose(rows_per_unit * row_size, 1, rtol=1e-12, atol=0):
        return np.asarray(rows / rows_per_unit, dtype=np.float64)
    return np.asarray(rows * row_size, dtype=np.float64)
