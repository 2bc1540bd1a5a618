"""Candles by market, a ledger of every minute, and what the aggregate says of its venues.

Candles lie in a partition a market, so that those of one market are neighbours on disk. A row of
`market` makes its partition, whoever inserts it, and no candle can name a market that is not there.
Runs of minutes take the place of the hourly coverage; what it knew is carried over.
"""

from alembic import op

revision = "0002"
down_revision = "0001"

CANDLES = """
ALTER TABLE market ADD COLUMN live_since timestamptz;

COMMENT ON COLUMN market.live_since IS 'the first minute the platform ever asked for live; null before';

DROP VIEW market_candle;

ALTER TABLE candle RENAME TO candle_0001;

ALTER TABLE candle_0001 RENAME CONSTRAINT candle_pkey TO candle_0001_pkey;

CREATE TABLE candle (
    market_id smallint NOT NULL,
    provisional boolean NOT NULL,
    open_time timestamptz NOT NULL,
    open double precision NOT NULL,
    high double precision NOT NULL,
    low double precision NOT NULL,
    close double precision NOT NULL,
    volume double precision NOT NULL,
    quote_volume double precision,
    taker_buy_volume double precision,
    PRIMARY KEY (market_id, open_time)
) PARTITION BY LIST (market_id);

COMMENT ON COLUMN candle.provisional IS 'open or too young when it was fetched: its numbers may still change';

COMMENT ON COLUMN candle.volume IS 'in the base asset, whatever the wire counts in';

COMMENT ON COLUMN candle.quote_volume IS
    'turnover in the quote currency; null where the wire does not give it';

COMMENT ON COLUMN candle.taker_buy_volume IS
    'in the base asset; null where the wire does not give it';

CREATE FUNCTION make_candle_partition() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- Attached, not created in place: that would wait for everybody who reads candles.
    EXECUTE format('CREATE TABLE candle_%s (LIKE candle INCLUDING ALL)', NEW.market_id);
    EXECUTE format('ALTER TABLE candle ATTACH PARTITION candle_%s FOR VALUES IN (%s)',
        NEW.market_id, NEW.market_id);
    RETURN NULL;
END $$;

CREATE TRIGGER make_candle_partition AFTER INSERT ON market
    FOR EACH ROW EXECUTE FUNCTION make_candle_partition();

DO $$
DECLARE
    number smallint;
BEGIN
    FOR number IN SELECT market_id FROM market ORDER BY market_id LOOP
        EXECUTE format('CREATE TABLE candle_%s PARTITION OF candle FOR VALUES IN (%s)', number, number);
    END LOOP;
END $$;

INSERT INTO candle
    SELECT market_id, false, open_time, open, high, low, close, volume, NULL, NULL
    FROM candle_0001 ORDER BY market_id, open_time;

DROP TABLE candle_0001;

CREATE VIEW market_candle AS
    SELECT exchange, symbol, open_time, open, high, low, close, volume, quote_volume, taker_buy_volume
    FROM candle JOIN market USING (market_id) WHERE NOT provisional;

COMMENT ON VIEW market_candle IS 'final candles by the names of their market';

CREATE TABLE revision (
    market_id smallint NOT NULL,
    times smallint NOT NULL,
    open_time timestamptz NOT NULL,
    first_volume double precision NOT NULL,
    first_close double precision NOT NULL,
    last_at timestamptz NOT NULL,
    PRIMARY KEY (market_id, open_time)
);

COMMENT ON TABLE revision IS
    'final candles that the exchange gave again with other numbers; the newer ones are kept';

COMMENT ON COLUMN revision.first_volume IS 'as first seen, before any revision; first_close likewise'
"""

LEDGER = """
ALTER TABLE coverage RENAME TO coverage_0001;

ALTER TABLE coverage_0001 RENAME CONSTRAINT coverage_pkey TO coverage_0001_pkey;

CREATE TABLE coverage_run (
    market_id smallint NOT NULL,
    start_time timestamptz NOT NULL,
    end_time timestamptz NOT NULL,
    state text NOT NULL CHECK (state IN ('got', 'exchange-empty', 'unfetchable', 'unknown')),
    reason text NOT NULL,
    PRIMARY KEY (market_id, start_time),
    CHECK (start_time < end_time)
);

COMMENT ON TABLE coverage_run IS
    'what is known of each minute, as runs: disjoint, and as long as state and reason are the same';

INSERT INTO coverage_run
    SELECT market_id, min(minute), max(minute) + interval '1 minute', state, reason
    FROM (
        SELECT *, minute - interval '1 minute'
            * row_number() OVER (PARTITION BY market_id, state, reason ORDER BY minute) AS island
        FROM (
            SELECT market_id, open_time AS minute, 'got' AS state, '' AS reason FROM candle
            UNION ALL
            SELECT market_id, minute,
                CASE reason WHEN 'the exchange has no candle' THEN 'exchange-empty' ELSE 'unknown' END,
                CASE reason WHEN 'the exchange has no candle' THEN '' ELSE
                    coalesce(nullif(reason, ''), 'an earlier version did not record why') END
            FROM coverage_0001,
                generate_series(hour, hour + (expected - 1) * interval '1 minute', '1 minute') AS minute
            WHERE got < expected AND NOT EXISTS (
                SELECT FROM candle WHERE candle.market_id = coverage_0001.market_id AND open_time = minute)
        ) AS minutes
    ) AS islands
    GROUP BY market_id, state, reason, island;

DROP TABLE coverage_0001;

CREATE VIEW coverage AS
    SELECT exchange, symbol, state, start_time, end_time,
        (extract(epoch FROM end_time - start_time) / 60)::bigint AS minutes,
        CASE state WHEN 'exchange-empty' THEN 'the exchange has no candle' ELSE reason END AS reason,
        (SELECT coalesce(sum(times), 0)::bigint FROM revision WHERE revision.market_id = run.market_id
            AND open_time >= start_time AND open_time < end_time) AS revisions
    FROM coverage_run AS run JOIN market USING (market_id);

COMMENT ON VIEW coverage IS 'the ledger of minutes by the names of their market';

CREATE TABLE stale_hour (
    consumer text NOT NULL,
    base text NOT NULL,
    hour timestamptz NOT NULL,
    PRIMARY KEY (consumer, base, hour)
);

COMMENT ON TABLE stale_hour IS 'hours whose candles changed after the consumer last read them';

CREATE TABLE archive_file (
    path text PRIMARY KEY,
    sha256 text NOT NULL,
    rows integer NOT NULL,
    loaded_at timestamptz NOT NULL
);

COMMENT ON TABLE archive_file IS
    'history files whose rows are stored; a file with another checksum is loaded again';

CREATE TABLE installation (
    source text PRIMARY KEY
);

CREATE UNIQUE INDEX installation_one_row ON installation ((true));

COMMENT ON COLUMN installation.source IS 'live, sandbox or replay: what this database holds and nothing else'
"""

AGGREGATE = """
ALTER TABLE aggregate
    ADD COLUMN price_market text,
    ADD COLUMN vwap double precision,
    ADD COLUMN robust_price double precision,
    ADD COLUMN quote_volume_usd double precision,
    ADD COLUMN taker_buy_volume double precision,
    ADD COLUMN left_out text NOT NULL DEFAULT '';

COMMENT ON COLUMN aggregate.close IS 'of price_market; null in a minute no market could serve prices for';

COMMENT ON COLUMN aggregate.price_market IS
    'the lead, or the market that serves in its place; null with the prices';

COMMENT ON COLUMN aggregate.vwap IS 'in US dollars, weighted by volume over venues';

COMMENT ON COLUMN aggregate.robust_price IS
    'in US dollars, each venue capped around the median, then weighted';

COMMENT ON COLUMN aggregate.taker_buy_volume IS 'in the base asset, of the markets where it is known';

COMMENT ON COLUMN aggregate.left_out IS 'markets with a candle that does not count, and why';

CREATE TABLE quote_rate (
    quote text NOT NULL,
    open_time timestamptz NOT NULL,
    usd double precision NOT NULL,
    markets smallint NOT NULL,
    PRIMARY KEY (quote, open_time)
);

COMMENT ON COLUMN quote_rate.usd IS 'US dollars for one unit of the quote currency';

CREATE TABLE venue_verdict (
    base text NOT NULL,
    hour timestamptz NOT NULL,
    market_id smallint NOT NULL REFERENCES market,
    verdict text NOT NULL,
    reason text NOT NULL,
    PRIMARY KEY (base, hour, market_id)
);

COMMENT ON TABLE venue_verdict IS 'markets that the aggregate leaves out of an hour, and why';

CREATE VIEW aggregate_venue AS
    SELECT split_part(symbol, '/', 1) AS base, open_time, exchange, symbol, volume, close,
        verdict IS NULL AS included, coalesce(verdict || ': ' || reason, '') AS reason
    FROM candle JOIN market USING (market_id)
    LEFT JOIN venue_verdict ON venue_verdict.base = split_part(symbol, '/', 1)
        AND venue_verdict.market_id = candle.market_id
        AND venue_verdict.hour = date_bin('1 hour', open_time, 'epoch')
    WHERE NOT provisional;

COMMENT ON VIEW aggregate_venue IS
    'the candles behind each row of the aggregate, and whether they count in it'
"""


def upgrade() -> None:
    """Rebuild candles and coverage with what they hold; add the rest."""
    for part in (CANDLES, LEDGER, AGGREGATE):
        # By empty lines: the function bodies have semicolons of their own.
        for statement in part.split(";\n\n"):
            op.execute(statement)
