"""The profile store, and what a day's profile says of its levels.

Hours that have an aggregate already are noted to be made; the daily profiles of before lack the new columns
until they are computed again.
"""

from alembic import op

revision = "0004"
down_revision = "0003"

STORE = """
CREATE TABLE profile_grid (
    base text PRIMARY KEY,
    row_size double precision NOT NULL CHECK (row_size > 0)
);

COMMENT ON TABLE profile_grid IS 'height of the price rows of each instrument, in US dollars';

CREATE TABLE profile (
    base text NOT NULL,
    level text NOT NULL CHECK (level IN ('hour', 'day', 'month', 'year')),
    start_time timestamptz NOT NULL,
    market_id smallint NOT NULL,
    included boolean NOT NULL,
    hours integer NOT NULL,
    first_row integer NOT NULL,
    known double precision NOT NULL,
    unpriced double precision NOT NULL,
    volume bytea NOT NULL,
    bought bytea NOT NULL,
    PRIMARY KEY (base, level, start_time, market_id, included)
);

COMMENT ON TABLE profile IS
    'volume by price of each period and venue; market 0 is all venues together that count';

COMMENT ON COLUMN profile.included IS 'false: venue_verdict leaves the venue out of these hours';

COMMENT ON COLUMN profile.hours IS 'hours that were added up';

COMMENT ON COLUMN profile.first_row IS 'row k covers the prices [k, k + 1) x profile_grid.row_size';

COMMENT ON COLUMN profile.known IS 'volume of which the wire tells how much takers bought';

COMMENT ON COLUMN profile.unpriced IS 'volume on no row, as its quote currency had no rate';

COMMENT ON COLUMN profile.volume IS 'float8 values, little-endian, of the rows from first_row on; base asset';

COMMENT ON COLUMN profile.bought IS 'of it bought by takers, as far as known, else by candle direction';

INSERT INTO stale_hour (consumer, base, hour)
    SELECT DISTINCT 'profile_hours', base, date_trunc('hour', open_time, 'UTC') FROM aggregate
    ON CONFLICT DO NOTHING
"""
DAYS = """
ALTER TABLE volume_profile
    ALTER COLUMN kde_bandwidth DROP NOT NULL,
    ADD COLUMN poc_low double precision, ADD COLUMN poc_high double precision,
    ADD COLUMN poc_stability double precision,
    ADD COLUMN vah_low double precision, ADD COLUMN vah_high double precision,
    ADD COLUMN vah_stability double precision,
    ADD COLUMN val_low double precision, ADD COLUMN val_high double precision,
    ADD COLUMN val_stability double precision,
    ADD COLUMN low double precision, ADD COLUMN high double precision,
    ADD COLUMN venues smallint, ADD COLUMN delta double precision,
    ADD COLUMN taker_share double precision, ADD COLUMN unpriced double precision,
    ADD COLUMN minutes_expected integer, ADD COLUMN minutes_got integer,
    ADD COLUMN minutes_empty integer, ADD COLUMN minutes_unknown integer,
    ADD COLUMN node_bandwidth double precision;

COMMENT ON COLUMN volume_profile.poc_low IS 'interval of the POC by resampling, in US dollars; to poc_high';

COMMENT ON COLUMN volume_profile.poc_stability IS 'share of the draws that leave the level where it is';

COMMENT ON COLUMN volume_profile.minutes IS 'minutes of the day in which any venue has a candle';

COMMENT ON COLUMN volume_profile.minutes_expected IS
    'over all venues; of them got, without a candle at the exchange (empty), not known';

COMMENT ON COLUMN volume_profile.delta IS 'bought less sold by takers, in the base asset';

ALTER TABLE volume_profile_node
    ADD COLUMN kind text NOT NULL DEFAULT 'document',
    ADD COLUMN share double precision,
    ADD COLUMN survives double precision, ADD COLUMN octaves double precision,
    ADD COLUMN low double precision, ADD COLUMN high double precision,
    ADD COLUMN stability double precision;

ALTER TABLE volume_profile_node ALTER COLUMN density DROP NOT NULL;

ALTER TABLE volume_profile_node DROP CONSTRAINT volume_profile_node_pkey;

ALTER TABLE volume_profile_node ADD PRIMARY KEY (base, day, kind, price);

COMMENT ON COLUMN volume_profile_node.kind IS 'high, low, or document: a peak by the published recipe';

COMMENT ON COLUMN volume_profile_node.survives IS
    'largest bandwidth at which the node is there, in US dollars';

CREATE TABLE volume_profile_venue (
    base text NOT NULL,
    day date NOT NULL,
    market text NOT NULL,
    quote text NOT NULL,
    volume double precision NOT NULL,
    bought double precision NOT NULL,
    taker_share double precision NOT NULL,
    left_out double precision NOT NULL,
    unpriced double precision NOT NULL,
    poc double precision,
    PRIMARY KEY (base, day, market)
);

COMMENT ON COLUMN volume_profile_venue.left_out IS 'volume of the hours in which the venue does not count';

CREATE TABLE composite_level (
    base text NOT NULL,
    day date NOT NULL,
    span text NOT NULL,
    start_time timestamptz NOT NULL,
    end_time timestamptz NOT NULL,
    hours integer NOT NULL,
    poc double precision NOT NULL,
    vah double precision NOT NULL,
    val double precision NOT NULL,
    volume double precision NOT NULL,
    PRIMARY KEY (base, day, span)
);

COMMENT ON TABLE composite_level IS
    'levels of the week, month and year up to and with a day, and of its sessions';

CREATE TABLE naked_poc (
    base text NOT NULL,
    day date NOT NULL,
    poc_day date NOT NULL,
    poc double precision NOT NULL,
    age_days double precision NOT NULL,
    touched timestamptz,
    PRIMARY KEY (base, day, poc_day)
);

COMMENT ON TABLE naked_poc IS
    'points of control of earlier days that nothing had touched before the day; touched: when it did'
"""


def upgrade() -> None:
    """Create the store, add what days have now."""
    for part in (STORE, DAYS):
        for statement in part.split(";\n\n"):
            op.execute(statement)
