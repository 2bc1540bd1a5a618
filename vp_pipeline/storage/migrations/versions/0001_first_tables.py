"""The first tables: markets, candles, what is derived from them, and artifacts.

Candles, klines and the aggregate are keyed by series and open time. Rates and prices are double
precision, as the exchanges' own clients hand them over.
"""

from alembic import op

revision = "0001"
down_revision = None

TABLES = """
CREATE TABLE market (
    market_id smallint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    exchange text NOT NULL,
    symbol text NOT NULL,
    UNIQUE (exchange, symbol)
);
CREATE TABLE candle (
    market_id smallint NOT NULL REFERENCES market,
    open_time timestamptz NOT NULL,
    open double precision NOT NULL,
    high double precision NOT NULL,
    low double precision NOT NULL,
    close double precision NOT NULL,
    volume double precision NOT NULL,
    PRIMARY KEY (market_id, open_time)
);
COMMENT ON COLUMN candle.volume IS 'in the base asset, whatever the wire counts in';
CREATE VIEW market_candle AS
    SELECT exchange, symbol, open_time, open, high, low, close, volume
    FROM candle JOIN market USING (market_id);
COMMENT ON VIEW market_candle IS 'candles by the names of their market';
CREATE TABLE coverage (
    market_id smallint NOT NULL REFERENCES market,
    hour timestamptz NOT NULL,
    expected smallint NOT NULL,
    got smallint NOT NULL,
    reason text NOT NULL,
    PRIMARY KEY (market_id, hour)
);
COMMENT ON TABLE coverage IS
    'closed minutes of an hour at the last fetch, how many candles are stored, why the rest are not';
CREATE TABLE aggregate (
    base text NOT NULL,
    open_time timestamptz NOT NULL,
    open double precision,
    high double precision,
    low double precision,
    close double precision,
    volume double precision NOT NULL,
    markets smallint NOT NULL,
    missing text NOT NULL,
    PRIMARY KEY (base, open_time)
);
COMMENT ON COLUMN aggregate.close IS 'of the lead market; null in a minute it did not report';
COMMENT ON COLUMN aggregate.missing IS 'markets without a candle in this minute, comma separated';
CREATE TABLE volume_profile (
    base text NOT NULL,
    day date NOT NULL,
    poc double precision NOT NULL,
    vah double precision NOT NULL,
    val double precision NOT NULL,
    value_area_share double precision NOT NULL,
    row_size double precision NOT NULL,
    total_volume double precision NOT NULL,
    minutes integer NOT NULL,
    kde_bandwidth double precision NOT NULL,
    PRIMARY KEY (base, day)
);
CREATE TABLE volume_profile_row (
    base text NOT NULL,
    day date NOT NULL,
    price double precision NOT NULL,
    volume double precision NOT NULL,
    PRIMARY KEY (base, day, price)
);
CREATE TABLE volume_profile_node (
    base text NOT NULL,
    day date NOT NULL,
    price double precision NOT NULL,
    density double precision NOT NULL,
    prominence double precision NOT NULL,
    width double precision NOT NULL,
    PRIMARY KEY (base, day, price)
);
CREATE TABLE kline (
    symbol text NOT NULL,
    interval text NOT NULL,
    open_time timestamptz NOT NULL,
    open double precision NOT NULL,
    high double precision NOT NULL,
    low double precision NOT NULL,
    close double precision NOT NULL,
    volume double precision NOT NULL,
    quote_volume double precision,
    trades bigint,
    taker_buy_volume double precision,
    PRIMARY KEY (symbol, interval, open_time)
);
COMMENT ON COLUMN kline.trades IS 'null where a recording does not have it';
CREATE TABLE session_volatility (
    symbol text NOT NULL,
    interval text NOT NULL,
    grouping text NOT NULL,
    weekday text NOT NULL,
    session text NOT NULL,
    horizon text NOT NULL,
    volatility_pct double precision,
    bars bigint NOT NULL,
    mean_volume double precision,
    mean_taker_buy_volume double precision,
    taker_share double precision,
    volume_per_trade double precision,
    return_q1 double precision,
    return_median double precision,
    return_q3 double precision,
    whisker_low double precision,
    whisker_high double precision,
    PRIMARY KEY (symbol, interval, grouping, weekday, session, horizon)
);
CREATE TABLE daily_return (
    symbol text NOT NULL,
    day date NOT NULL,
    close double precision NOT NULL,
    return double precision,
    PRIMARY KEY (symbol, day)
);
CREATE TABLE strategy_return (
    strategy text NOT NULL,
    day date NOT NULL,
    return double precision NOT NULL,
    PRIMARY KEY (strategy, day)
);
CREATE TABLE strategy_weight (
    strategy text NOT NULL,
    day date NOT NULL,
    symbol text NOT NULL,
    weight double precision NOT NULL,
    PRIMARY KEY (strategy, day, symbol)
);
CREATE TABLE artifact_include (
    sha256 text PRIMARY KEY,
    content bytea NOT NULL
);
COMMENT ON TABLE artifact_include IS 'what many artifacts share, such as a version of plotly.js: stored once';
CREATE TABLE artifact (
    name text NOT NULL,
    partition text NOT NULL,
    media_type text NOT NULL,
    content bytea NOT NULL,
    include_sha256 text REFERENCES artifact_include,
    size bigint NOT NULL,
    sha256 text NOT NULL,
    run_id text NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (name, partition)
);
COMMENT ON COLUMN artifact.sha256 IS 'of the whole document as it is downloaded, size likewise';
ALTER TABLE artifact ALTER COLUMN content SET STORAGE EXTERNAL;
ALTER TABLE artifact_include ALTER COLUMN content SET STORAGE EXTERNAL;
"""


def upgrade() -> None:
    """Create everything."""
    for statement in TABLES.split(";\n"):
        if statement.strip():
            op.execute(statement)
