"""Volatility, volume and returns of bars by weekday, trading session and quarter of an hour.

Here belongs the table of all groups; its sums are made in `session_sums`, and how sure its numbers are is in
`session_confidence`. When the sessions are is in `session_hours`, which bars have a return in `bar_returns`.

A bar of length b scales to a horizon h by sqrt(h / b). Weekday (UTC), session and quarter are those of the
bar's open. A group's share of the variance is its sum of r^2 over that of all bars; the shares of a grouping
add up to 1, which scaled standard deviations do not.
"""

import math
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from vp_pipeline.analytics.bar_returns import QUARTERS, WEEKDAYS, BarReturns
from vp_pipeline.analytics.errors import NotEnoughData
from vp_pipeline.analytics.price_rows import Floats
from vp_pipeline.analytics.session_hours import SESSIONS, Preset
from vp_pipeline.analytics.session_sums import FIELDS, GROUPINGS, GROUPS, DailySums, daily_sums, grouped

__all__ = [
    "COLUMNS",
    "KEYS",
    "SESSIONS",
    "WEEKDAYS",
    "Horizon",
    "SessionTable",
    "describe",
    "table_of",
]

Horizon = Literal["bar", "1h", "1d"]

KEYS = ("grouping", "weekday", "session", "minute", "horizon")
SPREAD = ("return_q1", "return_median", "return_q3", "whisker_low", "whisker_high")
COLUMNS = (
    *KEYS,
    "volatility_pct",
    "bars",
    "returns",
    "days",
    "mean_volume",
    "mean_taker_buy_volume",
    "taker_share",
    "volume_per_trade",
    "variance_share",
    *SPREAD,
)

HORIZONS: dict[str, tuple[Horizon, ...]] = {
    "all": ("bar", "1h", "1d"),
    "weekday": ("1d",),
    "session": ("1h",),
    "weekday_session": ("1h",),
    "quarter": ("1h",),
}

_HOUR, _DAY = pd.Timedelta(hours=1), pd.Timedelta(days=1)


@dataclass(frozen=True, eq=False)
class SessionTable:
    """The table, and what was left out of it: `bars` is how many were given, from `start` to `end`.

    `outliers` bars were left out, `gap_returns` returns over missing bars, `filled` bars in which nothing
    was traded (and the returns from and to them). `preset` says by which hours the sessions go.
    """

    bar: pd.Timedelta
    bars: int
    outliers: int
    gap_returns: int
    filled: int
    start: pd.Timestamp
    end: pd.Timestamp
    sums: DailySums = field(repr=False)
    _frame: pd.DataFrame = field(repr=False)
    preset: Preset = "document"

    def to_frame(self) -> pd.DataFrame:
        """COLUMNS, one row for each group and horizon, always the same rows in the same order.

        grouping is one of GROUPINGS; weekday, session and minute (of the hour, at which the quarter begins)
        are '' where they do not apply. `bars` counts for the volume, `returns` for the volatility, on
        `days` days. Volatility and returns in percent, volumes in base units for one bar. Groups without
        bars have bars = 0 and NaN; so has what rests on unknown trades or taker volume.
        """
        return self._frame.copy()

    def volatility_pct(self, horizon: Horizon) -> float:
        """Volatility of all bars, in percent of the price."""
        frame = self._frame
        return float(
            frame.loc[(frame["grouping"] == "all") & (frame["horizon"] == horizon), "volatility_pct"].iloc[0]
        )

    def group(self, grouping: str) -> pd.DataFrame:
        """The rows of one grouping."""
        return self._frame[self._frame["grouping"] == grouping].reset_index(drop=True)


def table_of(returns: BarReturns) -> SessionTable:
    """Volatility, volume, taker share, volume per trade and spread of returns of each group.

    Raises:
        NotEnoughData: no bars.
    """
    if len(returns) == 0:
        raise NotEnoughData("no bars")
    sums = daily_sums(returns)
    described = pd.concat([describe(sums), _spreads(returns)], axis=1)
    rows = [place for place, (grouping, *_) in enumerate(GROUPS) for _ in HORIZONS[grouping]]
    horizons = [horizon for grouping, *_ in GROUPS for horizon in HORIZONS[grouping]]
    frame = described.iloc[rows].reset_index(drop=True)
    frame.insert(len(KEYS) - 1, "horizon", horizons)
    frame["volatility_pct"] *= [scale(returns.bar, horizon) for horizon in horizons]
    return SessionTable(
        returns.bar,
        len(returns),
        int(returns.outlier.sum()),
        int(returns.gap.sum()),
        int(returns.filled.sum()),
        returns.open_time[0],
        returns.open_time[-1] + returns.bar,
        sums,
        frame[list(COLUMNS)],
        returns.preset,
    )


def describe(sums: DailySums) -> pd.DataFrame:
    """Of each of GROUPS what follows from sums: COLUMNS without the horizon and SPREAD, volatility a bar."""
    totals = dict(zip(FIELDS, grouped(sums.values, sums.weekday), strict=True))
    traded = (sums.field("returns") > 0).astype(np.float64)
    squares = grouped(sums.squares(), sums.weekday)
    frame = pd.DataFrame(GROUPS, columns=list(KEYS[:-1]))
    frame["volatility_pct"] = np.sqrt(variance(totals["returns"], totals["sum"], totals["squares"]))
    for name in ("bars", "returns"):
        frame[name] = totals[name].astype(np.int64)
    frame["days"] = _days(traded, sums.weekday)
    frame["mean_volume"] = ratio(totals["volume"], totals["volume_bars"])
    frame["mean_taker_buy_volume"] = ratio(totals["taker"], totals["taker_bars"])
    frame["taker_share"] = ratio(totals["taker"], totals["taker_volume"])
    frame["volume_per_trade"] = ratio(totals["trades_volume"], totals["trades"])
    frame["variance_share"] = ratio(squares, squares[0])
    return frame


def variance(count: Floats, total: Floats, squares: Floats) -> Floats:
    """With n - 1, from sums; NaN of fewer than two."""
    with np.errstate(invalid="ignore", divide="ignore"):
        # Never negative but for rounding.
        found = np.maximum(squares - total * total / count, 0) / (count - 1)
    return np.where(count > 1, found, np.nan)


def ratio(numerator: Floats, denominator: Floats | np.floating) -> Floats:
    """Sum over sum; NaN if there is nothing below."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(denominator > 0, numerator / denominator, np.nan)


def scale(bar: pd.Timedelta, horizon: str) -> float:
    """By what the volatility of a bar is multiplied for a horizon."""
    lengths = {"bar": bar, "1h": _HOUR, "1d": _DAY}
    return float(np.sqrt(lengths[horizon] / bar))


def _days(traded: Floats, weekday: npt.NDArray[np.int8]) -> npt.NDArray[np.int64]:
    """Days with a return, of each group."""
    sessions, quarters = traded.max(axis=2), traded.max(axis=1)
    whole = sessions.max(axis=1)
    by_weekday = [weekday == day for day in range(len(WEEKDAYS))]
    cells = np.concatenate([sessions[own].sum(axis=0) for own in by_weekday])
    weekdays = [whole[own].sum() for own in by_weekday]
    parts = [[whole.sum()], weekdays, sessions.sum(axis=0), cells, quarters.sum(axis=0)]
    return np.concatenate(parts).astype(np.int64)


def _spreads(returns: BarReturns) -> pd.DataFrame:
    """SPREAD of each of GROUPS."""
    known = np.isfinite(returns.return_pct)
    cell, shape = returns.cell[known], (len(WEEKDAYS), len(SESSIONS), len(QUARTERS))
    ends = np.cumsum(np.bincount(cell, minlength=math.prod(shape)))
    parts = np.split(returns.return_pct[known][np.argsort(cell, kind="stable")], ends[:-1])
    cells = np.arange(len(ends)).reshape(shape)
    groups: dict[str, npt.NDArray[np.intp]] = {
        "all": cells.reshape(1, -1),
        "weekday": cells.reshape(len(WEEKDAYS), -1),
        "session": cells.swapaxes(0, 1).reshape(len(SESSIONS), -1),
        "weekday_session": cells.reshape(-1, len(QUARTERS)),
        "quarter": cells.reshape(-1, len(QUARTERS)).T,
    }
    rows = [
        _spread(np.sort(np.concatenate([parts[place] for place in group])))
        for grouping in GROUPINGS
        for group in groups[grouping]
    ]
    return pd.DataFrame(rows, columns=list(SPREAD))


def _spread(r: Floats) -> tuple[float, float, float, float, float]:
    """Quartiles of sorted returns, and the outermost within 1.5 interquartile ranges (Tukey)."""
    if len(r) == 0:
        return (np.nan,) * 5
    q1, median, q3 = (_quantile(r, share) for share in (0.25, 0.5, 0.75))
    reach = 1.5 * (q3 - q1)
    first, last = np.searchsorted(r, q1 - reach), np.searchsorted(r, q3 + reach, side="right") - 1
    low, high = (r[first], r[last]) if first <= last else (q1, q3)
    # The nearest return within reach may lie inside the box; a whisker does not.
    return q1, median, q3, float(min(low, q1)), float(max(high, q3))


def _quantile(r: Floats, share: float) -> float:
    """Linear between the neighbours, as numpy's and matplotlib's, which would sort once more."""
    place = share * (len(r) - 1)
    below = int(place)
    low, high = float(r[below]), float(r[min(below + 1, len(r) - 1)])
    return low + (high - low) * (place - below)
