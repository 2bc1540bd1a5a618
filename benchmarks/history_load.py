"""Loading history into Postgres: rows a second, our way against psycopg2's executemany.

Ours compares each month with what is stored, copies it in and records it in the ledger, a transaction a
month and market. The document inserts row by row through executemany into a table without a key, in one
transaction; it stops at fewer rows, since its rate does not depend on their number. Both commit durably.
"Again" is the same history a second time, of which no row is written. Making the candles is not timed.

Run it with `python benchmarks/history_load.py [--months N] [--runs N]`.
"""

import argparse
import statistics
import time

import pandas as pd
import psycopg2
from made_up import DOCUMENT_INSERT, database, made_up, minutes, records

from vp_pipeline.storage import candles, ledger
from vp_pipeline.storage.connection import transaction
from vp_pipeline.storage.ledger import Finding
from vp_pipeline.windows import Window

MONTH = 30 * 24 * 60


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
    first, again, inserted = [], [], []
    with database() as (url, numbers):
        for run in range(options.runs):
            market = numbers[run % len(numbers)]
            start = run // len(numbers) * options.months * MONTH
            windows = [minutes(start + n * MONTH, start + (n + 1) * MONTH) for n in range(options.months)]
            months = [(window, made_up(market, window)) for window in windows]
            rows = records(market, months[0][1])
            first.append(options.months * MONTH / ours(url, market, months))
            inserted.append(len(rows) / document(url, rows))
            again.append(options.months * MONTH / ours(url, market, months))
        stored, width = size(url)
    a, b, c = map(statistics.median, (first, inserted, again))
    print("| way | rows a second | ratio |\n|---|---:|---:|")
    print(f"| executemany | {b:,.0f} | 1 |")
    print(f"| ours | {a:,.0f} | {a / b:.1f} |")
    print(f"| ours, again | {c:,.0f} | {c / b:.1f} |")
    print(f"\n{stored:,} rows were stored, {width:.0f} bytes each with the index.")


if __name__ == "__main__":
    main()
