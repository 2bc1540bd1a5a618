"""Sums of bars by day, session and quarter of an hour.

Here belongs the one pass over the bars. Everything that adds up is computed from these sums and never from
the bars again: groups by weekday, session and quarter, their resamples by day, and rolling windows. Work is
done in blocks that fit into the processor's cache.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
import pandas as pd

from vp_pipeline.analytics.bar_returns import BINS_A_DAY, QUARTERS, WEEKDAYS, BarReturns, weekdays
from vp_pipeline.analytics.price_rows import Floats
from vp_pipeline.analytics.session_hours import BLOCK, SESSIONS, Codes

_Bins = npt.NDArray[np.intp]

FIELDS = (
    "bars",
    "returns",
    "sum",
    "squares",
    "absolute",
    "volume",
    "volume_bars",
    "taker",
    "taker_bars",
    "taker_volume",
    "trades",
    "trades_bars",
    "trades_volume",
)
"""Numbers of bars and of returns; sums of r and r^2 less `centre`, and of |r|; of volume and the bars that
know it, of taker-buy volume with the bars that know it and the volume of these, and of trades likewise."""

GROUPINGS: Mapping[str, slice] = MappingProxyType(
    {
        "all": slice(0, 1),
        "weekday": slice(1, 8),
        "session": slice(8, 14),
        "weekday_session": slice(14, 56),
        "quarter": slice(56, 60),
    }
)
"""Which of the GROUPS each grouping has."""
GROUPS: tuple[tuple[str, str, str, str], ...] = (
    ("all", "", "", ""),
    *(("weekday", day, "", "") for day in WEEKDAYS),
    *(("session", "", name, "") for name in SESSIONS),
    *(("weekday_session", day, name, "") for day in WEEKDAYS for name in SESSIONS),
    *(("quarter", "", "", minute) for minute in QUARTERS),
)
"""Grouping, weekday, session and minute of each group; what does not apply is empty."""

_AT = {name: place for place, name in enumerate(FIELDS)}


@dataclass(frozen=True, eq=False)
class DailySums:
    """`values` is FIELDS x days x sessions x quarters; day 0 is `first_day` since the epoch.

    Returns enter less `centre` (percent), which keeps a variance exact where the mean is large.
    """

    bar: pd.Timedelta
    first_day: int
    centre: float
    values: Floats

    @property
    def days(self) -> int:
        """How many, from the first to the last; days without bars are among them."""
        return int(self.values.shape[1])

    @property
    def weekday(self) -> Codes:
        """Of each day, an index into WEEKDAYS."""
        return weekdays(self.first_day + np.arange(self.days))

    def field(self, name: str) -> Floats:
        """Days x sessions x quarters of one of FIELDS."""
        return np.asarray(self.values[_AT[name]])

    def squares(self) -> Floats:
        """Sum of r^2, not centred: days x sessions x quarters, in percent squared."""
        centred = self.field("squares") + 2 * self.centre * self.field("sum")
        return np.asarray(centred + self.centre**2 * self.field("returns"))


def daily_sums(returns: BarReturns) -> DailySums:
    """The sums of all bars but outliers."""
    days = int(returns.bin[-1]) // BINS_A_DAY + 1 if len(returns) else 0
    values = np.zeros((len(FIELDS), days * BINS_A_DAY))
    known = returns.return_pct[np.isfinite(returns.return_pct[:BLOCK]).nonzero()[0]]
    centre = float(known.mean()) if len(known) else 0.0
    for start in range(0, len(returns), BLOCK):
        _add_block(values, returns, slice(start, start + BLOCK), centre)
    shape = (len(FIELDS), days, len(SESSIONS), len(QUARTERS))
    return DailySums(returns.bar, returns.first_day, centre, values.reshape(shape))


def _add_block(values: Floats, returns: BarReturns, rows: slice, centre: float) -> None:
    names = ("bin", "return_pct", "volume", "trades", "taker_buy_volume")
    bins, r, volume, trades, taker = (getattr(returns, name)[rows] for name in names)
    first, last = (int(bins[at]) // BINS_A_DAY * BINS_A_DAY for at in (0, -1))
    bins = bins.astype(np.intp) - first
    if returns.outlier[rows].any():
        kept = ~returns.outlier[rows]
        bins, r, volume, trades, taker = (part[kept] for part in (bins, r, volume, trades, taker))
    size = last - first + BINS_A_DAY

    def total(where: _Bins, weights: Floats | None = None) -> Floats:
        return np.asarray(np.bincount(where, weights, minlength=size), dtype=np.float64)

    bars = total(bins)
    at, r = _known(bins, r)
    absolute, r = np.abs(r), r - centre
    found = {"bars": bars, "returns": bars if at is bins else total(at)}
    found |= {"sum": total(at, r), "squares": total(at, r * r), "absolute": total(at, absolute)}
    at, known = _known(bins, volume)
    found |= {"volume": total(at, known), "volume_bars": bars if at is bins else total(at)}
    for name, column in (("taker", taker), ("trades", trades)):
        # Sum over sum: of the bars where both are known.
        at, known = _known(bins, column if at is bins else np.where(np.isfinite(volume), column, np.nan))
        same = at is bins
        found[name] = total(at, known)
        found[f"{name}_volume"] = found["volume"] if same else total(at, volume[np.isfinite(column)])
        found[f"{name}_bars"] = bars if same else total(at)
    for place, name in enumerate(FIELDS):
        values[place, first : first + size] += found[name]


def _known(bins: _Bins, values: Floats) -> tuple[_Bins, Floats]:
    """Bins and values where the values are known; the very same bins if all are."""
    if np.isfinite(values.sum()):
        return bins, values
    known = np.isfinite(values)
    return (bins, values) if known.all() else (bins[known], values[known])


def grouped(sums: Floats, weekday: Codes) -> Floats:
    """Sums of each group, ... x GROUPS, of sums by day, ... x days x sessions x quarters."""
    cells = np.stack([sums[..., weekday == day, :, :].sum(axis=-3) for day in range(len(WEEKDAYS))], axis=-3)
    return of_cells(cells)


def daily_groups(sums: Floats, weekday: Codes) -> Floats:
    """Sums of each day and group, days x GROUPS, of days x sessions x quarters."""
    cells = np.zeros((len(sums), len(WEEKDAYS), *sums.shape[1:]))
    cells[np.arange(len(sums)), weekday] = sums
    return of_cells(cells)


def of_cells(cells: Floats) -> Floats:
    """The same of sums by weekday, ... x weekdays x sessions x quarters."""
    by_session, by_quarter = cells.sum(axis=-1), cells.sum(axis=(-3, -2))
    both = by_session.reshape(*by_session.shape[:-2], len(WEEKDAYS) * len(SESSIONS))
    parts = [
        both.sum(axis=-1, keepdims=True),
        by_session.sum(axis=-1),
        by_session.sum(axis=-2),
        both,
        by_quarter,
    ]
    return np.concatenate(parts, axis=-1)
