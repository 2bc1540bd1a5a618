"""Keeping Dagster's database from growing without end.

Here belongs which of its rows go, and when. What tells that a partition was made stays for good: the newest
materialization of every partition, and every one of an asset without partitions. What goes, once it is old:
logs and events of runs, materializations of partitions that were made again since, results of checks that
were judged again since, whatever their partition, ticks, and runs of which nothing is left. A run is never
deleted before its rows.

The tables are Dagster's own. Their columns are those of its 1.13; a test prunes what Dagster itself wrote.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import LiteralString

import psycopg
from psycopg import sql

from vp_pipeline.storage.connection import Connection
from vp_pipeline.upkeep.servers import plain

# Rows looked at in one transaction: short, so that nobody waits for it.
_BATCH = 20_000
_ENOUGH_DEAD_ROWS = 1000

_BY_ID: dict[str, LiteralString] = {
    "log rows": """
DELETE FROM event_logs WHERE id BETWEEN %(first)s AND %(last)s AND timestamp < %(before)s
AND coalesce(dagster_event_type, '') NOT IN
    ('ASSET_MATERIALIZATION', 'ASSET_OBSERVATION', 'ASSET_WIPED', 'ASSET_CHECK_EVALUATION')
AND run_id NOT IN (SELECT run_id FROM runs WHERE status NOT IN ('SUCCESS', 'FAILURE', 'CANCELED'))""",
    "superseded materializations": """
DELETE FROM event_logs old WHERE id BETWEEN %(first)s AND %(last)s AND timestamp < %(before)s
AND dagster_event_type IN ('ASSET_MATERIALIZATION', 'ASSET_OBSERVATION') AND EXISTS (
    SELECT 1 FROM event_logs newer WHERE newer.asset_key = old.asset_key AND newer.partition = old.partition
    AND newer.dagster_event_type = old.dagster_event_type AND newer.id > old.id)""",
    "check events": """
DELETE FROM event_logs WHERE id BETWEEN %(first)s AND %(last)s AND timestamp < %(before)s
AND dagster_event_type = 'ASSET_CHECK_EVALUATION'
AND id NOT IN (
    SELECT evaluation_event_storage_id FROM asset_check_executions
    WHERE evaluation_event_storage_id BETWEEN %(first)s AND %(last)s)""",
}
# In this order: what a later statement asks about is deleted by an earlier one.
_FIRST: dict[str, LiteralString] = {
    "check results": """
WITH newest AS (
    SELECT asset_key, check_name, max(id) AS id FROM asset_check_executions
    WHERE execution_status <> 'PLANNED' GROUP BY 1, 2)
DELETE FROM asset_check_executions old USING newest
WHERE old.create_timestamp < %(before)s AND old.id < newest.id AND old.asset_key = newest.asset_key
AND old.check_name = newest.check_name""",
}
_LAST: dict[str, LiteralString] = {
    "event tags": """
DELETE FROM asset_event_tags tag WHERE event_timestamp < %(before)s
AND NOT EXISTS (SELECT 1 FROM event_logs WHERE id = tag.event_id)""",
    "ticks": "DELETE FROM job_ticks WHERE timestamp < %(before)s AND status <> 'STARTED'",
    "runs": """
DELETE FROM runs WHERE update_timestamp < %(before)s AND status IN ('SUCCESS', 'FAILURE', 'CANCELED')
AND NOT EXISTS (SELECT 1 FROM event_logs WHERE event_logs.run_id = runs.run_id)
AND NOT EXISTS (SELECT 1 FROM asset_check_executions old WHERE old.run_id = runs.run_id)""",
}


def prune(dagster_url: str, before: datetime) -> dict[str, int]:
    """Delete what is older than `before` and said by nothing that stays; rows deleted, by kind."""
    moment = before.astimezone(UTC).replace(tzinfo=None)
    deleted = {}
    with psycopg.connect(
        plain(dagster_url), autocommit=True, application_name="vp maintenance"
    ) as connection:
        for kind, statement in _FIRST.items():
            deleted[kind] = connection.execute(statement, {"before": moment}).rowcount
        for kind, statement in _BY_ID.items():
            deleted[kind] = sum(
                connection.execute(statement, {"before": moment, "first": first, "last": last}).rowcount
                for first, last in _id_ranges(connection)
            )
        for kind, statement in _LAST.items():
            deleted[kind] = connection.execute(statement, {"before": moment}).rowcount
    return deleted


def vacuum(url: str) -> list[str]:
    """Make the room of deleted rows usable again, in tables with many of them; their names."""
    with psycopg.connect(plain(url), autocommit=True, application_name="vp maintenance") as connection:
        # The counts of this session's own deletions are reported with a delay.
        connection.execute("SELECT pg_stat_force_next_flush()")
        names = connection.execute(
            "SELECT relname FROM pg_stat_user_tables WHERE n_dead_tup >= %s ORDER BY 1", [_ENOUGH_DEAD_ROWS]
        ).fetchall()
        for (name,) in names:
            connection.execute(sql.SQL("VACUUM (ANALYZE) {}").format(sql.Identifier(name)))
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


def _id_ranges(connection: Connection) -> Iterator[tuple[int, int]]:
    row = connection.execute("SELECT coalesce(min(id), 1), coalesce(max(id), 0) FROM event_logs").fetchone()
    first, last = row or (1, 0)
    return ((start, start + _BATCH - 1) for start in range(first, last + 1, _BATCH))
