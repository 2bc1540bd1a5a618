"""How Dagster's database grows over years of schedule, with the daily pruning.

    .venv/bin/python benchmarks/growth.py --days 365
    .venv/bin/python benchmarks/growth.py --days 1096 --in-full 60 --pages

Runs the demo, and in it every job once as its schedule would. What Dagster wrote of these runs is then
repeated for every scheduled time of the days until today, with runs, partitions and times of their own, and
each simulated day ends as the asset `maintenance` does. Prints a line every 30 days. With `--pages` the demo
is started again on what came of it, and Dagster's pages are opened in a browser (see `dagster_pages`).

Here belongs what is repeated when, and what has grown; what is pruned is in `vp_pipeline.upkeep.prune`.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster_pages
import figures
import psycopg
from repeated import Connection, Repeater

from vp_pipeline.assets import keys
from vp_pipeline.runtime.dagster_api import DagsterApi
from vp_pipeline.storage import embedded
from vp_pipeline.upkeep import indexes, prune
from vp_pipeline.windows import DAY, HOUR, floor

LOG_DAYS = 30
MONTH_DAYS = 30
# A simulated year is written in minutes, without waiting for the disk; that changes no size.
HURRY = {"fsync": "off", "full_page_writes": "off", "max_wal_size": "4GB"}
# What is old in each of the tables of which something stays.
HISTORY = {
    "event_logs": "timestamp < %(before)s",
    "asset_event_tags": "event_timestamp < %(before)s",
    "runs": "create_timestamp < %(before)s",
    "run_tags": "run_id IN (SELECT run_id FROM runs WHERE create_timestamp < %(before)s)",
}
# Every five minutes the sensor of alerts, and the schedules below.
TICKS_A_DAY = 288 + 96 + 24 + 24 + 3
BYTES_OF_A_TICK = 900


@dataclass(frozen=True)
class Growth:
    """The database after a number of days. Bytes; `history` is what stays of runs older than LOG_DAYS."""

    day: int
    size: int
    history: int
    events: int
    runs: int
    pruned: int
    seconds: float

    @property
    def rest(self) -> int:
        """What is not history: the last LOG_DAYS, what is there from the start, and room to be used again."""
        return self.size - self.history


def launch_all(dagster: DagsterApi) -> dict[str, str]:
    """Every job as its schedule starts it; run ids by name."""
    now = datetime.now(UTC)
    hour, day = floor(now, HOUR) - HOUR, now - DAY
    bars = keys.klines_job_name("5m")
    ranges = {
        "tick": (keys.TICK_JOB, keys.range_tags(hour, hour, keys.HOUR_FORMAT)),
        "tick over two hours": (keys.TICK_JOB, keys.range_tags(hour - HOUR, hour, keys.HOUR_FORMAT)),
        "bars": (bars, keys.range_tags(hour - HOUR, hour, keys.HOUR_FORMAT)),
        "profiles": (keys.PROFILES_JOB, keys.range_tags(day, day, keys.DAY_FORMAT)),
        "profiles of two days": (keys.PROFILES_JOB, keys.range_tags(day - DAY, day, keys.DAY_FORMAT)),
        "sessions": (keys.SESSIONS_JOB, keys.range_tags(day, day, keys.DAY_FORMAT)),
        "reports": (keys.REPORTS_JOB, {}),
        "upkeep": (keys.UPKEEP_JOB, {}),
    }
    found = {}
    for name, (job, tags) in ranges.items():
        found[name] = dagster.launch(job, tags)
        dagster.follow(found[name], lambda _: None)
    return found


def scheduled(day: datetime) -> Iterator[tuple[str, datetime]]:
    """What the schedules start on this day, in order."""
    for hour in range(24):
        moment = day + hour * HOUR
        yield "tick over two hours", moment
        yield "bars", moment + timedelta(minutes=4)
        yield "profiles" if hour else "profiles of two days", moment + timedelta(minutes=6)
        for quarter in (15, 30, 45):
            yield "tick", moment + timedelta(minutes=quarter)
        if hour == 0:
            yield "sessions", moment + timedelta(minutes=50)
            yield "reports", moment + timedelta(minutes=51)
        if hour == 2:
            yield "upkeep", moment + timedelta(minutes=52)


def simulate(
    server: embedded.EmbeddedPostgres, runs: Mapping[str, str], days: int, in_full: int | None = None
) -> list[Growth]:
    """Repeat the days until today, and prune after each; prints and returns the growth by months.

    With `in_full` the days before the last so many have only the runs of which something stays, and are
    pruned once a month.
    """
    url = server.url("dagster")
    found: list[Growth] = []
    with psycopg.connect(url, autocommit=True) as connection:
        for setting, value in HURRY.items():
            connection.execute(f"ALTER SYSTEM SET {setting} = '{value}'".encode())
        connection.execute("SELECT pg_reload_conf()")
        repeater = Repeater(connection, runs)
        start = floor(datetime.now(UTC), DAY) - days * DAY
        print(
            f"A tick of {repeater.templates['tick'].rows}; a day prunes what is older than {LOG_DAYS} days.\n"
        )
        print(
            "| day | database, MB | history, MB | the rest, MB | events | runs | pruned that day | prune, s |"
        )
        print("|---:|---:|---:|---:|---:|---:|---:|---:|")
        for number in range(1, days + 1):
            day = start + number * DAY
            is_full = in_full is None or number > days - in_full
            repeater.repeat([run for run in scheduled(day - DAY) if is_full or run[0] != "tick"])
            _repeat_ticks(connection, day - DAY)
            if not is_full and number % MONTH_DAYS:
                continue
            began = time.perf_counter()
            first_hour = ((day - DAY).replace(day=1) - DAY).replace(day=1)
            deleted = sum(prune.prune(url, day - timedelta(days=LOG_DAYS), first_hour).values())
            prune.vacuum(url)
            indexes.rebuild(url)
            seconds = time.perf_counter() - began
            if number % MONTH_DAYS == 0 or number == days:
                one = measured(connection, number, day - timedelta(days=LOG_DAYS), deleted, seconds)
                found.append(one)
                print(
                    f"| {one.day} | {one.size / 1e6:.0f} | {one.history / 1e6:.0f} | {one.rest / 1e6:.0f}"
                    f" | {one.events:,} | {one.runs:,} | {one.pruned:,} | {one.seconds:.1f} |",
                    flush=True,
                )
        repeater.finish()
        for setting in HURRY:
            connection.execute(f"ALTER SYSTEM RESET {setting}".encode())
        sizes = prune.sizes(url, 8)[1]
    print("\nAt the end: " + ", ".join(f"{table} {size / 1e6:.0f} MB" for table, size in sizes.items()))
    return found


def measured(connection: Connection, day: int, before: datetime, pruned: int, seconds: float) -> Growth:
    """The database as it is. Indexes count as history by its share of a table's rows."""
    moment = before.replace(tzinfo=None)
    history = 0
    for table, old in HISTORY.items():
        # A row has 4 bytes beside itself; pg_column_size counts its header.
        (kept,) = _row(
            connection,
            f"SELECT coalesce(sum(pg_column_size(t.*) + 4) FILTER (WHERE old), 0)"
            f" + coalesce(pg_indexes_size('{table}') * count(*) FILTER (WHERE old) / nullif(count(*), 0), 0)"
            f" FROM (SELECT *, {old} AS old FROM {table}) t",
            {"before": moment},
        )
        history += int(kept)
    size, events, made = _row(
        connection,
        "SELECT pg_database_size(current_database()), (SELECT count(*) FROM event_logs),"
        " (SELECT count(*) FROM runs)",
        {},
    )
    return Growth(day, int(size), history, int(events), int(made), pruned, seconds)


def conclusion(found: list[Growth]) -> str:
    """What grows, a month, and whether the rest levels off."""
    settled = [one for one in found if one.day >= 2 * LOG_DAYS]
    if len(settled) < 2:
        return f"Too few days to tell what levels off: at least {3 * MONTH_DAYS} are needed."
    first, last = settled[0], settled[-1]
    months = (last.day - first.day) / MONTH_DAYS
    history, rest = ((getattr(last, name) - getattr(first, name)) / months for name in ("history", "rest"))
    return (
        f"From day {first.day} on: history {history / 1e6:+.2f} MB a month, which is by design; the rest"
        f" {rest / 1e6:+.2f} MB a month, between {min(one.rest for one in settled) / 1e6:.0f} and"
        f" {max(one.rest for one in settled) / 1e6:.0f} MB."
    )


def _repeat_ticks(connection: Connection, day: datetime) -> None:
    """What Dagster's daemon writes of each evaluation of a schedule or sensor."""
    connection.execute(
        "INSERT INTO job_ticks (job_origin_id, selector_id, status, type, timestamp, tick_body,"
        " create_timestamp, update_timestamp) SELECT 'alerts', 'alerts', 'SKIPPED', 'SENSOR', %s,"
        " repeat('x', %s), %s, %s FROM generate_series(1, %s)",
        [day.replace(tzinfo=None), BYTES_OF_A_TICK, *[day.replace(tzinfo=None)] * 2, TICKS_A_DAY],
    )


def _row(connection: Connection, query: str, values: Mapping[str, object]) -> tuple[Any, ...]:
    row = connection.execute(query.encode(), values).fetchone()
    if row is None:
        raise RuntimeError(f"no row from {query}")
    return row


def main() -> None:
    """Simulate, print, and open pages if asked to."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument(
        "--in-full", type=int, metavar="DAYS", help="only so many days at the end have all their runs"
    )
    parser.add_argument("--pages", action="store_true", help="then open Dagster's pages in a browser")
    parser.add_argument(
        "--folder", type=Path, help="where to leave the installation; by default nothing is left"
    )
    arguments = parser.parse_args()
    kept = (
        nullcontext(arguments.folder)
        if arguments.folder
        else tempfile.TemporaryDirectory(prefix="vp-growth-")
    )
    with kept as given:
        folder = Path(given).resolve()
        folder.mkdir(exist_ok=True)
        home = folder / "home"
        own = {name: value for name, value in os.environ.items() if not name.startswith("VP_")}
        environment = {**own, "VP_HOME": str(home), "COLUMNS": "120"}
        with figures.running(environment, folder / "demo.log") as (dagster, _):
            runs = launch_all(DagsterApi(dagster))
            if arguments.pages:
                dagster_pages.report(home, "of a new installation")
        server = embedded.start(home / "postgres")
        try:
            print(conclusion(simulate(server, runs, arguments.days, arguments.in_full)))
        finally:
            server.stop()
        if arguments.pages:
            with figures.running(environment, folder / "demo.log"):
                dagster_pages.report(home, f"after {arguments.days} days")


if __name__ == "__main__":
    main()
