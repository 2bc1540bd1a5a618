"""The second document's table of weekdays and sessions, exactly as published.

Here belongs that recipe with its mistakes, kept for comparison; the right table is in `sessions`. The
weekday follows from the number of the row, 96 a day, whatever the length of a bar; volatility is scaled to an
hour and a day as if bars had 15 minutes; a return is taken from each row to the next, over missing bars too.
"""

import numpy as np
import pandas as pd

from vp_pipeline.analytics.errors import NotEnoughData
from vp_pipeline.analytics.session_hours import SESSIONS

ROWS_A_DAY, ROWS_AN_HOUR = 96, 4
WEEK = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat")
FIRST_WEEKDAY = 5
"""What the document gives its first day, 2024-02-01, a Thursday."""
OUTLIER_PCT = 20.0


def labelled(klines: pd.DataFrame, first_weekday: int = FIRST_WEEKDAY) -> pd.DataFrame:
    """The document's bars: `return` in percent, `week` (0 is Sunday) and `time_zone` of each.

    Args:
        klines: columns open_time (UTC), open, close, in order of time, and whatever else.
        first_weekday: weekday of the first row.

    Raises:
        NotEnoughData: no bars.
    """
    if klines.empty:
        raise NotEnoughData("no bars: give at least one")
    bars = klines.reset_index(drop=True)
    change = bars["close"].pct_change() * 100
    change.iloc[0] = 100 * (bars["close"].iloc[0] - bars["open"].iloc[0]) / bars["open"].iloc[0]
    hour = bars["open_time"].dt.hour.to_numpy()
    names = np.empty(len(bars), dtype=object)
    for name, (start, end) in SESSIONS.items():
        inside = (hour >= start) & (hour < end) if start < end else (hour >= start) | (hour < end)
        names[inside] = name
    bars["return"] = change
    bars["week"] = (bars.index.to_numpy() + first_weekday * ROWS_A_DAY) // ROWS_A_DAY % len(WEEK)
    bars["time_zone"] = names
    return bars[change < OUTLIER_PCT]


def published_sessions(klines: pd.DataFrame, first_weekday: int = FIRST_WEEKDAY) -> pd.DataFrame:
    """Volatility and volume of all bars, of weekdays and of sessions.

    Args:
        klines: as for `labelled`, with volume, and trades and taker_buy_volume where known.
        first_weekday: weekday of the first row.

    Returns:
        grouping (all, weekday, session), name, horizon (bar, 1h, 1d, by the document's factors),
        volatility_pct, bars, mean_volume (base units for a bar), taker_share and volume_per_trade; NaN where
        nothing is known.

    Raises:
        NotEnoughData: no bars.
    """
    bars = labelled(klines, first_weekday)
    hourly, daily = np.sqrt(ROWS_AN_HOUR), np.sqrt(ROWS_A_DAY)
    rows = [
        _row(bars, "all", "all", horizon, by) for horizon, by in (("bar", 1), ("1h", hourly), ("1d", daily))
    ]
    rows += [_row(bars[bars["week"] == day], "weekday", name, "1d", daily) for day, name in enumerate(WEEK)]
    rows += [_row(bars[bars["time_zone"] == name], "session", name, "1h", hourly) for name in SESSIONS]
    return pd.DataFrame(rows)


def _row(bars: pd.DataFrame, grouping: str, name: str, horizon: str, factor: float) -> dict[str, object]:
    volume, trades, taker = (
        float(bars[column].mean()) if column in bars and len(bars) else np.nan
        for column in ("volume", "trades", "taker_buy_volume")
    )
    return {
        "grouping": grouping,
        "name": name,
        "horizon": horizon,
        "volatility_pct": float(factor * bars["return"].std()),
        "bars": len(bars),
        "mean_volume": volume,
        "taker_share": taker / volume if volume else np.nan,
        "volume_per_trade": volume / trades if trades else np.nan,
    }
