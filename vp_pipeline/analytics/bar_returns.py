"""Returns of bars, each with the day, session and quarter of an hour of its open.

Here belongs which bars have a return and what it is; what is computed of groups of them is in
`session_sums` and `sessions`.

Returns are in percent, r = 100 * pct_change(close), the first from its open. A return exists only from one
bar to the next: after a missing bar there is none, nor in a filled bar (no volume, close at its open) and in
the one after it. `gaps="document"` takes them all, as published. A bar whose return is `outlier_pct` or more
(upwards only, as published) is left out altogether; one without a return still counts for the volume.
"""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from vp_pipeline.analytics.errors import NotEnoughData
from vp_pipeline.analytics.price_rows import Floats
from vp_pipeline.analytics.session_hours import (
    SESSIONS,
    SLOT_SECONDS,
    SLOTS_A_DAY,
    Codes,
    Preset,
    sessions_of_slots,
)

Gaps = Literal["drop", "document"]
Bools = npt.NDArray[np.bool_]

WEEKDAYS = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat")
QUARTERS = ("00", "15", "30", "45")
"""Minutes at which the quarters of an hour begin."""
BINS_A_DAY = len(SESSIONS) * len(QUARTERS)

BLOCK = 1 << 15
"""Bars worked on at once: a few arrays that stay in the processor's cache."""

_UNITS = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}


@dataclass(frozen=True, eq=False)
class BarReturns:
    """One value for each bar, ordered by open time.

    `bin` is BINS_A_DAY times the day since `first_day` (days since the epoch), plus len(QUARTERS) times the
    session, plus the quarter of the hour. `return_pct` is NaN where there is none, which `gap` (missing
    bars before it), `filled` and `outlier` explain. Volumes in base units, NaN where unknown.
    """

    bar: pd.Timedelta
    preset: Preset
    open_time: pd.DatetimeIndex
    first_day: int
    bin: npt.NDArray[np.intp]
    return_pct: Floats
    gap: Bools
    filled: Bools
    outlier: Bools
    volume: Floats
    trades: Floats
    taker_buy_volume: Floats

    def __len__(self) -> int:
        return len(self.return_pct)

    @property
    def weekday(self) -> Codes:
        """Index into WEEKDAYS."""
        return weekdays(self.first_day + self.bin // BINS_A_DAY)

    @property
    def session(self) -> Codes:
        """Index into SESSIONS."""
        return (self.bin // len(QUARTERS) % len(SESSIONS)).astype(np.int8)

    @property
    def quarter(self) -> Codes:
        """Index into QUARTERS."""
        return (self.bin % len(QUARTERS)).astype(np.int8)

    def between(self, start: pd.Timestamp, end: pd.Timestamp) -> "BarReturns":
        """The bars that open from `start` on and before `end`; returns stay what they are."""
        first, last = self.open_time.searchsorted([start, end])
        return self._rows(slice(int(first), int(last)))

    def where(self, kept: Bools) -> "BarReturns":
        """The bars that are `kept`; returns stay what they are."""
        return self._rows(kept)

    def _rows(self, rows: slice | Bools) -> "BarReturns":
        names = ("open_time", "bin", "return_pct", "gap", "filled", "outlier")
        values = {name: getattr(self, name)[rows] for name in names}
        amounts = {name: getattr(self, name)[rows] for name in ("volume", "trades", "taker_buy_volume")}
        return replace(self, **values, **amounts)


def returns_pct(
    klines: pd.DataFrame,
    bar: pd.Timedelta,
    outlier_pct: float = 20.0,
    gaps: Gaps = "drop",
    preset: Preset = "document",
) -> BarReturns:
    """Each bar's return with its day, session and quarter of an hour.

    Args:
        klines: columns open_time (UTC), open, close and, where present, volume, trades, taker_buy_volume;
            in any order, at most one row for a time.
        bar: length of a bar.
        outlier_pct: bars with a return of this or more are left out.
        gaps: `drop` drops a return over missing and filled bars; `document` takes it for one bar's return.
        preset: the hours of the sessions.

    Raises:
        NotEnoughData: no bars.
        ValueError: times not UTC, repeated, or closer than `bar`; a price missing or not positive.
    """
    times, step, order = _times(klines, bar)
    opened, close = (_column(klines, name, order) for name in ("open", "close"))
    if not (np.isfinite(close).all() and close.min() > 0 and np.isfinite(opened[0]) and opened[0] > 0):
        raise ValueError("every bar needs a positive close, the first a positive open: drop the others first")
    table, first_day = _bins(times, step, preset)
    found = _Arrays.of(len(times))
    ticks, drop = round(bar.total_seconds() * step), gaps == "drop"
    volume = _column(klines, "volume", order)
    before = np.concatenate((opened[:1], close[:-1]))
    for start in range(0, len(times), BLOCK):
        rows = slice(start, start + BLOCK)
        slots = times[rows] // (SLOT_SECONDS * step)
        # Clipping never happens; raising would copy.
        np.take(table, slots - first_day * SLOTS_A_DAY, out=found.bin[rows], mode="clip")
        change = np.subtract(close[rows], before[rows], out=found.change[rows])
        change *= 100
        change /= before[rows]
        if drop:
            np.not_equal(np.diff(times[rows], prepend=times[max(start - 1, 0)]), ticks, out=found.gap[rows])
            np.equal(volume[rows], 0, out=found.filled[rows])
            found.filled[rows] &= opened[rows] == close[rows]
        np.greater_equal(change, outlier_pct, out=found.outlier[rows])
    if drop:
        found.gap[0] = False
        dropped = found.gap | found.filled
        dropped[1:] |= found.filled[:-1]
        found.outlier[dropped] = False
        found.change[dropped] = np.nan
    found.change[found.outlier] = np.nan
    return BarReturns(
        bar,
        preset,
        _index(klines, order),
        first_day,
        found.bin,
        found.change,
        found.gap,
        found.filled,
        found.outlier,
        volume,
        *(_column(klines, name, order) for name in ("trades", "taker_buy_volume")),
    )


def weekdays(days: npt.NDArray[np.integer]) -> Codes:
    """The weekday of each day since the epoch, which was a Thursday, as an index into WEEKDAYS."""
    return ((days + 4) % 7).astype(np.int8)


@dataclass(frozen=True, eq=False)
class _Arrays:
    bin: npt.NDArray[np.intp]
    change: Floats
    gap: Bools
    filled: Bools
    outlier: Bools

    @classmethod
    def of(cls, count: int) -> "_Arrays":
        flags = [np.zeros(count, dtype=np.bool_) for _ in range(3)]
        return cls(np.empty(count, dtype=np.intp), np.empty(count), *flags)


def _bins(times: npt.NDArray[np.int64], step: int, preset: Preset) -> tuple[npt.NDArray[np.intp], int]:
    """The bin of every quarter of an hour from the first day on, and that day."""
    first, last = (int(times[at] // (86_400 * step)) for at in (0, -1))
    slots = np.arange((last - first + 1) * SLOTS_A_DAY)
    session = sessions_of_slots(first * SLOTS_A_DAY, len(slots), preset).astype(np.intp)
    quarters = len(QUARTERS)
    return slots // SLOTS_A_DAY * BINS_A_DAY + session * quarters + slots % quarters, first


def _times(
    klines: pd.DataFrame, bar: pd.Timedelta
) -> tuple[npt.NDArray[np.int64], int, npt.NDArray[np.intp] | None]:
    """Open times in order, how many of their units make a second, and the order if it is another."""
    if bar <= pd.Timedelta(0):
        raise ValueError(f"a bar needs a positive length, got {bar}")
    if len(klines) == 0:
        raise NotEnoughData("no bars")
    index = pd.DatetimeIndex(klines["open_time"])
    if str(index.tz) != "UTC":
        raise ValueError(f"open_time must be UTC-aware, got {klines['open_time'].dtype}")
    times, order = index.asi8, None
    step = _UNITS[index.unit]
    steps = np.diff(times)
    if len(steps) and steps.min() <= 0:
        order = np.argsort(times, kind="stable")
        times = times[order]
        steps = np.diff(times)
    if len(steps) and steps.min() < bar.total_seconds() * step:
        at = pd.Timestamp(int(times[int(np.argmin(steps))]), unit=index.unit)
        raise ValueError(f"two bars open less than {bar} apart, the first at {at} UTC: check the bar length")
    return times, step, order


def _index(klines: pd.DataFrame, order: npt.NDArray[np.intp] | None) -> pd.DatetimeIndex:
    index = pd.DatetimeIndex(klines["open_time"])
    return index if order is None else index[order]


def _column(klines: pd.DataFrame, name: str, order: npt.NDArray[np.intp] | None) -> Floats:
    if name not in klines:
        return np.full(len(klines), np.nan)
    values = klines[name].to_numpy(dtype=np.float64, na_value=np.nan)
    return values if order is None else values[order]
