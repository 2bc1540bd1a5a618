"""Where a candle's volume goes on the price axis, as arithmetic on arrays.

Here belong the sums over millions of candles; the grid they stand on and the checks of what comes in are in
`price_rows`. Volumes are summed in blocks that stay in the processor's cache. A candle that covers a thousand
rows costs as much as one that covers two: its volume per row enters where it begins and leaves where it ends,
and a running sum over the rows does the rest.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Complexes = npt.NDArray[np.complex128]

MAX_ROWS = 5_000_000
"""More rows than this are taken for a mistake in the row size."""

_BLOCK = 16_384
_TURNS = 4
_TINY = 1e-100
# How far from an edge a price is still taken to be on it: of itself, and in rows. Less is enough where volume
# is spread: a little of it in the next row is no matter, while a whole candle's is.
_NOISE, _NOISE_OF_SPREAD, _MOST_NOISE = 1e-9, 1e-11, 0.02
_RESIDUE = 1e-11  # of the largest running sum; less may be what rounding left where nothing passes


def row_of(price: Floats, row_size: float) -> Ints:
    """The row that each price is in; one that lies under an edge by no more than rounding is on it."""
    rows = np.empty(len(price))
    _from_below(price / row_size, rows)
    return rows.astype(np.int64)


def at_points(price: Floats, volume: Floats, row_size: float) -> tuple[int, Floats]:
    """All of a candle's volume in one row: the first row and the volume of each from there on."""
    row = row_of(price, row_size)
    first, count = _extent(row, row, row_size)
    return first, np.bincount(row - first, volume, count).astype(np.float64)


def touched(low: Floats, high: Floats, volume: Floats, row_size: float) -> tuple[int, Floats]:
    """Equal shares to the rows from that of the low to that of the high; as `at_points`."""
    bottom, top = row_of(low, row_size), row_of(high, row_size)
    first, count = _extent(bottom, top, row_size)
    begin, end = bottom - first, top + 1 - first
    share = volume / (end - begin)
    rows = np.cumsum(np.bincount(begin, share, count + 1) - np.bincount(end, share, count + 1))[:-1]
    # A row that only candles without volume touch holds what rounding left of others, which is nothing.
    traded = volume > 0
    held = np.bincount(begin[traded], minlength=count + 1) - np.bincount(end[traded], minlength=count + 1)
    return first, np.where(np.cumsum(held)[:-1] > 0, np.maximum(rows, 0.0), 0.0)


def uniform(low: Floats, high: Floats, volume: Floats, row_size: float) -> tuple[int, Floats]:
    """Evenly from low to high, a row covered in part getting its part; as `at_points`."""
    bottom, top = rows_between(np.array([low.min(), low.max()]), np.array([high.max(), high.max()]), row_size)
    first, count = _extent(bottom, np.maximum(bottom, top), row_size)
    begin, end = _summed(low, high, volume, row_size, first, count)
    between = np.zeros(count)
    np.cumsum(begin.imag[:-1] - end.imag[1:], out=between[1:])
    _clear(between, begin.imag, low, high, volume, row_size, first)
    rows: Floats = begin.real + end.real + between
    return first, np.maximum(rows, 0.0, out=rows)


def _summed(
    low: Floats, high: Floats, volume: Floats, row_size: float, first: int, count: int
) -> tuple[Complexes, Complexes]:
    """What begins and what ends in each row.

    Real: volume of that very row. Imaginary: what each candle gives to every row between its ends.
    """
    # Candles in a row of time stand on the same price row; in turns they need not wait for each other.
    turns = _TURNS if count * _TURNS <= _BLOCK * 4 else 1
    width = count + 1  # one below: where a point on an edge "ends", with nothing
    begin, end = (np.zeros(turns * width, dtype=np.complex128) for _ in range(2))
    turn = (np.arange(_BLOCK) % turns * width - first + 1).astype(np.float64)
    a, b, bottom, top = (np.empty(_BLOCK) for _ in range(4))
    row, amount = np.empty(_BLOCK, dtype=np.int64), np.empty(_BLOCK, dtype=np.complex128)
    work = _Work(a, b, bottom, top, row, amount, turn)
    for start in range(0, len(volume), _BLOCK):
        block = slice(start, start + _BLOCK)
        _spread(low[block], high[block], volume[block], row_size, work, begin, end)
    return begin.reshape(turns, width).sum(axis=0)[1:], end.reshape(turns, width).sum(axis=0)[1:]


class _Work(NamedTuple):
    """Arrays of a block's length, used again for each: allocating them would cost as much as the sums."""

    a: Floats
    b: Floats
    bottom: Floats
    top: Floats
    row: Ints
    amount: Complexes
    turn: Floats

    def of(self, n: int) -> "_Work":
        """The first n of each."""
        a, b, bottom, top, row, amount, turn = self
        return _Work(a[:n], b[:n], bottom[:n], top[:n], row[:n], amount[:n], turn[:n])


def _spread(
    low: Floats,
    high: Floats,
    volume: Floats,
    row_size: float,
    work: _Work,
    begin: Complexes,
    end: Complexes,
) -> None:
    """Add a block of candles."""
    a, b, bottom, top, row, amount, turn = work.of(len(volume))
    np.multiply(low, 1 / row_size, out=a)
    np.multiply(high, 1 / row_size, out=b)
    _from_below(a, bottom, _NOISE_OF_SPREAD)
    _to_above(b, top, _NOISE_OF_SPREAD)
    top -= 1.0
    b -= a
    b += _TINY  # a candle of one price
    np.divide(volume, b, out=b)  # per row
    np.subtract(bottom, a, out=a)
    a += 1.0
    a *= b
    np.minimum(a, volume, out=amount.real)
    np.subtract(top, bottom, out=a)
    a -= 1.0
    np.maximum(a, 0.0, out=a)  # rows between the ends
    a *= b
    np.minimum(a, b, out=amount.imag)  # per row, but 0 if there is none
    bottom += turn
    row[:] = bottom
    np.add.at(begin, row, amount)
    # What is left goes to the last row, so that nothing is lost to rounding.
    np.subtract(volume, amount.real, out=amount.real)
    amount.real -= a
    top += turn
    row[:] = top
    np.add.at(end, row, amount)


def _clear(
    between: Floats,
    begun: Floats,
    low: Floats,
    high: Floats,
    volume: Floats,
    row_size: float,
    first: int,
) -> None:
    """Set to zero what rounding left in rows that no candle with volume passes through."""
    suspect = np.abs(between) <= _RESIDUE * begun.max(initial=0.0)
    suspect[-1] = False
    between[-1] = 0.0
    if not between[suspect].any():
        return
    passing = np.zeros(len(between) + 1, dtype=np.int64)
    for start in range(0, len(low), _BLOCK):
        block = slice(start, start + _BLOCK)
        tall = np.flatnonzero((high[block] - low[block] > 0.9 * row_size) & (volume[block] > 0))
        bottom, top = rows_between(low[block][tall], high[block][tall], row_size)
        wide = top > bottom + 1
        np.add.at(passing, bottom[wide] + 1 - first, 1)
        np.subtract.at(passing, top[wide] - first, 1)
    between[np.cumsum(passing[:-1]) == 0] = 0.0


def rows_between(low: Floats, high: Floats, row_size: float) -> tuple[Ints, Ints]:
    """The rows of low and high as `uniform` has them: a high on an edge does not reach into the row above."""
    bottom, top = np.empty(len(low)), np.empty(len(high))
    _from_below(low * (1 / row_size), bottom, _NOISE_OF_SPREAD)
    _to_above(high * (1 / row_size), top, _NOISE_OF_SPREAD)
    return bottom.astype(np.int64), top.astype(np.int64) - 1


def _extent(bottom: Ints, top: Ints, row_size: float) -> tuple[int, int]:
    first = int(bottom.min())
    count = int(top.max()) - first + 1
    if count > MAX_ROWS:
        raise ValueError(
            f"rows of {row_size} would be {count:,}, more than {MAX_ROWS:,}: choose a larger row size"
        )
    return first, count


def _from_below(rows: Floats, out: Floats, noise: float = _NOISE) -> None:
    """The floor: 0.3 / 0.1 is 2.9999999999999996, and a price that was summed up is off by more."""
    _moved(rows, noise, out)
    np.floor(out, out=out)


def _to_above(rows: Floats, out: Floats, noise: float = _NOISE) -> None:
    """The ceiling, likewise."""
    _moved(rows, -noise, out)
    np.ceil(out, out=out)


def _moved(rows: Floats, share: float, out: Floats) -> None:
    """Rows and a share of themselves, which is never more than a small part of a row."""
    np.multiply(rows, 1.0 + share, out=out)
    if (
        max(rows.max(initial=0.0), -rows.min(initial=0.0)) * abs(share) > _MOST_NOISE
        or rows.min(initial=0.0) < 0
    ):
        np.clip(np.abs(rows) * share, -_MOST_NOISE, _MOST_NOISE, out=out)
        np.add(out, rows, out=out)
