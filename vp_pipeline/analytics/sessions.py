"""Volatility, volume and returns of bars by weekday and trading session.

Here belong the groups and what is computed of each; when the sessions are is in `session_hours`, pictures
are in `figures.sessions`.

Returns are in percent, r = 100 * pct_change(close), the first from its open. A bar of length b scales to a
horizon h by sqrt(h / b). Weekday (UTC) and session are those of the bar's open. A bar is left out if its
return is `outlier_pct` or more (upwards only, as published); a return over missing bars spans more than
one bar, so it is dropped while its bar still counts for the volume.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from vp_pipeline.analytics.errors import NotEnoughData
from vp_pipeline.analytics.price_rows import Floats
from vp_pipeline.analytics.session_hours import SESSIONS, Codes, Preset, session_codes

__all__ = [
    "COLUMNS",
    "SESSIONS",
    "WEEKDAYS",
    "BarReturns",
    "Gaps",
    "Horizon",
    "SessionTable",
    "returns_pct",
    "session_table",
]

Gaps = Literal["drop", "document"]
Horizon = Literal["bar", "1h", "1d"]

WEEKDAYS = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat")
COLUMNS = (
    "grouping",
    "weekday",
    "session",
    "horizon",
    "volatility_pct",
    "bars",
    "mean_volume",
    "mean_taker_buy_volume",
    "taker_share",
    "volume_per_trade",
    "return_q1",
    "return_median",
    "return_q3",
    "whisker_low",
    "whisker_high",
)

_HOUR, _DAY = pd.Timedelta(hours=1), pd.Timedelta(days=1)


@dataclass(frozen=True, eq=False)
class BarReturns:
    """One value for each bar, ordered by open time.

    `weekday` and `session` index into WEEKDAYS and SESSIONS; `return_pct` is NaN where it was dropped, which
    `gap` and `outlier` explain.
    """

    open_time: pd.DatetimeIndex
    return_pct: Floats
    weekday: Codes
    session: Codes
    gap: npt.NDArray[np.bool_]
    outlier: npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class SessionTable:
    """The table, and what was left out of it: `bars` is how many were given, from `start` to `end`.

    `preset` says by which hours the sessions go.
    """

    bar: pd.Timedelta
    bars: int
    outliers: int
    gap_returns: int
    start: pd.Timestamp
    end: pd.Timestamp
    _frame: pd.DataFrame = field(repr=False)
    preset: Preset = "document"

    def to_frame(self) -> pd.DataFrame:
        """COLUMNS, one row for each group and horizon, always the same rows in the same order.

        grouping is all, weekday, session or weekday_session; weekday and session are '' where they do not
        apply. Volatility and returns in percent, volumes in base units for one bar. Groups without bars
        have bars = 0 and NaN; so has what rests on unknown trades or taker volume.
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


def returns_pct(
    klines: pd.DataFrame,
    bar: pd.Timedelta,
    outlier_pct: float = 20.0,
    gaps: Gaps = "drop",
    preset: Preset = "document",
) -> BarReturns:
    """Each bar's return with its weekday and session.

    Args:
        klines: columns open_time (UTC), open and close, in any order, at most one row for a time.
        bar: length of a bar.
        outlier_pct: bars with a return of this or more are left out.
        gaps: `drop` drops a return over missing bars; `document` takes it for one bar's return.
        preset: the hours of the sessions.

    Raises:
        NotEnoughData: no bars.
        ValueError: times not UTC, repeated, or closer than `bar`; a price missing or not positive.
    """
    times, order = _times(klines, bar)
    opened, close = (_column(klines, name)[order] for name in ("open", "close"))
    if not (np.isfinite(close).all() and (close > 0).all() and np.isfinite(opened[0]) and opened[0] > 0):
        raise ValueError("every bar needs a positive close, the first a positive open: drop the others first")
    before = np.concatenate((opened[:1], close[:-1]))
    change = 100 * (close - before) / before
    seconds = times.astype("datetime64[s]").astype(np.int64)
    gap = np.concatenate(([False], np.diff(times) != bar.to_timedelta64()))
    if gaps == "document":
        gap[:] = False
    outlier = ~gap & (change >= outlier_pct)
    open_time = pd.DatetimeIndex(times, tz="UTC")
    return BarReturns(
        open_time,
        np.where(gap | outlier, np.nan, change),
        ((seconds // 86_400 + 4) % 7).astype(np.int8),  # the epoch was a Thursday
        session_codes(open_time, preset),
        gap,
        outlier,
    )


def session_table(
    klines: pd.DataFrame,
    bar: pd.Timedelta,
    outlier_pct: float = 20.0,
    gaps: Gaps = "drop",
    preset: Preset = "document",
) -> SessionTable:
    """Volatility, volume, taker share, volume per trade and spread of returns of each group.

    Args:
        klines: as for `returns_pct`, and volume, trades, taker_buy_volume (NaN where unknown).
        bar: length of a bar.
        outlier_pct: bars with a return of this or more are left out.
        gaps: as for `returns_pct`.
        preset: as for `returns_pct`.

    Raises:
        NotEnoughData: no bars.
        ValueError: as for `returns_pct`.
    """
    returns = returns_pct(klines, bar, outlier_pct, gaps, preset)
    _, order = _times(klines, bar)
    kept = ~returns.outlier
    values = {name: _column(klines, name)[order][kept] for name in ("volume", "trades", "taker_buy_volume")}
    change, weekday, session = returns.return_pct[kept], returns.weekday[kept], returns.session[kept]

    both = weekday.astype(np.int64) * len(SESSIONS) + session
    cells = [(day, name) for day in WEEKDAYS for name in SESSIONS]
    groups: list[tuple[str, npt.NDArray[np.integer], list[tuple[str, str]], tuple[Horizon, ...]]] = [
        ("all", np.zeros(len(change), dtype=np.int8), [("", "")], ("bar", "1h", "1d")),
        ("weekday", weekday, [(day, "") for day in WEEKDAYS], ("1d",)),
        ("session", session, [("", name) for name in SESSIONS], ("1h",)),
        ("weekday_session", both, cells, ("1h",)),
    ]
    rows = [
        (grouping, day, name, horizon, volatility * _scale(bar, horizon), *rest)
        for grouping, code, labels, horizons in groups
        for (day, name), (volatility, *rest) in zip(
            labels, _describe(code, len(labels), change, values), strict=True
        )
        for horizon in horizons
    ]
    return SessionTable(
        bar,
        len(returns.outlier),
        int(returns.outlier.sum()),
        int(returns.gap.sum()),
        returns.open_time[0],
        returns.open_time[-1] + bar,
        pd.DataFrame(rows, columns=list(COLUMNS)),
        preset,
    )


def _describe(
    code: npt.NDArray[np.integer], count: int, change: Floats, values: Mapping[str, Floats]
) -> list[tuple[float, ...]]:
    """For each of `count` groups the columns from volatility_pct (of a bar) on."""
    order = np.argsort(code, kind="stable")
    ends = np.cumsum(np.bincount(code, minlength=count))
    described: list[tuple[float, ...]] = []
    for part in np.split(order, ends[:-1]):
        volume, trades, taker = (values[name][part] for name in ("volume", "trades", "taker_buy_volume"))
        r = change[part]
        r = r[np.isfinite(r)]
        described.append(
            (
                float(np.std(r, ddof=1)) if len(r) > 1 else np.nan,
                len(part),
                _mean(volume),
                _mean(taker),
                _ratio(taker, volume),
                _ratio(volume, trades),
                *_spread(r),
            )
        )
    return described


def _spread(r: Floats) -> tuple[float, float, float, float, float]:
    """Quartiles, and the outermost returns within 1.5 interquartile ranges of them (Tukey's whiskers)."""
    if len(r) == 0:
        return (np.nan,) * 5
    q1, median, q3 = np.percentile(r, [25, 50, 75])
    reach = 1.5 * (q3 - q1)
    within = r[(r >= q1 - reach) & (r <= q3 + reach)]
    # The nearest return within reach may lie inside the box; a whisker does not.
    low, high = (within.min(), within.max()) if len(within) else (q1, q3)
    return float(q1), float(median), float(q3), float(min(low, q1)), float(max(high, q3))


def _mean(values: Floats) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else np.nan


def _ratio(numerator: Floats, denominator: Floats) -> float:
    """Sum over sum, of the bars where both are known."""
    known = np.isfinite(numerator) & np.isfinite(denominator)
    total = denominator[known].sum()
    return float(numerator[known].sum() / total) if total > 0 else np.nan


def _scale(bar: pd.Timedelta, horizon: Horizon) -> float:
    lengths: dict[Horizon, pd.Timedelta] = {"bar": bar, "1h": _HOUR, "1d": _DAY}
    return float(np.sqrt(lengths[horizon] / bar))


def _times(
    klines: pd.DataFrame, bar: pd.Timedelta
) -> tuple[npt.NDArray[np.datetime64], npt.NDArray[np.intp]]:
    """Open times in order, and the order."""
    if bar <= pd.Timedelta(0):
        raise ValueError(f"a bar needs a positive length, got {bar}")
    if len(klines) == 0:
        raise NotEnoughData("no bars")
    open_time = klines["open_time"]
    if str(getattr(open_time.dtype, "tz", None)) != "UTC":
        raise ValueError(f"open_time must be UTC-aware, got {open_time.dtype}")
    times = open_time.dt.tz_localize(None).to_numpy()
    order = np.argsort(times, kind="stable")
    times = times[order]
    steps = np.diff(times)
    if len(steps) and steps.min() < bar.to_timedelta64():
        at = pd.Timestamp(times[int(np.argmin(steps))])
        raise ValueError(f"two bars open less than {bar} apart, the first at {at} UTC: check the bar length")
    return times, order


def _column(klines: pd.DataFrame, name: str) -> Floats:
    return klines[name].to_numpy(dtype=np.float64, na_value=np.nan)
