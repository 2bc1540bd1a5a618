"""Keeping Dagster's database from growing without end.

Here belongs which of its rows go, and when. What tells that a partition was made stays for good: the newest
materialization of every partition, and every one of an asset without partitions. What goes, once it is old:
logs and events of runs, materializations of partitions that were made again since, results of checks that
were judged again since, whatever their partition, ticks, and runs of which nothing is left. A run is never
deleted before its rows.

The tables are Dagster's own. Their columns are those of its 1.13; a test prunes what Dagster itself wrote.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, LiteralString

import psycopg
from psycopg import sql

from vp_pipeline.storage.address import plain

_ENOUGH_DEAD_ROWS = 1000

_CHECK_RESULTS: LiteralString = """
WITH newest AS (
    SELECT asset_key, check_name, max(id) AS id FROM asset_check_executions
    WHERE execution_status <> 'PLANNED' GROUP BY 1, 2)
DELETE FROM asset_check_executions old USING newest
WHERE old.create_timestamp < %(before)s AND old.id < newest.id AND old.asset_key = newest.asset_key
AND old.check_name = newest.check_name RETURNING old.run_id"""
# The last events of the newest runs that are old enough. What is older by its time and not by its id, since
# clocks go wrong, waits for another day.
_NEWEST_OLD: LiteralString = """
SELECT max(id) FROM event_logs WHERE run_id IN (
    SELECT run_id FROM runs WHERE update_timestamp < %(before)s ORDER BY id DESC LIMIT 20)"""
# Which events may go. They are found in Dagster's indexes alone, or every day would read all that stays.
_EVENTS: dict[str, LiteralString] = {
    "log rows": """
WITH RECURSIVE kinds (kind) AS (
    SELECT min(dagster_event_type) FROM event_logs
    UNION ALL
    SELECT (SELECT min(dagster_event_type) FROM event_logs WHERE dagster_event_type > kind) FROM kinds
    WHERE kind IS NOT NULL)
SELECT id FROM event_logs WHERE dagster_event_type IS NULL AND id <= %(last)s
UNION ALL
SELECT id FROM kinds JOIN event_logs ON dagster_event_type = kind AND id <= %(last)s WHERE kind NOT IN
('ASSET_MATERIALIZATION', 'ASSET_OBSERVATION', 'ASSET_WIPED', 'ASSET_CHECK_EVALUATION')""",
    "superseded materializations": """
SELECT id FROM (
    SELECT id, lead(id) OVER (PARTITION BY asset_key, dagster_event_type, partition ORDER BY id) AS newer
    FROM event_logs WHERE asset_key IS NOT NULL AND partition IS NOT NULL
    AND dagster_event_type IN ('ASSET_MATERIALIZATION', 'ASSET_OBSERVATION')) AS made
WHERE newer IS NOT NULL AND id <= %(last)s""",
    "check events": """
SELECT id FROM event_logs WHERE dagster_event_type = 'ASSET_CHECK_EVALUATION' AND id <= %(last)s
AND id NOT IN (
    SELECT evaluation_event_storage_id FROM asset_check_executions
    WHERE evaluation_event_storage_id IS NOT NULL)""",
}
# A materialization stays, and says itself of which partition it is. Dagster's column is what its pages look
# through for partitions, parsing each key, valid or not: hours and days that are no keys any more leave it.
_OVER: LiteralString = r"""
SELECT id FROM event_logs WHERE asset_key IS NOT NULL AND partition IS NOT NULL AND id <= %(last)s
AND dagster_event_type IN ('ASSET_MATERIALIZATION', 'ASSET_OBSERVATION')
AND partition < %(first_day)s AND partition ~ '^\d{4}-\d\d-\d\d'"""
_LEAVE: LiteralString = (
    "UPDATE event_logs SET partition = NULL WHERE id = ANY(%(ids)s) AND timestamp < %(before)s"
)
_DELETE: LiteralString = """
DELETE FROM event_logs WHERE id = ANY(%(ids)s) AND timestamp < %(before)s
AND run_id NOT IN (SELECT run_id FROM runs WHERE status NOT IN ('SUCCESS', 'FAILURE', 'CANCELED'))
RETURNING id, run_id"""
# Of those alone that have lost something: there are years of runs that have not.
_RUNS: LiteralString = """
DELETE FROM runs WHERE run_id = ANY(%(runs)s)
AND update_timestamp < %(before)s AND status IN ('SUCCESS', 'FAILURE', 'CANCELED')
AND NOT EXISTS (SELECT 1 FROM event_logs WHERE event_logs.run_id = runs.run_id)
AND NOT EXISTS (SELECT 1 FROM asset_check_executions old WHERE old.run_id = runs.run_id)"""
_TAGS: LiteralString = "DELETE FROM asset_event_tags WHERE event_id = ANY(%(ids)s)"
_TICKS: LiteralString = "DELETE FROM job_ticks WHERE timestamp < %(before)s AND status <> 'STARTED'"


def prune(dagster_url: str, before: datetime, first_hour: datetime) -> dict[str, int]:
    """Delete what is older than `before` and said by nothing that stays; rows deleted, by kind.

    `first_hour`: the first of the live partitions. What is kept of hours and days before it is no longer
    looked for by partition; this is counted too, as "partitions that are over".
    """
    values = {"before": before.astimezone(UTC).replace(tzinfo=None)}
    with psycopg.connect(plain(dagster_url), application_name="vp maintenance") as connection:
        (last,) = connection.execute(_NEWEST_OLD, values).fetchone() or (None,)
        # In this order: what a later statement asks about is deleted by an earlier one.
        results = connection.execute(_CHECK_RESULTS, values).fetchall()
        deleted = {"check results": len(results)}
        runs = {run for (run,) in results}
        for kind, statement in _EVENTS.items():
            ids = _ids(connection.execute(statement, {"last": last}))
            gone = connection.execute(_DELETE, {**values, "ids": ids}).fetchall()
            deleted[kind] = len(gone)
            runs |= {run for _, run in gone}
            connection.execute(_TAGS, {"ids": [number for number, _ in gone]})
        first_day = f"{first_hour.astimezone(UTC):%Y-%m-%d}"
        ids = _ids(connection.execute(_OVER, {"last": last, "first_day": first_day}))
        deleted["partitions that are over"] = connection.execute(_LEAVE, {**values, "ids": ids}).rowcount
        deleted["ticks"] = connection.execute(_TICKS, values).rowcount
        deleted["runs"] = connection.execute(_RUNS, {**values, "runs": list(runs)}).rowcount
    return deleted


def _ids(rows: psycopg.Cursor[tuple[Any, ...]]) -> list[int]:
    return [number for (number,) in rows]


def vacuum(url: str) -> list[str]:
    """Make the room of deleted rows usable again, in tables with many of them; their names."""
    with psycopg.connect(plain(url), autocommit=True, application_name="vp maintenance") as connection:
        # The counts of this session's own deletions are reported with a delay.
        connection.execute("SELECT pg_stat_force_next_flush()")
        names = connection.execute(
            "SELECT relname FROM pg_stat_user_tables WHERE n_dead_tup >= %s ORDER BY 1", [_ENOUGH_DEAD_ROWS]
        ).fetchall()
        for (name,) in names:
            # Statistics are left to autovacuum, which makes them after every tenth of a table has changed:
            # every day they would be a read of 30,000 pages all over the card.
            connection.execute(sql.SQL("VACUUM {}").format(sql.Identifier(name)))
    return [str(name) for (name,) in names]


def sizes(url: str, largest: int = 5) -> tuple[int, Mapping[str, int]]:
    """Bytes of the database, and of its largest tables with their indexes; partitions count as one."""
    with psycopg.connect(plain(url), application_name="vp maintenance") as connection:
        row = connection.execute("SELECT pg_database_size(current_database())").fetchone()
        tables = connection.execute(
            "SELECT coalesce(inhparent, oid)::regclass::text, sum(pg_total_relation_size(oid))::bigint"
            " FROM pg_class LEFT JOIN pg_inherits ON inhrelid = oid"
            " WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
            " GROUP BY 1 ORDER BY 2 DESC LIMIT %s",
            [largest],
        ).fetchall()
    return int(row[0]) if row else 0, {str(name): int(size) for name, size in tables}
