"""How Dagster's database grows over months of schedule, with the daily pruning.

    .venv/bin/python benchmarks/growth.py --days 120

Runs the demo, and in it every job once as its schedule would. What Dagster wrote of these runs is then
repeated for every scheduled time of the days to come, with runs, partitions and times of their own, and each
simulated day ends with the real `prune` and `vacuum`. Prints a line every 30 days.

Here belongs the repetition; what is pruned is in `vp_pipeline.upkeep.prune`.
"""

import argparse
import json
import os
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import figures
import psycopg
from psycopg import sql

from vp_pipeline.assets import keys
from vp_pipeline.runtime.dagster_api import DagsterApi
from vp_pipeline.storage import embedded
from vp_pipeline.upkeep import prune
from vp_pipeline.windows import HOUR, floor

LOG_DAYS = 30
TABLES = ("runs", "event_logs", "run_tags", "asset_event_tags", "asset_check_executions")
TIMES = ("create_timestamp", "update_timestamp", "timestamp", "event_timestamp", "evaluation_event_timestamp")
SENSOR_TICKS_A_DAY = 288

Connection = psycopg.Connection[tuple[Any, ...]]
Row = dict[str, Any]


@dataclass(frozen=True)
class Template:
    """What one run left in each table. `partitions` are those it made, `moment` when it was launched."""

    run_id: str
    partitions: tuple[str, ...]
    rows: dict[str, list[Row]]


def launch_all(dagster: DagsterApi) -> dict[str, str]:
    """Every job as its schedule starts it; run ids by name."""
    now = datetime.now(UTC)
    hour, day = floor(now, HOUR) - HOUR, now - timedelta(days=1)
    bars = keys.klines_job_name("5m")
    ranges = {
        "tick": (keys.TICK_JOB, keys.range_tags(hour, hour, keys.HOUR_FORMAT)),
        "tick over two hours": (keys.TICK_JOB, keys.range_tags(hour - HOUR, hour, keys.HOUR_FORMAT)),
        "bars": (bars, keys.range_tags(hour - HOUR, hour, keys.HOUR_FORMAT)),
        "profiles": (keys.PROFILES_JOB, keys.range_tags(day, day, keys.DAY_FORMAT)),
        "sessions": (keys.SESSIONS_JOB, keys.range_tags(day, day, keys.DAY_FORMAT)),
        "reports": (keys.REPORTS_JOB, {}),
        "upkeep": (keys.UPKEEP_JOB, {}),
    }
    found = {}
    for name, (job, tags) in ranges.items():
        found[name] = dagster.launch(job, tags)
        dagster.follow(found[name], lambda _: None)
    return found


def template(connection: Connection, run_id: str) -> Template:
    """What this run left."""
    rows = {table: _rows(connection, table, run_id) for table in TABLES}
    names = {row["partition"] for row in rows["event_logs"] if row["partition"]}
    return Template(run_id, tuple(sorted(names)), rows)


def _rows(connection: Connection, table: str, run_id: str) -> list[Row]:
    where = "event_id IN (SELECT id FROM event_logs WHERE run_id = %s)"
    condition = where if table == "asset_event_tags" else "run_id = %s"
    query = f"SELECT * FROM {table} WHERE {condition} ORDER BY id"
    cursor = connection.execute(query.encode(), [run_id])
    names = [column.name for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def scheduled(day: datetime) -> Iterator[tuple[str, datetime]]:
    """What the schedules start on this day."""
    for quarter in range(96):
        yield ("tick over two hours" if quarter % 4 == 0 else "tick"), day + quarter * timedelta(minutes=15)
    for hour in range(24):
        yield "bars", day + timedelta(hours=hour, minutes=4)
        yield "profiles", day + timedelta(hours=hour, minutes=6)
    for name in ("sessions", "reports", "upkeep"):
        yield name, day + timedelta(minutes=15)


class Repeater:
    """Writes templates again, at other times."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._next = {table: self._first(table) for table in TABLES}

    def _first(self, table: str) -> int:
        row = self._connection.execute(f"SELECT coalesce(max(id), 0) + 1 FROM {table}".encode()).fetchone()
        return int(row[0]) if row else 1

    def repeat(self, runs: Sequence[tuple[Template, datetime]]) -> None:
        """All runs of a day, in one transaction."""
        made: dict[str, list[Row]] = {table: [] for table in TABLES}
        for source, moment in runs:
            for table, rows in self._copies(source, moment).items():
                made[table] += rows
        with self._connection.transaction():
            for table, rows in made.items():
                self._copy(table, rows)

    def _copies(self, source: Template, moment: datetime) -> dict[str, list[Row]]:
        new_run, stamp = str(uuid.uuid4()), moment.replace(tzinfo=None)
        changes = {source.run_id: new_run, **_partitions(source.partitions, moment)}
        ids: dict[int, int] = {}
        copies: dict[str, list[Row]] = {}
        for table in TABLES:
            copies[table] = []
            for row in source.rows[table]:
                copy = {name: _changed(value, changes) for name, value in row.items()}
                copy |= {name: stamp for name in TIMES if row.get(name) is not None}
                copy["id"] = self._next[table]
                self._next[table] += 1
                if table == "event_logs":
                    ids[row["id"]] = copy["id"]
                for name in ("event_id", "evaluation_event_storage_id", "materialization_event_storage_id"):
                    if row.get(name) is not None:
                        copy[name] = ids.get(row[name], row[name])
                copies[table].append(copy)
        return copies

    def _copy(self, table: str, rows: list[Row]) -> None:
        if not rows:
            return
        names = list(rows[0])
        command = sql.SQL("COPY {} ({}) FROM STDIN").format(
            sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, names))
        )
        with self._connection.cursor().copy(command) as copy:
            for row in rows:
                copy.write_row([row[name] for name in names])


def _partitions(names: Sequence[str], moment: datetime) -> dict[str, str]:
    """The same partitions, counted back from another moment."""
    if not names:
        return {}
    hourly = len(names[-1]) > len("2026-01-01")
    step, form = (HOUR, keys.HOUR_FORMAT) if hourly else (timedelta(days=1), keys.DAY_FORMAT)
    new = [(moment - back * step).strftime(form) for back in range(len(names))]
    return dict(zip(reversed(names), new, strict=True))


def _changed(value: Any, changes: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return json.dumps(value)
    if not isinstance(value, str):
        return value
    for old in changes:
        value = value.replace(old, f"\x00{old[::-1]}\x00")
    for old, new in changes.items():
        value = value.replace(f"\x00{old[::-1]}\x00", new)
    return value


def simulate(server: embedded.EmbeddedPostgres, runs: dict[str, str], days: int) -> None:
    """Repeat, prune, print."""
    url = server.url("dagster")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SET synchronous_commit = off")
        templates = {name: template(connection, run_id) for name, run_id in runs.items()}
        repeater = Repeater(connection)
        start = floor(datetime.now(UTC), timedelta(days=1)) + timedelta(days=1)
        print(f"rows of a tick: {len(templates['tick'].rows['event_logs'])} events\n")
        print("| day | database, MB | growth in 30 days, MB | events | runs | pruned that day | prune, s |")
        print("|---:|---:|---:|---:|---:|---:|---:|")
        before = prune.sizes(url)[0]
        for number in range(days):
            day = start + timedelta(days=number)
            repeater.repeat([(templates[name], moment) for name, moment in scheduled(day)])
            connection.execute(
                "INSERT INTO job_ticks (job_origin_id, selector_id, status, type, timestamp, tick_body,"
                " create_timestamp, update_timestamp) SELECT 'alerts', 'alerts', 'SKIPPED', 'SENSOR', %s,"
                " repeat('x', 900), %s, %s FROM generate_series(1, %s)",
                [day.replace(tzinfo=None)] * 3 + [SENSOR_TICKS_A_DAY],
            )
            began = time.perf_counter()
            deleted = sum(prune.prune(url, day - timedelta(days=LOG_DAYS)).values())
            prune.vacuum(url)
            took = time.perf_counter() - began
            if (number + 1) % 30 == 0:
                size = prune.sizes(url)[0]
                row = connection.execute(
                    "SELECT (SELECT count(*) FROM event_logs), (SELECT count(*) FROM runs)"
                ).fetchone() or (0, 0)
                growth = (size - before) / 1e6
                print(
                    f"| {number + 1} | {size / 1e6:.0f} | {growth:.1f} | {row[0]:,} | {row[1]:,}"
                    f" | {deleted:,} | {took:.1f} |",
                    flush=True,
                )
                before = size


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--days", type=int, default=120)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="vp-growth-") as folder:
        home = Path(folder).resolve() / "home"
        kept = {name: value for name, value in os.environ.items() if not name.startswith("VP_")}
        environment = {**kept, "VP_HOME": str(home), "COLUMNS": "120"}
        with figures.running(environment, Path(folder) / "demo.log") as (dagster, _):
            runs = launch_all(DagsterApi(dagster))
        server = embedded.start(home / "postgres")
        try:
            simulate(server, runs, arguments.days)
        finally:
            server.stop()


if __name__ == "__main__":
    main()
