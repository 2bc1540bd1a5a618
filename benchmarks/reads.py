"""Reading candles from Postgres: our way against the first document's and plain psycopg2, time and memory.

- The last 4 hours of all 11 markets, against the document's SELECT of the whole table with fetchall.
- A year of one market, with the columns that the document has, against psycopg2's fetchall of the same
  rows from the same table.
- A year with all columns, and all that is stored of a market in blocks, for their memory.
- The limit of both: the server's binary COPY of the same rows, whose bytes are thrown away.

Each is read in a process of its own, which connects, reads a minute to warm up, and then tells its median
time and by how much its memory peaked above what it had before (resident, as the kernel counts it). The
database is in the page cache, as far as it fits. A year needs 525,600 minutes a market, so 6 million rows:
with fewer the year is what there is. Each process takes turns of its own: all ways are measured one after the
other in one run, on the same tables.

Run it with `python benchmarks/reads.py [--rows N] [--runs N]`. Of 10 million rows the document's way needs
about 8 GB.
"""

import argparse
import multiprocessing
import re
import resource
import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import psycopg
import psycopg2
from claims import Ratio, tell
from made_up import COLUMNS, MARKETS, START, database, fill, minutes

from vp_pipeline.storage import candles
from vp_pipeline.windows import DAY, HOUR, MINUTE, Window

YEAR = 365 * DAY
GOAL_ROWS, GOAL_HOURS, GOAL_YEAR, MOST_MEMORY = 9_000_000, 10_000.0, 7.0, 100e6
_STATUS = Path("/proc/self/status")


@dataclass(frozen=True)
class Reading:
    rows: int
    seconds: float
    bytes: float


@dataclass(frozen=True)
class Task:
    """What a process reads: `way` is a key of `WAYS`."""

    way: str
    url: str
    numbers: tuple[int, ...]
    end: int
    runs: int

    def last(self, length: timedelta) -> Window:
        """The newest part of what is stored."""
        window = minutes(0, self.end)
        return Window(max(window.start, window.end - length), window.end)


def four_hours(task: Task) -> Callable[[], int]:
    return _ours(task, list(task.numbers), task.last(4 * HOUR))


def year(task: Task) -> Callable[[], int]:
    return _ours(task, [task.numbers[0]], task.last(YEAR), list(COLUMNS))


def year_all_columns(task: Task) -> Callable[[], int]:
    return _ours(task, [task.numbers[0]], task.last(YEAR))


def _ours(
    task: Task, numbers: list[int], window: Window, columns: list[str] | None = None
) -> Callable[[], int]:
    connection = psycopg.connect(task.url)
    candles.read(connection, numbers, Window(START, START + MINUTE))
    return lambda: len(candles.read(connection, numbers, window, columns))


def blocks(task: Task) -> Callable[[], int]:
    connection = psycopg.connect(task.url)
    candles.read(connection, task.numbers, Window(START, START + MINUTE))
    window = minutes(0, task.end)
    return lambda: sum(len(block) for block in candles.read_blocks(connection, task.numbers[0], window))


def document_all(task: Task) -> Callable[[], int]:
    return _fetched(task, "SELECT * FROM prices", [])


def psycopg2_year(task: Task) -> Callable[[], int]:
    query = f"SELECT {', '.join(COLUMNS)} FROM candle WHERE market_id = %s"
    window = task.last(YEAR)
    query += " AND open_time >= %s AND open_time < %s ORDER BY open_time"
    return _fetched(task, query, [task.numbers[0], window.start, window.end])


def copied(length: timedelta, markets: int) -> Callable[[Task], Callable[[], int]]:
    """The raw COPY of the document's columns."""

    def prepared(task: Task) -> Callable[[], int]:
        connection = psycopg.connect(task.url)
        window, numbers = task.last(length), ", ".join(map(str, task.numbers[:markets]))
        rows = f"FROM candle WHERE market_id IN ({numbers})"
        rows += f" AND open_time >= '{window.start}' AND open_time < '{window.end}'"
        command = f"COPY (SELECT {', '.join(COLUMNS)} {rows}) TO STDOUT (FORMAT binary)"

        def read() -> int:
            with connection.cursor() as cursor:
                with cursor.copy(command.encode()) as copy:
                    for _ in copy:
                        pass
                return cursor.rowcount

        return read

    return prepared


def _fetched(task: Task, query: str, arguments: list[object]) -> Callable[[], int]:
    connection = psycopg2.connect(task.url)
    connection.cursor().execute("SELECT 1")

    def fetch() -> int:
        cursor = connection.cursor()
        cursor.execute(query, arguments)
        return len(cursor.fetchall())

    return fetch


WAYS: dict[str, Callable[[Task], Callable[[], int]]] = {
    "last 4 hours, ours": four_hours,
    "everything, document's": document_all,
    "a year, ours": year,
    "a year, psycopg2": psycopg2_year,
    "a year, all columns, ours": year_all_columns,
    "all of a market in blocks, ours": blocks,
    "last 4 hours, raw COPY": copied(4 * HOUR, MARKETS),
    "a year, raw COPY": copied(YEAR, 1),
}


def take(task: Task) -> Reading:
    """In a process of its own."""
    read = WAYS[task.way](task)
    before = high_water()
    times, rows = [], 0
    for _ in range(task.runs):
        started = time.perf_counter()
        rows = read()
        times.append(time.perf_counter() - started)
    return Reading(rows, statistics.median(times), max(high_water() - before, resource.getpagesize()))


def high_water() -> float:
    """The most memory this process ever had resident, in bytes."""
    if _STATUS.exists():
        # Linux counts in ru_maxrss also what the process that started this one had.
        found = re.search(r"VmHWM:\s+(\d+) kB", _STATUS.read_text())
        return int(found[1]) * 1024 if found else 0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def ratios(found: dict[str, Reading], rows: int) -> Iterator[Ratio]:
    """What the report is told; goals are those of the large table."""
    large = rows >= GOAL_ROWS
    for ours, theirs, against, goal in (
        ("last 4 hours, ours", "everything, document's", "SELECT of everything", GOAL_HOURS),
        ("a year, ours", "a year, psycopg2", "psycopg2's fetchall", GOAL_YEAR),
    ):
        what = f"reading {ours.removesuffix(', ours')} from {rows:,} rows"
        own, other = found[ours], found[theirs]
        limit = found[ours.removesuffix("ours") + "raw COPY"]
        yield Ratio(what, against, own.seconds, other.seconds, goal=goal if large else None)
        yield Ratio(f"{what}: memory", against, own.bytes, other.bytes, "B")
        yield Ratio(what, "raw COPY", own.seconds, limit.seconds, kind="limit")
    for way in (way for way in found if way.endswith("ours")):
        what = f"reading {way.removesuffix(', ours')} from {rows:,} rows: memory"
        yield Ratio(what, "what was set", found[way].bytes, MOST_MEMORY, "B", "limit", 1.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=2_000_000, help="in the table, of all markets")
    parser.add_argument("--runs", type=int, default=7)
    options = parser.parse_args()
    end = options.rows // MARKETS
    found: dict[str, Reading] = {}
    with database() as (url, numbers):
        fill(url, numbers, end)
        for way in WAYS:
            runs = 1 if way == "everything, document's" else options.runs
            with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
                found[way] = pool.submit(take, Task(way, url, tuple(numbers), end, runs)).result()
    print(f"{end * MARKETS:,} rows in the table\n")
    print("| read | rows | time | peak of memory |\n|---|---:|---:|---:|")
    for way, reading in found.items():
        taken, memory = f"{reading.seconds * 1000:,.1f} ms", f"+{reading.bytes / 1e6:,.0f} MB"
        print(f"| {way} | {reading.rows:,} | {taken} | {memory} |")
    tell(*ratios(found, end * MARKETS))


if __name__ == "__main__":
    main()
