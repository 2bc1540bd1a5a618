"""The judgement at the end: that the database holds together.

Here belong duplicates, orphans, what is computed from the candles, and the artifacts' checksums. The candles
themselves are for `judge`.
"""

from dataclasses import dataclass, field

import psycopg
from psycopg import sql

from vp_pipeline.assets import aggregate_run, hour_profiles_run
from vp_pipeline.storage import artifacts, stale
from vp_pipeline.storage.connection import transaction
from vp_pipeline.storage.tables import TABLES
from vp_pipeline.windows import HOUR, Window, ceil, floor
from vp_pipeline_tests.soak.world import World

Connection = psycopg.Connection[tuple[object, ...]]

_BASE = "BTC"
# What must bring no row. Runs of the ledger are disjoint; nothing points at what is not there.
_NO_ROWS = {
    "runs of the ledger overlap": """
        SELECT FROM (SELECT end_time, lead(start_time) OVER (PARTITION BY market_id ORDER BY start_time)
            AS next FROM coverage_run) AS run WHERE next < end_time
    """,
    "candles of minutes that the ledger does not call got": """
        SELECT FROM candle WHERE NOT provisional AND NOT EXISTS (SELECT FROM coverage_run AS run
            WHERE run.market_id = candle.market_id AND state = 'got'
            AND start_time <= open_time AND open_time < end_time)
    """,
    "artifacts without the part they share": """
        SELECT FROM artifact LEFT JOIN artifact_include ON artifact_include.sha256 = include_sha256
        WHERE include_sha256 IS NOT NULL AND artifact_include.sha256 IS NULL
    """,
    "sessions left open": """
        SELECT FROM pg_stat_activity WHERE application_name = 'vp' AND pid <> pg_backend_pid()
    """,
    "transactions left prepared": "SELECT FROM pg_prepared_xacts",
    "bars of the site that are not what their minutes or hours give": """
        WITH made AS (
            SELECT base, 'hour' AS length, start, bar.* FROM (
                SELECT DISTINCT base, date_trunc('hour', open_time, 'UTC') AS start FROM aggregate) AS hour
            CROSS JOIN LATERAL site.bar_of_minutes(base, start, start + interval '1 hour') AS bar
            UNION ALL
            SELECT base, 'day', start, bar.* FROM (
                SELECT DISTINCT base, date_trunc('day', open_time, 'UTC') AS start FROM aggregate) AS day
            CROSS JOIN LATERAL site.bar_of_hours(base, start, start + interval '1 day') AS bar)
        (TABLE made EXCEPT TABLE site.bar) UNION ALL (TABLE site.bar EXCEPT TABLE made)
    """,
}


@dataclass
class Soundness:
    """What was found; `problems` in words."""

    duplicates: int = 0
    artifacts: int = 0
    problems: list[str] = field(default_factory=list)


def examine(world: World, window: Window) -> Soundness:
    """Look through the whole database; computed hours are made once more for the window."""
    found = Soundness()
    with psycopg.connect(world.url, application_name="soak") as connection:
        # The tables are read and not their indexes, which may be what is broken.
        connection.execute("SET enable_indexscan = off")
        connection.execute("SET enable_indexonlyscan = off")
        connection.execute("SET enable_bitmapscan = off")
        for name, table in TABLES.items():
            twice = _count(
                connection,
                sql.SQL("SELECT FROM {} GROUP BY {} HAVING count(*) > 1").format(
                    sql.Identifier(name), sql.SQL(", ").join(map(sql.Identifier, table.key))
                ),
            )
            found.duplicates += twice
            if twice:
                found.problems.append(f"{twice} keys of {name} are there more than once")
        connection.execute("RESET ALL")
        for what, query in _NO_ROWS.items():
            count = _count(connection, sql.SQL(query))
            if count:
                found.problems.append(f"{count} {what}")
    _computed(world, window, found)
    _artifacts(world, found)
    return found


def _computed(world: World, window: Window, found: Soundness) -> None:
    """What was computed from the candles is what they give now, and nothing waits to be computed."""
    with transaction(world.url) as connection:
        for consumer in (stale.AGGREGATE, stale.PROFILE_HOURS):
            waiting = [hour for hour in stale.pending(connection, consumer, _BASE) if hour in window]
            if waiting:
                found.problems.append(f"{len(waiting)} hours still wait for {consumer}, first {waiting[0]}")
    hours = Window(floor(window.start, HOUR), ceil(window.end, HOUR))
    made = {"aggregate": aggregate_run.recompute, "hours' profiles": hour_profiles_run.recompute}
    for name, recompute in made.items():
        changed = recompute(world.url, world.settings, _BASE, hours)
        if changed:
            found.problems.append(f"{len(changed)} hours of the {name} were not made of the candles")


def _artifacts(world: World, found: Soundness) -> None:
    with transaction(world.url) as connection:
        for artifact in artifacts.listing(connection):
            found.artifacts += 1
            try:
                artifacts.content(connection, artifact.name, artifact.partition)
            except artifacts.ArtifactError as error:
                found.problems.append(str(error))


def _count(connection: Connection, query: sql.Composable) -> int:
    row = connection.execute(sql.SQL("SELECT count(*) FROM ({}) AS found").format(query)).fetchone()
    return int(str(row[0])) if row else 0
