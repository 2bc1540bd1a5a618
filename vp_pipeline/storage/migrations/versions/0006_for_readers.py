"""For those who read: bars of hours and days kept beside the minutes, word of every change, a role.

The schema `site` holds what follows from the other tables and is kept up by triggers, whoever writes. Bars
are made anew from their minutes, so that the same minutes give the same bars. `site.change` counts changes by
instrument; a listener of the channel `vp_change` hears the instrument's name when a transaction commits.

The role `vp_reader` may select and nothing else. Where the role that migrates may create none, there is none:
then the site's connections are read-only by their settings alone.
"""

from alembic import op

revision = "0006"
down_revision = "0005"

TABLES = """
CREATE SCHEMA site;

COMMENT ON SCHEMA site IS 'kept up by triggers for those who read; all of it follows from the other tables';

CREATE VIEW site.minute AS
    SELECT aggregate.base, aggregate.open_time,
        coalesce(open * rate.usd, robust_price) AS open, coalesce(high * rate.usd, robust_price) AS high,
        coalesce(low * rate.usd, robust_price) AS low, coalesce(close * rate.usd, robust_price) AS close,
        volume, markets, price_market
    FROM aggregate LEFT JOIN LATERAL (
        SELECT 1::float8 AS usd WHERE price_market LIKE '%/USD'
        UNION ALL SELECT usd FROM quote_rate
        WHERE quote_rate.open_time = aggregate.open_time AND quote = split_part(price_market, '/', 2)
            AND quote <> 'USD'
    ) AS rate ON true;

COMMENT ON VIEW site.minute IS
    'the aggregate with its prices in US dollars; where the lead has none, the price of all venues';

CREATE TABLE site.bar (
    base text NOT NULL,
    length text NOT NULL CHECK (length IN ('hour', 'day')),
    open_time timestamptz NOT NULL,
    open double precision,
    high double precision,
    low double precision,
    close double precision,
    volume double precision NOT NULL,
    minutes integer NOT NULL,
    priced integer NOT NULL,
    PRIMARY KEY (base, length, open_time)
);

COMMENT ON TABLE site.bar IS 'site.minute by UTC hour and day, prices in US dollars';

COMMENT ON COLUMN site.bar.priced IS 'of the minutes those that have a price';

CREATE TABLE site.change (
    base text PRIMARY KEY,
    number bigint NOT NULL,
    changed_at timestamptz NOT NULL
);

COMMENT ON TABLE site.change IS 'how often what is shown of an instrument changed, and when last';

CREATE FUNCTION site.bar_of_minutes(wanted text, first timestamptz, until timestamptz)
    RETURNS TABLE (open float8, high float8, low float8, close float8, volume float8, minutes int, priced int)
    LANGUAGE sql STABLE AS $$
    SELECT (array_agg(open ORDER BY open_time) FILTER (WHERE close IS NOT NULL))[1], max(high), min(low),
        (array_agg(close ORDER BY open_time DESC) FILTER (WHERE close IS NOT NULL))[1],
        sum(volume ORDER BY open_time), count(*)::int, count(close)::int
    FROM site.minute WHERE base = wanted AND open_time >= first AND open_time < until
    HAVING count(*) > 0
$$;

CREATE FUNCTION site.bar_of_hours(wanted text, first timestamptz, until timestamptz)
    RETURNS TABLE (open float8, high float8, low float8, close float8, volume float8, minutes int, priced int)
    LANGUAGE sql STABLE AS $$
    SELECT (array_agg(open ORDER BY open_time) FILTER (WHERE close IS NOT NULL))[1], max(high), min(low),
        (array_agg(close ORDER BY open_time DESC) FILTER (WHERE close IS NOT NULL))[1],
        sum(volume ORDER BY open_time), sum(minutes)::int, sum(priced)::int
    FROM site.bar WHERE base = wanted AND length = 'hour' AND open_time >= first AND open_time < until
    HAVING count(*) > 0
$$;

CREATE FUNCTION site.note_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO site.change (base, number, changed_at)
        SELECT base, 1, clock_timestamp() FROM changed GROUP BY base ORDER BY base
        ON CONFLICT (base) DO UPDATE SET number = change.number + 1, changed_at = excluded.changed_at;
    PERFORM pg_notify('vp_change', base) FROM (SELECT DISTINCT base FROM changed) AS told;
    RETURN NULL;
END
$$;

CREATE FUNCTION site.keep_bars() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    hours timestamptz[];
    days timestamptz[];
    of_base text;
BEGIN
    FOR of_base IN SELECT DISTINCT base FROM changed ORDER BY base LOOP
        SELECT array_agg(DISTINCT date_trunc('hour', open_time, 'UTC')),
            array_agg(DISTINCT date_trunc('day', open_time, 'UTC'))
            INTO hours, days FROM changed WHERE base = of_base;
        DELETE FROM site.bar WHERE base = of_base AND length = 'hour' AND open_time = ANY(hours);
        INSERT INTO site.bar
            SELECT of_base, 'hour', start, made.* FROM unnest(hours) AS start
            CROSS JOIN LATERAL site.bar_of_minutes(of_base, start, start + interval '1 hour') AS made;
        DELETE FROM site.bar WHERE base = of_base AND length = 'day' AND open_time = ANY(days);
        INSERT INTO site.bar
            SELECT of_base, 'day', start, made.* FROM unnest(days) AS start
            CROSS JOIN LATERAL site.bar_of_hours(of_base, start, start + interval '1 day') AS made;
    END LOOP;
    RETURN NULL;
END
$$
"""

# What is stored already.
FILL = """
INSERT INTO site.bar
    SELECT base, 'hour', start, made.* FROM (
        SELECT base, date_trunc('hour', open_time, 'UTC') AS start FROM aggregate GROUP BY 1, 2) AS hour
    CROSS JOIN LATERAL site.bar_of_minutes(base, start, start + interval '1 hour') AS made;

INSERT INTO site.bar
    SELECT base, 'day', start, made.* FROM (
        SELECT base, date_trunc('day', open_time, 'UTC') AS start FROM site.bar GROUP BY 1, 2) AS day
    CROSS JOIN LATERAL site.bar_of_hours(base, start, start + interval '1 day') AS made;

INSERT INTO site.change SELECT base, 1, clock_timestamp() FROM site.bar GROUP BY base
"""

ROLE = """
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'vp_reader') THEN
        BEGIN
            CREATE ROLE vp_reader NOLOGIN;
        EXCEPTION WHEN duplicate_object OR unique_violation THEN
            NULL; -- the migration of another database of this server was faster
        END;
    END IF;
    EXECUTE format('GRANT vp_reader TO %I', current_user);
    GRANT USAGE ON SCHEMA public, site TO vp_reader;
    GRANT SELECT ON ALL TABLES IN SCHEMA public, site TO vp_reader;
    ALTER DEFAULT PRIVILEGES IN SCHEMA public, site GRANT SELECT ON TABLES TO vp_reader;
EXCEPTION WHEN insufficient_privilege THEN
    RAISE NOTICE 'no role vp_reader: the role that migrates may not create it';
END
$$
"""

# Whoever writes meanwhile would have no trigger yet, and be seen by nobody. In the order of a tick.
LOCK = "LOCK TABLE quote_rate, aggregate IN SHARE ROW EXCLUSIVE MODE"

NOTING = ("aggregate", "profile", "volume_profile", "naked_poc")
EVENTS = {"insert": "NEW", "update": "NEW", "delete": "OLD"}


def upgrade() -> None:
    """Create the schema, fill it, set the triggers."""
    op.execute(LOCK)
    for part in (TABLES, FILL):
        for statement in part.split(";\n\n"):
            op.execute(statement)
    for table in NOTING:
        for event, rows in EVENTS.items():
            # In the order of their names: whoever holds an instrument's counter makes its bars alone.
            _trigger(table, f"site_change_{event}", event, rows, "note_change")
            if table == "aggregate":
                _trigger(table, f"site_keep_bars_{event}", event, rows, "keep_bars")
    op.execute(ROLE)


def _trigger(table: str, name: str, event: str, rows: str, function: str) -> None:
    op.execute(
        f"CREATE TRIGGER {name} AFTER {event} ON {table} REFERENCING {rows} TABLE AS changed"
        f" FOR EACH STATEMENT EXECUTE FUNCTION site.{function}()"
    )


def downgrade() -> None:
    """Drop the schema with its triggers; the role stays, as other databases may use it."""
    op.execute("DROP SCHEMA site CASCADE")
