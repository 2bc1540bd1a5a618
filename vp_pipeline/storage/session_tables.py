"""The table of sessions: volatility by weekday, session and quarter of the hour, as of each day.

Here belongs its declaration, and what its rows say of the bars that they were made of; what the columns mean
is in `analytics.session_report`.
"""

from datetime import date

from vp_pipeline.storage.connection import Connection
from vp_pipeline.storage.table import PgType, Table
from vp_pipeline.windows import Window

_INTERVALS = (
    "volatility",
    "mean_volume",
    "taker_share",
    "volume_per_trade",
    "variance_share",
    "daily_share",
    "relative",
)

_FIGURES: dict[str, PgType] = {
    "volatility_pct": "float8",
    "bars": "int8",
    "returns": "int8",
    "days": "int4",
    "mean_volume": "float8",
    "mean_taker_buy_volume": "float8",
    "taker_share": "float8",
    "volume_per_trade": "float8",
    "variance_share": "float8",
    "return_q1": "float8",
    "return_median": "float8",
    "return_q3": "float8",
    "whisker_low": "float8",
    "whisker_high": "float8",
    "daily_share": "float8",
    "full_days": "int4",
    "relative": "float8",
    **{f"{name}_{end}": "float8" for name in _INTERVALS for end in ("low", "high")},
    "usual_ratio": "float8",
    "p_value": "float8",
    "p_adjusted": "float8",
    "differs": "bool",
    "rolling_days": "int4",
    "rolling_windows": "int4",
    "rolling_low": "float8",
    "rolling_median": "float8",
    "rolling_high": "float8",
    "rolling_above": "float8",
}

SESSION_VOLATILITY = Table(
    "session_volatility",
    {
        "symbol": "text",
        "interval": "text",
        "day": "date",
        "span": "text",
        "grouping": "text",
        "weekday": "text",
        "session": "text",
        "minute": "text",
        "horizon": "text",
        **_FIGURES,
    },
    key=("symbol", "interval", "day", "span", "grouping", "weekday", "session", "minute", "horizon"),
    time="day",
)


def of_all_bars(
    connection: Connection, symbol: str, interval: str, window: Window
) -> dict[date, tuple[float | None, ...]]:
    """How many bars each day's table of all bars was made of, their volatility and their mean volume, for the
    days of the window that have one.
    """
    found = connection.execute(
        "SELECT day, bars, volatility_pct, mean_volume FROM session_volatility"
        " WHERE symbol = %s AND interval = %s AND day >= %s AND day < %s"
        " AND span = 'all' AND grouping = 'all' AND horizon = 'bar'",
        [symbol, interval, window.start.date(), window.end.date()],
    )
    return {day: tuple(figures) for day, *figures in found}
