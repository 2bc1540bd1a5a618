"""Loading history into Postgres: rows a second, our way against psycopg2's executemany.

Ours compares each month with what is stored, copies it in and records it in the ledger, a transaction a
month and market. The document inserts row by row through executemany into a table without a key, in one
transaction; it stops at fewer rows, since its rate does not depend on their number. Both commit durably.
"Again" is the same history a second time, of which no row is written. Making the candles is not timed. The
limit is a COPY of ready-made lines into a table without a key, a transaction a month as ours.

Run it with `python benchmarks/history_load.py [--months N] [--runs N]`.
"""

import argparse
import statistics
import time

import pandas as pd
import psycopg2
from claims import Ratio, tell
from made_up import DOCUMENT_INSERT, database, lines, made_up, minutes, raw_copy, records

from vp_pipeline.storage import candles, ledger
from vp_pipeline.storage.connection import transaction
from vp_pipeline.storage.ledger import Finding
from vp_pipeline.windows import Window

MONTH, GOAL = 30 * 24 * 60, 15.0


def ours(url: str, market: int, months: list[tuple[Window, pd.DataFrame]]) -> float:
    """Seconds for all months."""
    started = time.perf_counter()
    for window, frame in months:
        with transaction(url) as connection:
            candles.store(connection, {market: frame})
            ledger.record(connection, [Finding(market, window, "answered")])
    return time.perf_counter() - started


def document(url: str, rows: list[tuple[object, ...]]) -> float:
    started = time.perf_counter()
    connection = psycopg2.connect(url)
    connection.cursor().executemany(DOCUMENT_INSERT, rows)
    connection.commit()
    connection.close()
    return time.perf_counter() - started


def copy(url: str, months: list[list[tuple[object, ...]]]) -> float:
    """Seconds of the raw COPY of all months."""
    contents = [lines(rows) for rows in months]
    started = time.perf_counter()
    for content in contents:
        raw_copy(url, content)
    return time.perf_counter() - started


def size(url: str) -> tuple[int, float]:
    """Rows of the candle table and bytes of each, its share of the index included."""
    with transaction(url) as connection:
        row = connection.execute(
            "SELECT (SELECT count(*) FROM candle), sum(pg_total_relation_size(relid))::float8"
            " FROM pg_partition_tree('candle') WHERE isleaf"
        ).fetchone()
    return (row[0], row[1] / row[0]) if row else (0, 0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--months", type=int, default=6, help="of minutes of one market in each run")
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    first, again, inserted, copied = [], [], [], []
    with database() as (url, numbers):
        for run in range(options.runs):
            market = numbers[run % len(numbers)]
            start = run // len(numbers) * options.months * MONTH
            windows = [minutes(start + n * MONTH, start + (n + 1) * MONTH) for n in range(options.months)]
            months = [(window, made_up(market, window)) for window in windows]
            rows = records(market, months[0][1])
            first.append(options.months * MONTH / ours(url, market, months))
            inserted.append(len(rows) / document(url, rows))
            copied.append(options.months * MONTH / copy(url, [records(market, frame) for _, frame in months]))
            again.append(options.months * MONTH / ours(url, market, months))
        stored, width = size(url)
    a, b, c, limit = map(statistics.median, (first, inserted, again, copied))
    tell(
        Ratio("a million candles of history", "executemany", 1e6 / a, 1e6 / b, goal=GOAL),
        Ratio("a million candles of history", "raw COPY", 1e6 / a, 1e6 / limit, kind="limit"),
        Ratio("a million candles of history again", "executemany", 1e6 / c, 1e6 / b),
    )
    print("| way | rows a second | ratio |\n|---|---:|---:|")
    print(f"| executemany | {b:,.0f} | 1 |")
    print(f"| ours | {a:,.0f} | {a / b:.1f} |")
    print(f"| ours, again | {c:,.0f} | {c / b:.1f} |")
    print(f"| raw COPY | {limit:,.0f} | {limit / b:.1f} |")
    print(f"\n{stored:,} rows were stored, {width:.0f} bytes each with the index.")


if __name__ == "__main__":
    main()
