"""Writing one tick into Postgres: our way against the first document's, as a ratio.

A tick is 11 markets x 300 minute candles, of which 15 a market are new, on a table that holds many already.
The document inserts with psycopg2's executemany on a connection in autocommit, so that every row is a commit,
and then deletes the duplicates from the whole table; `--kind` gives it one transaction instead. We compare
with what is stored, copy in what is new and update what differs, all in one transaction. Both connect and
commit durably; making the candles is not timed. WAL is what one tick adds to the log; transactions are those
that write. The limit is a COPY of the tick's rows, made beforehand, into a table without a key.

Run it with `python benchmarks/tick_write.py [--rows N ...] [--markets N ...] [--runs N] [--kind]`; it prints
Markdown tables, by rows in the table and by markets in a tick, and leaves nothing behind.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import pandas as pd
import psycopg
import psycopg2
from claims import Point, Ratio, tell
from made_up import (
    DOCUMENT_INSERT,
    MARKETS,
    check_same,
    database,
    fill,
    lines,
    made_up,
    minutes,
    raw_copy,
    records,
)

from vp_pipeline.storage import candles, ledger
from vp_pipeline.storage.connection import transaction
from vp_pipeline.storage.ledger import Finding

PAGE, NEW, STORED = 300, 15, 1440
DOCUMENT_DELETE = """
DELETE FROM prices WHERE EXISTS (SELECT 1 FROM prices t2 WHERE t2.market = prices.market
    AND t2.timestamp = prices.timestamp AND t2.ctid < prices.ctid)"""
GOAL_ROWS, GOAL, GOAL_GROWTH, GOAL_WAL = 5_000_000, 200.0, 4.0, 10.0
HEAD = """\
| rows in the table | ours | and the ledger | raw COPY | first document's | document's / ours | ours / ours \
at the first size | WAL ours | WAL document's | transactions ours, document's |
|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|"""


@dataclass(frozen=True)
class Cost:
    seconds: float
    wal: float
    transactions: float


def measured(connection: psycopg.Connection, work: Callable[[], None]) -> Cost:
    """Time, bytes of WAL and writing transactions of some work of other sessions."""
    counters = "SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::float8,"
    counters += " pg_snapshot_xmax(pg_current_snapshot())::text::float8"
    before = connection.execute(counters).fetchone() or (0, 0)
    started = time.perf_counter()
    work()
    seconds = time.perf_counter() - started
    after = connection.execute(counters).fetchone() or (0, 0)
    return Cost(seconds, after[0] - before[0], after[1] - before[1])


def our_tick(url: str, frames: dict[int, pd.DataFrame]) -> None:
    with transaction(url) as connection:
        candles.store(connection, frames)


def our_ledger(url: str, findings: list[Finding]) -> None:
    with transaction(url) as connection:
        ledger.record(connection, findings)


def document_tick(url: str, rows: list[tuple[object, ...]], kind: bool) -> None:
    connection = psycopg2.connect(url)
    connection.autocommit = not kind
    connection.cursor().executemany(DOCUMENT_INSERT, rows)
    if kind:
        connection.commit()
    connection.cursor().execute(DOCUMENT_DELETE)
    if kind:
        connection.commit()
    connection.close()


def run_ticks(url: str, numbers: list[int], stored: int, runs: int, kind: bool) -> list[list[Cost]]:
    """Costs of ours, ledger, raw COPY and the document's, by turns; the first tick is not counted."""
    costs: list[list[Cost]] = [[], [], [], []]
    with psycopg.connect(url, autocommit=True) as connection:
        for run in range(runs + 1):
            window = minutes(stored + NEW * (run + 1) - PAGE, stored + NEW * (run + 1))
            frames = {number: made_up(number, window) for number in numbers}
            rows = [row for number, frame in frames.items() for row in records(number, frame)]
            findings = [Finding(number, window, "answered") for number in numbers]
            ways = (
                partial(our_tick, url, frames),
                partial(our_ledger, url, findings),
                partial(raw_copy, url, lines(rows)),
                partial(document_tick, url, rows, kind),
            )
            for cost, way in zip(costs, ways, strict=True):
                cost.append(measured(connection, way))
    with transaction(url) as connection:
        check_same(connection)
    return [cost[1:] for cost in costs]


def median(costs: list[Cost], name: str) -> float:
    return statistics.median(float(getattr(cost, name)) for cost in costs)


def by_rows(url: str, numbers: list[int], sizes: Sequence[int], runs: int, kind: bool) -> None:
    """Print the table, and tell the report."""
    first = None
    print(HEAD, flush=True)
    for count in sizes:
        fill(url, numbers, count // MARKETS)
        ours, entries, copied, document = run_ticks(url, numbers, count // MARKETS, runs, kind)
        own, limit, theirs = (median(costs, "seconds") for costs in (ours, copied, document))
        first = first or own
        wal, their_wal = median(ours, "wal"), median(document, "wal")
        print(
            f"| {count:,} | {own * 1000:.1f} ms | +{median(entries, 'seconds') * 1000:.1f} ms"
            f" | {limit * 1000:.1f} ms | {theirs * 1000:.0f} ms | {theirs / own:.0f} | {own / first:.1f}"
            f" | {wal / 1000:.0f} kB | {their_wal / 1000:.0f} kB"
            f" | {median(ours, 'transactions'):.0f}, {median(document, 'transactions'):.0f} |",
            flush=True,
        )
        what, goal = f"writing a tick at {count:,} rows", GOAL if count >= GOAL_ROWS else None
        tell(
            Ratio(what, "INSERT, then DELETE of duplicates", own, theirs, goal=goal),
            Ratio(what, "raw COPY of its rows", own, limit, kind="limit"),
            Ratio(f"{what}: WAL", "INSERT, then DELETE of duplicates", wal, their_wal, "B", goal=GOAL_WAL),
            Point("writing a tick, ours", "rows in the table", count, own),
            Point("writing a tick, document's", "rows in the table", count, theirs),
        )
        if count != sizes[0]:
            tell(Ratio(what, f"the same at {sizes[0]:,}", own, first, kind="limit", goal=GOAL_GROWTH))


def by_markets(url: str, numbers: list[int], sizes: Sequence[int], runs: int) -> None:
    """Print the table of ticks of so many markets, each on a table that holds a day of them."""
    print("\n| markets in a tick | ours, with the ledger | a market | raw COPY |\n|---:|---:|---:|---:|")
    for count in sizes:
        fill(url, numbers[:count], STORED)
        times: list[tuple[float, float]] = []
        for run in range(runs + 1):
            window = minutes(STORED + NEW * (run + 1) - PAGE, STORED + NEW * (run + 1))
            frames = {number: made_up(number, window) for number in numbers[:count]}
            content = lines([row for number, frame in frames.items() for row in records(number, frame)])
            started = time.perf_counter()
            our_tick(url, frames)
            our_ledger(url, [Finding(number, window, "answered") for number in frames])
            between = time.perf_counter()
            raw_copy(url, content)
            times.append((between - started, time.perf_counter() - between))
        own, limit = (statistics.median(column) for column in zip(*times[1:], strict=True))
        a_market = own / count * 1000
        print(f"| {count} | {own * 1000:.1f} ms | {a_market:.2f} ms | {limit * 1000:.1f} ms |", flush=True)
        tell(
            Point("writing a tick, ours", "markets", count, own),
            Point("raw COPY of its rows", "markets", count, limit),
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--markets", type=int, nargs="+", default=[1, 11, 33, 99])
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--kind", action="store_true", help="one transaction for the document's rows")
    options = parser.parse_args()
    with database(max(MARKETS, *options.markets)) as (url, numbers):
        by_rows(url, numbers[:MARKETS], options.rows, options.runs, options.kind)
        by_markets(url, numbers, options.markets, options.runs)


if __name__ == "__main__":
    main()
