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
    BLOCK,
    SESSIONS,
    SLOT_SECONDS,
    SLOTS_A_DAY,
    UNITS,
    Codes,
    Preset,
    sessions_of_slots,
)

Gaps = Literal["drop", "document"]
Bools = npt.NDArray[np.bool_]
Bins = npt.NDArray[np.int32]

WEEKDAYS = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat")
QUARTERS = ("00", "15", "30", "45")
"""Minutes at which the quarters of an hour begin."""
BINS_A_DAY = len(SESSIONS) * len(QUARTERS)


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
    bin: Bins
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
    def cell(self) -> npt.NDArray[np.int16]:
        """Index into weekdays x sessions x quarters, as one number."""
        first = int(weekdays(np.array(self.first_day))) * BINS_A_DAY
        return ((self.bin + first) % (len(WEEKDAYS) * BINS_A_DAY)).astype(np.int16)

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
        skipped = int(values["bin"][0]) // BINS_A_DAY if len(values["bin"]) else 0
        values["bin"] = values["bin"] - skipped * BINS_A_DAY
        return replace(self, first_day=self.first_day + skipped, **values, **amounts)


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
    if bar <= pd.Timedelta(0):
        raise ValueError(f"a bar needs a positive length, got {bar}")
    index, order = _times(klines)
    opened, close, volume = (_column(klines, name, order) for name in ("open", "close", "volume"))
    if not (close.min() > 0 and close.max() < np.inf and 0 < opened[0] < np.inf):
        raise ValueError("every bar needs a positive close, the first a positive open: drop the others first")
    found, first_day = _changes(index, bar, opened, close, volume, gaps == "drop", preset)
    _leave_out(found, outlier_pct)
    return BarReturns(
        bar,
        preset,
        index,
        first_day,
        found.bin,
        found.change,
        found.gap,
        found.filled,
        found.outlier,
        volume,
        *(_column(klines, name, order) for name in ("trades", "taker_buy_volume")),
    )


def _changes(
    index: pd.DatetimeIndex,
    bar: pd.Timedelta,
    opened: Floats,
    close: Floats,
    volume: Floats,
    drop: bool,
    preset: Preset,
) -> tuple["_Arrays", int]:
    """Bin and change of every bar, if `drop` also gaps and filled bars; and the first day."""
    times, step = index.asi8, UNITS[index.unit]
    table, first_day = _bins(times, step, preset)
    found, ticks = _Arrays.of(len(times)), round(bar.total_seconds() * step)
    # Blocks overlap by one bar, so that a change and a step need no copy of what came before.
    for start in range(0, len(times), BLOCK):
        rows, after = slice(start, start + BLOCK), slice(start + 1, start + BLOCK + 1)
        steps = np.diff(times[start : start + BLOCK + 1])
        if len(steps) and steps.min() < ticks:
            raise _too_close(index, start + int(np.argmin(steps)), bar)
        slots = times[rows] // (SLOT_SECONDS * step)
        # Clipping never happens; raising would copy.
        np.take(table, slots - first_day * SLOTS_A_DAY, out=found.bin[rows], mode="clip")
        before, change = close[start : start + len(steps)], found.change[after]
        np.subtract(close[after], before, out=change)
        change *= 100
        change /= before
        if drop:
            np.not_equal(steps, ticks, out=found.gap[after])
            np.equal(volume[rows], 0, out=found.filled[rows])
            found.filled[rows] &= opened[rows] == close[rows]
    found.change[0] = 100 * (close[0] - opened[0]) / opened[0]
    return found, first_day


def _leave_out(found: "_Arrays", outlier_pct: float) -> None:
    """Mark the outliers; take away their changes, and those over gaps and from and to filled bars."""
    np.greater_equal(found.change, outlier_pct, out=found.outlier)
    dropped = found.gap | found.filled
    dropped[1:] |= found.filled[:-1]
    if dropped.any():
        found.outlier[dropped] = False
        found.change[dropped] = np.nan
    if found.outlier.any():
        found.change[found.outlier] = np.nan


def weekdays(days: npt.NDArray[np.integer]) -> Codes:
    """The weekday of each day since the epoch, which was a Thursday, as an index into WEEKDAYS."""
    return ((days + 4) % 7).astype(np.int8)


@dataclass(frozen=True, eq=False)
class _Arrays:
    bin: Bins
    change: Floats
    gap: Bools
    filled: Bools
    outlier: Bools

    @classmethod
    def of(cls, count: int) -> "_Arrays":
        flags = [np.zeros(count, dtype=np.bool_) for _ in range(3)]
        return cls(np.empty(count, dtype=np.int32), np.empty(count), *flags)


def _bins(times: npt.NDArray[np.int64], step: int, preset: Preset) -> tuple[Bins, int]:
    """The bin of every quarter of an hour from the first day on, and that day."""
    first, last = (int(times[at] // (86_400 * step)) for at in (0, -1))
    days = last - first + 1
    # Hours that never change are those of one day.
    known = 1 if preset == "document" else days
    session = sessions_of_slots(first * SLOTS_A_DAY, known * SLOTS_A_DAY, preset).astype(np.int32)
    of_day = session.reshape(known, SLOTS_A_DAY) * len(QUARTERS) + np.arange(SLOTS_A_DAY) % len(QUARTERS)
    bins = np.arange(days, dtype=np.int32)[:, None] * BINS_A_DAY + of_day
    return bins.astype(np.int32).ravel(), first


def _times(klines: pd.DataFrame) -> tuple[pd.DatetimeIndex, npt.NDArray[np.intp] | None]:
    """Open times in order, and the order if it is another than that of the rows."""
    if len(klines) == 0:
        raise NotEnoughData("no bars")
    index = pd.DatetimeIndex(klines["open_time"])
    if str(index.tz) != "UTC":
        raise ValueError(f"open_time must be UTC-aware, got {klines['open_time'].dtype}")
    if index.is_monotonic_increasing:
        return index, None
    order = np.argsort(index.asi8, kind="stable")
    return index[order], order


def _too_close(index: pd.DatetimeIndex, row: int, bar: pd.Timedelta) -> ValueError:
    at = index[row].tz_localize(None)
    return ValueError(f"two bars open less than {bar} apart, the first at {at} UTC: check the bar length")


def _column(klines: pd.DataFrame, name: str, order: npt.NDArray[np.intp] | None) -> Floats:
    if name not in klines:
        return np.full(len(klines), np.nan)
    values = klines[name].to_numpy(dtype=np.float64, na_value=np.nan)
    return values if order is None else values[order]
