"""Writing one tick into Postgres: our way against the first document's, as a ratio.

A tick is 11 markets x 300 minute candles, of which 15 a market are new, on a table that holds many already.
The document inserts with psycopg2's executemany and then deletes the duplicates from the whole table; we
replace the window of each market by binary COPY, all in one transaction. Both commit durably.

Run it with `make bench`; it prints a Markdown table and leaves nothing behind.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import psycopg
import psycopg2

from vp_pipeline.storage import embedded, migrate, rows
from vp_pipeline.storage.connection import Connection, transaction
from vp_pipeline.storage.markets import market_ids
from vp_pipeline.storage.tables import CANDLE
from vp_pipeline.windows import MINUTE, Window

MARKETS, PAGE, NEW = 11, 300, 15
START = datetime(2020, 1, 1, tzinfo=UTC)
COLUMNS = ", ".join(CANDLE.columns)

# The document's table has no key and no market; with several markets in it, it needs the market.
DOCUMENT_TABLE = """
CREATE TABLE prices (market smallint NOT NULL, timestamp timestamptz NOT NULL, open float NOT NULL,
    high float NOT NULL, low float NOT NULL, close float NOT NULL, volume float NOT NULL)"""
DOCUMENT_INSERT = "INSERT INTO prices VALUES (%s, %s, %s, %s, %s, %s, %s)"
DOCUMENT_DELETE = """
DELETE FROM prices WHERE EXISTS (SELECT 1 FROM prices t2 WHERE t2.market = prices.market
    AND t2.timestamp = prices.timestamp AND t2.ctid < prices.ctid)"""


def candles(market: int, window: Window) -> pd.DataFrame:
    """Made-up minutes of a window, the same for the same minute whenever asked."""
    minutes = (window.start - START) // MINUTE + np.arange(window.count(MINUTE))
    price = 20_000 + 500 * np.sin(minutes / 700 + market)
    return pd.DataFrame(
        {
            "market_id": market,
            "open_time": pd.date_range(window.start, periods=len(minutes), freq="min"),
            "open": price,
            "high": price + 5,
            "low": price - 5,
            "close": price + 1,
            "volume": 1 + minutes % 7 / 3,
        }
    )


def page_before(end: int) -> Window:
    """The 300 minutes before minute number `end`."""
    return Window(START + (end - PAGE) * MINUTE, START + end * MINUTE)


def our_tick(url: str, markets: list[int], end: int) -> None:
    """What a tick does with the candles it has fetched."""
    window = page_before(end)
    with transaction(url) as connection:
        for market in markets:
            rows.replace(connection, CANDLE, candles(market, window), {"market_id": market}, window)


def document_tick(url: str, markets: list[int], end: int) -> None:
    """What the document's script does with the candles it has fetched."""
    for statement in ("insert", "delete"):
        connection = psycopg2.connect(url)
        connection.autocommit = True
        cursor = connection.cursor()
        if statement == "insert":
            window = page_before(end)
            records = [row for m in markets for row in candles(m, window).itertuples(index=False, name=None)]
            cursor.executemany(DOCUMENT_INSERT, records)
        else:
            cursor.execute(DOCUMENT_DELETE)
        connection.close()


def seconds(tick: Callable[[str, list[int], int], None], url: str, markets: list[int], end: int) -> float:
    started = time.perf_counter()
    tick(url, markets, end)
    return time.perf_counter() - started


def fill(connection: Connection, markets: list[int], minutes: int) -> None:
    """Make both tables hold the first `minutes` minutes of every market, written in order of time."""
    connection.execute("TRUNCATE candle, prices")
    whole = Window(START, START + minutes * MINUTE)
    for market in markets:
        rows.replace(connection, CANDLE, candles(market, whole), {"market_id": market}, whole)
    connection.execute(f"INSERT INTO prices SELECT {COLUMNS} FROM candle ORDER BY open_time, market_id")


def measure(url: str, markets: list[int], count: int, runs: int) -> str:
    """A line of the table: medians of interleaved runs on tables of `count` rows."""
    minutes = count // MARKETS
    with transaction(url) as connection:
        fill(connection, markets, minutes)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE candle")
        connection.execute("VACUUM ANALYZE prices")
    ours, document = [], []
    for run in range(runs + 1):
        end = minutes + NEW * (run + 1)
        taken = seconds(our_tick, url, markets, end), seconds(document_tick, url, markets, end)
        if run:  # the first one warms up
            ours.append(taken[0])
            document.append(taken[1])
    with transaction(url) as connection:
        same = f"(SELECT {COLUMNS} FROM candle EXCEPT ALL SELECT * FROM prices)"
        counted = "SELECT (SELECT count(*) FROM candle), (SELECT count(*) FROM prices)"
        stored = connection.execute(counted).fetchone()
        different = connection.execute(f"SELECT count(*) FROM {same} AS d").fetchone()
    if stored is None or stored[0] != stored[1] or different != (0,):
        raise AssertionError(f"the two ways do not leave the same rows: {stored}, {different}")
    a, b = statistics.median(ours) * 1000, statistics.median(document) * 1000
    return f"| {count:,} | {a:.0f} ms | {b:.0f} ms | {b / a:.0f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="vp-bench-") as folder:
        server = embedded.start(Path(folder))
        try:
            url = server.url("bench")
            migrate.create_database(url)
            migrate.upgrade(url)
            with transaction(url) as connection:
                connection.execute(DOCUMENT_TABLE)
                names = [("exchange", f"M{number}/USD") for number in range(MARKETS)]
                markets = sorted(market_ids(connection, names).values())
            print(
                "| rows in the table | ours | first document's | ratio |\n|---:|---:|---:|---:|", flush=True
            )
            for count in options.rows:
                print(measure(url, markets, count, options.runs), flush=True)
        finally:
            server.stop()


if __name__ == "__main__":
    main()
