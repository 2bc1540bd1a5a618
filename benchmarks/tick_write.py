"""Writing one tick into Postgres: our way against the first document's, as a ratio.

A tick is 11 markets x 300 minute candles, of which 15 a market are new, on a table that holds many already.
The document inserts with psycopg2's executemany on a connection in autocommit, so that every row is a commit,
and then deletes the duplicates from the whole table; `--kind` gives it one transaction instead. We compare
with what is stored, copy in what is new and update what differs, all in one transaction. Both connect and
commit durably; making the candles is not timed. WAL is what one tick adds to the log; transactions are those
that write.

Run it with `python benchmarks/tick_write.py [--rows N ...] [--runs N] [--kind]`; it prints a Markdown table
and leaves nothing behind.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd
import psycopg
import psycopg2
from made_up import DOCUMENT_INSERT, MARKETS, check_same, database, fill, made_up, minutes, records

from vp_pipeline.storage import candles, ledger
from vp_pipeline.storage.connection import transaction
from vp_pipeline.storage.ledger import Finding

PAGE, NEW = 300, 15
DOCUMENT_DELETE = """
DELETE FROM prices WHERE EXISTS (SELECT 1 FROM prices t2 WHERE t2.market = prices.market
    AND t2.timestamp = prices.timestamp AND t2.ctid < prices.ctid)"""
HEAD = """\
| rows in the table | ours | and the ledger | first document's | document's / ours | ours / ours \
at the first size | WAL ours | WAL document's | transactions ours, document's |
|---:|---:|---:|---:|---:|---:|---:|---:|---:|"""


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


def run_ticks(url: str, numbers: list[int], stored: int, runs: int, kind: bool) -> tuple[list[Cost], ...]:
    """Costs of ours, the ledger and the document's, one tick after the other; the first is not counted."""
    ours, entries, document = [], [], []
    with psycopg.connect(url, autocommit=True) as connection:
        for run in range(runs + 1):
            window = minutes(stored + NEW * (run + 1) - PAGE, stored + NEW * (run + 1))
            frames = {number: made_up(number, window) for number in numbers}
            rows = [row for number, frame in frames.items() for row in records(number, frame)]
            findings = [Finding(number, window, "answered") for number in numbers]
            ours.append(measured(connection, lambda frames=frames: our_tick(url, frames)))  # type: ignore[misc]  # mypy does not infer a default
            entries.append(measured(connection, lambda found=findings: our_ledger(url, found)))  # type: ignore[misc]  # as above
            document.append(measured(connection, lambda rows=rows: document_tick(url, rows, kind)))  # type: ignore[misc]  # as above
    with transaction(url) as connection:
        check_same(connection)
    return ours[1:], entries[1:], document[1:]


def median(costs: list[Cost], name: str) -> float:
    return statistics.median(float(getattr(cost, name)) for cost in costs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--kind", action="store_true", help="one transaction for the document's rows")
    options = parser.parse_args()
    first = None
    with database() as (url, numbers):
        print(HEAD, flush=True)
        for count in options.rows:
            fill(url, numbers, count // MARKETS)
            ours, entries, document = run_ticks(url, numbers, count // MARKETS, options.runs, options.kind)
            a, b = median(ours, "seconds"), median(document, "seconds")
            first = first or a
            print(
                f"| {count:,} | {a * 1000:.1f} ms | +{median(entries, 'seconds') * 1000:.1f} ms"
                f" | {b * 1000:.0f} ms | {b / a:.0f} | {a / first:.1f}"
                f" | {median(ours, 'wal') / 1000:.0f} kB | {median(document, 'wal') / 1000:.0f} kB"
                f" | {median(ours, 'transactions'):.0f}, {median(document, 'transactions'):.0f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
