"""The tables as the writing code sees them: columns, what an asset owns, what a partition covers.

Here belongs one declaration a table. Creating the tables is for the migrations, which may know more
(indexes, defaults); a test holds the two together.
"""

from dataclasses import dataclass
from typing import Literal

PgType = Literal["int2", "int4", "int8", "float8", "bool", "text", "date", "timestamptz"]


@dataclass(frozen=True)
class Table:
    """`scope` says whose rows they are, `time` which column a partition's window selects."""

    name: str
    columns: dict[str, PgType]
    key: tuple[str, ...]
    scope: tuple[str, ...] = ()
    time: str | None = None


CANDLE = Table(
    "candle",
    {
        "market_id": "int2",
        "open_time": "timestamptz",
        "open": "float8",
        "high": "float8",
        "low": "float8",
        "close": "float8",
        "volume": "float8",
    },
    key=("market_id", "open_time"),
    scope=("market_id",),
    time="open_time",
)

# A view: candles by the names of their market, for those who read one market's.
MARKET_CANDLE = Table(
    "market_candle",
    {
        "exchange": "text",
        "symbol": "text",
        **{name: kind for name, kind in CANDLE.columns.items() if name != "market_id"},
    },
    key=("exchange", "symbol", "open_time"),
    scope=("exchange", "symbol"),
    time="open_time",
)

COVERAGE = Table(
    "coverage",
    {
        "market_id": "int2",
        "hour": "timestamptz",
        "expected": "int2",
        "got": "int2",
        "reason": "text",
    },
    key=("market_id", "hour"),
    scope=("market_id",),
    time="hour",
)

AGGREGATE = Table(
    "aggregate",
    {
        "base": "text",
        "open_time": "timestamptz",
        "open": "float8",
        "high": "float8",
        "low": "float8",
        "close": "float8",
        "volume": "float8",
        "markets": "int2",
        "missing": "text",
    },
    key=("base", "open_time"),
    scope=("base",),
    time="open_time",
)

VOLUME_PROFILE = Table(
    "volume_profile",
    {
        "base": "text",
        "day": "date",
        "poc": "float8",
        "vah": "float8",
        "val": "float8",
        "value_area_share": "float8",
        "row_size": "float8",
        "total_volume": "float8",
        "minutes": "int4",
        "kde_bandwidth": "float8",
    },
    key=("base", "day"),
    scope=("base",),
    time="day",
)

VOLUME_PROFILE_ROW = Table(
    "volume_profile_row",
    {"base": "text", "day": "date", "price": "float8", "volume": "float8"},
    key=("base", "day", "price"),
    scope=("base",),
    time="day",
)

VOLUME_PROFILE_NODE = Table(
    "volume_profile_node",
    {
        "base": "text",
        "day": "date",
        "price": "float8",
        "density": "float8",
        "prominence": "float8",
        "width": "float8",
    },
    key=("base", "day", "price"),
    scope=("base",),
    time="day",
)

KLINE = Table(
    "kline",
    {
        "symbol": "text",
        "interval": "text",
        "open_time": "timestamptz",
        "open": "float8",
        "high": "float8",
        "low": "float8",
        "close": "float8",
        "volume": "float8",
        "quote_volume": "float8",
        "trades": "int8",
        "taker_buy_volume": "float8",
    },
    key=("symbol", "interval", "open_time"),
    scope=("symbol", "interval"),
    time="open_time",
)

SESSION_VOLATILITY = Table(
    "session_volatility",
    {
        "symbol": "text",
        "interval": "text",
        "grouping": "text",
        "weekday": "text",
        "session": "text",
        "horizon": "text",
        "volatility_pct": "float8",
        "bars": "int8",
        "mean_volume": "float8",
        "mean_taker_buy_volume": "float8",
        "taker_share": "float8",
        "volume_per_trade": "float8",
        "return_q1": "float8",
        "return_median": "float8",
        "return_q3": "float8",
        "whisker_low": "float8",
        "whisker_high": "float8",
    },
    key=("symbol", "interval", "grouping", "weekday", "session", "horizon"),
)

DAILY_RETURN = Table(
    "daily_return",
    {"symbol": "text", "day": "date", "close": "float8", "return": "float8"},
    key=("symbol", "day"),
)

STRATEGY_RETURN = Table(
    "strategy_return",
    {"strategy": "text", "day": "date", "return": "float8"},
    key=("strategy", "day"),
)

STRATEGY_WEIGHT = Table(
    "strategy_weight",
    {"strategy": "text", "day": "date", "symbol": "text", "weight": "float8"},
    key=("strategy", "day", "symbol"),
)

TABLES = {
    table.name: table
    for table in (
        CANDLE,
        COVERAGE,
        AGGREGATE,
        VOLUME_PROFILE,
        VOLUME_PROFILE_ROW,
        VOLUME_PROFILE_NODE,
        KLINE,
        SESSION_VOLATILITY,
        DAILY_RETURN,
        STRATEGY_RETURN,
        STRATEGY_WEIGHT,
    )
}

VIEWS = {MARKET_CANDLE.name: MARKET_CANDLE}
