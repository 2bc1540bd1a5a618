"""The tables as the writing code sees them: columns, what an asset owns, what a partition covers.

Here belongs one declaration a table. Creating the tables is for the migrations, which may know more
(indexes, defaults); a test holds the two together. Those of the profiles are in `profile_tables`,
that of the sessions in `session_tables`.
"""

from vp_pipeline.storage.profile_tables import (
    COMPOSITE_LEVEL,
    NAKED_POC,
    PROFILE,
    PROFILE_GRID,
    VOLUME_PROFILE_VENUE,
)
from vp_pipeline.storage.profile_tables import VOLUME_PROFILE as VOLUME_PROFILE
from vp_pipeline.storage.profile_tables import VOLUME_PROFILE_NODE as VOLUME_PROFILE_NODE
from vp_pipeline.storage.profile_tables import VOLUME_PROFILE_ROW as VOLUME_PROFILE_ROW
from vp_pipeline.storage.session_tables import SESSION_VOLATILITY as SESSION_VOLATILITY
from vp_pipeline.storage.table import PgType as PgType
from vp_pipeline.storage.table import Table as Table

CANDLE = Table(
    "candle",
    {
        "market_id": "int2",
        "provisional": "bool",
        "open_time": "timestamptz",
        "open": "float8",
        "high": "float8",
        "low": "float8",
        "close": "float8",
        "volume": "float8",
        "quote_volume": "float8",
        "taker_buy_volume": "float8",
    },
    key=("market_id", "open_time"),
    time="open_time",
)

# A view: final candles by the names of their market, for those who read one market's.
MARKET_CANDLE = Table(
    "market_candle",
    {
        "exchange": "text",
        "symbol": "text",
        **{name: kind for name, kind in CANDLE.columns.items() if name not in ("market_id", "provisional")},
    },
    key=("exchange", "symbol", "open_time"),
    time="open_time",
)

REVISION = Table(
    "revision",
    {
        "market_id": "int2",
        "times": "int2",
        "open_time": "timestamptz",
        "first_volume": "float8",
        "first_close": "float8",
        "last_at": "timestamptz",
    },
    key=("market_id", "open_time"),
    time="open_time",
)

COVERAGE_RUN = Table(
    "coverage_run",
    {
        "market_id": "int2",
        "start_time": "timestamptz",
        "end_time": "timestamptz",
        "state": "text",
        "reason": "text",
    },
    key=("market_id", "start_time"),
    time="start_time",
)

# A view: the ledger of minutes for people.
COVERAGE = Table(
    "coverage",
    {
        "exchange": "text",
        "symbol": "text",
        "state": "text",
        "start_time": "timestamptz",
        "end_time": "timestamptz",
        "minutes": "int8",
        "reason": "text",
        "revisions": "int8",
    },
    key=("exchange", "symbol", "start_time"),
    time="start_time",
)

AGGREGATE_BASIS = Table("aggregate_basis", {"base": "text", "basis": "text"}, key=("base",))

STALE_HOUR = Table(
    "stale_hour",
    {"consumer": "text", "base": "text", "hour": "timestamptz"},
    key=("consumer", "base", "hour"),
    time="hour",
)

ARCHIVE_FILE = Table(
    "archive_file",
    {"path": "text", "sha256": "text", "rows": "int4", "loaded_at": "timestamptz"},
    key=("path",),
)

INSTALLATION = Table("installation", {"source": "text"}, key=("source",))

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
        "price_market": "text",
        "vwap": "float8",
        "robust_price": "float8",
        "quote_volume_usd": "float8",
        "taker_buy_volume": "float8",
        "left_out": "text",
    },
    key=("base", "open_time"),
    time="open_time",
)

# A view: the candles behind each row of the aggregate, and whether they count in it.
AGGREGATE_VENUE = Table(
    "aggregate_venue",
    {
        "base": "text",
        "open_time": "timestamptz",
        "exchange": "text",
        "symbol": "text",
        "volume": "float8",
        "close": "float8",
        "included": "bool",
        "reason": "text",
    },
    key=("base", "open_time", "exchange", "symbol"),
    time="open_time",
)

QUOTE_RATE = Table(
    "quote_rate",
    {"quote": "text", "open_time": "timestamptz", "usd": "float8", "markets": "int2"},
    key=("quote", "open_time"),
    time="open_time",
)

VENUE_VERDICT = Table(
    "venue_verdict",
    {"base": "text", "hour": "timestamptz", "market_id": "int2", "verdict": "text", "reason": "text"},
    key=("base", "hour", "market_id"),
    time="hour",
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
    time="open_time",
)

DAILY_RETURN = Table(
    "daily_return",
    {
        "symbol": "text",
        "day": "date",
        "close": "float8",
        "return": "float8",
        "high": "float8",
        "low": "float8",
        "volume": "float8",
    },
    key=("symbol", "day"),
)

STRATEGY_RETURN = Table(
    "strategy_return",
    {"strategy": "text", "day": "date", "return": "float8"},
    key=("strategy", "day"),
)

STRATEGY_NET = Table(
    "strategy_net",
    {"strategy": "text", "day": "date", "net": "float8", "turnover": "float8", "cost": "float8"},
    key=("strategy", "day"),
)

STRATEGY_WEIGHT = Table(
    "strategy_weight",
    {"strategy": "text", "day": "date", "symbol": "text", "weight": "float8"},
    key=("strategy", "day", "symbol"),
)

STRATEGY_SUMMARY = Table(
    "strategy_summary",
    {
        "strategy": "text",
        "title": "text",
        "description": "text",
        "parameters": "text",
        "benchmark": "text",
        "looks_ahead": "bool",
        "days_looked_ahead": "int4",
        "evidence": "text",
        "days": "int4",
        "first_day": "date",
        "last_day": "date",
        "cagr": "float8",
        "cagr_low": "float8",
        "cagr_high": "float8",
        "cagr_gross": "float8",
        "volatility": "float8",
        "sharpe": "float8",
        "sharpe_low": "float8",
        "sharpe_high": "float8",
        "sharpe_gross": "float8",
        "sortino": "float8",
        "max_drawdown": "float8",
        "max_drawdown_low": "float8",
        "max_drawdown_high": "float8",
        "psr": "float8",
        "dsr": "float8",
        "trials": "int4",
        "turnover": "float8",
        "exposure": "float8",
        "costs": "float8",
        "break_even_bps": "float8",
        "out_of_sample_from": "date",
        "in_sample_sharpe": "float8",
        "out_of_sample_sharpe": "float8",
        "excess_cagr": "float8",
    },
    key=("strategy",),
)

TABLES = {
    table.name: table
    for table in (
        CANDLE,
        REVISION,
        COVERAGE_RUN,
        STALE_HOUR,
        AGGREGATE_BASIS,
        ARCHIVE_FILE,
        INSTALLATION,
        AGGREGATE,
        QUOTE_RATE,
        VENUE_VERDICT,
        PROFILE_GRID,
        PROFILE,
        VOLUME_PROFILE,
        VOLUME_PROFILE_ROW,
        VOLUME_PROFILE_NODE,
        VOLUME_PROFILE_VENUE,
        COMPOSITE_LEVEL,
        NAKED_POC,
        KLINE,
        SESSION_VOLATILITY,
        DAILY_RETURN,
        STRATEGY_RETURN,
        STRATEGY_WEIGHT,
        STRATEGY_NET,
        STRATEGY_SUMMARY,
    )
}

VIEWS = {table.name: table for table in (MARKET_CANDLE, COVERAGE, AGGREGATE_VENUE)}
