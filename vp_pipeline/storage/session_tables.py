"""The table of sessions: volatility by weekday, session and quarter of the hour, as of each day.

Here belongs its declaration; what the columns mean is in `analytics.session_report`.
"""

from vp_pipeline.storage.table import PgType, Table

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
    scope=("symbol", "interval"),
    time="day",
)
