"""The function that acts as the tables' owner serves the table `market` alone, and takes only numbers.

Whoever may execute a trigger function can set it on a table of his own, with columns of his own.
"""

from alembic import op

revision = "0009"
down_revision = "0008"

FUNCTION = """
CREATE OR REPLACE FUNCTION make_candle_partition() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    number smallint;
BEGIN
    IF TG_RELID <> 'public.market'::regclass THEN
        RAISE insufficient_privilege USING MESSAGE = 'make_candle_partition() is for the table market alone';
    END IF;
    number := NEW.market_id;
    -- Attached, not created in place: that would wait for everybody who reads candles.
    EXECUTE format('CREATE TABLE public.candle_%s (LIKE public.candle INCLUDING ALL)', number);
    EXECUTE format('ALTER TABLE public.candle ATTACH PARTITION public.candle_%s FOR VALUES IN (%s)',
        number, number);
    RETURN NULL;
END $$
"""

BEFORE = """
CREATE OR REPLACE FUNCTION make_candle_partition() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_catalog, pg_temp AS $$
BEGIN
    -- Attached, not created in place: that would wait for everybody who reads candles.
    EXECUTE format('CREATE TABLE candle_%s (LIKE candle INCLUDING ALL)', NEW.market_id);
    EXECUTE format('ALTER TABLE candle ATTACH PARTITION candle_%s FOR VALUES IN (%s)',
        NEW.market_id, NEW.market_id);
    RETURN NULL;
END $$
"""


def upgrade() -> None:
    """Replace the function; a trigger that is set already needs nobody's right to execute it."""
    op.execute(FUNCTION)
    op.execute("REVOKE EXECUTE ON FUNCTION make_candle_partition() FROM PUBLIC")


def downgrade() -> None:
    """Put the former one back."""
    op.execute(BEFORE)
    op.execute("GRANT EXECUTE ON FUNCTION make_candle_partition() TO PUBLIC")
