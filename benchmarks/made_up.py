"""What the benchmarks of the database share: a server of their own, made-up candles, the document's table."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psycopg

from vp_pipeline.storage import candles, embedded, migrate
from vp_pipeline.storage.connection import Connection, transaction
from vp_pipeline.storage.markets import market_ids
from vp_pipeline.windows import DAY, MINUTE, Window

MARKETS = 11
START = datetime(2016, 1, 1, tzinfo=UTC)
# What both ways store.
COLUMNS = ("market_id", "open_time", "open", "high", "low", "close", "volume")

# The document's table has no key and no market; with several markets in it, it needs the market.
DOCUMENT_TABLE = """
CREATE TABLE prices (market smallint NOT NULL, timestamp timestamptz NOT NULL, open float NOT NULL,
    high float NOT NULL, low float NOT NULL, close float NOT NULL, volume float NOT NULL)"""
DOCUMENT_INSERT = "INSERT INTO prices VALUES (%s, %s, %s, %s, %s, %s, %s)"


@contextmanager
def database(markets: int = MARKETS) -> Iterator[tuple[str, list[int]]]:
    """A fresh database with our schema, the document's table and a bare one, and the numbers of its markets.

    The server has the settings of the platform's own, but for autovacuum, which would run at times of its own
    choosing; tables are vacuumed where a benchmark says so. Commits are durable.
    """
    with tempfile.TemporaryDirectory(prefix="vp-bench-") as folder:
        server = embedded.start(Path(folder))
        try:
            with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
                connection.execute("ALTER SYSTEM SET autovacuum = off")
                connection.execute("SELECT pg_reload_conf()")
            url = server.url("bench")
            migrate.create_database(url)
            migrate.upgrade(url)
            with transaction(url) as connection:
                connection.execute(DOCUMENT_TABLE)
                connection.execute("CREATE TABLE bare (LIKE prices)")
                names = [("exchange", f"M{number}/USD") for number in range(markets)]
                numbers = sorted(market_ids(connection, names).values())
            yield url, numbers
        finally:
            server.stop()


def minutes(first: int, last: int) -> Window:
    """From minute number `first` to before `last`."""
    return Window(START + first * MINUTE, START + last * MINUTE)


def made_up(market: int, window: Window) -> pd.DataFrame:
    """Made-up minutes of a window, the same for the same minute whenever asked, as exchanges give them."""
    number = (window.start - START) // MINUTE + np.arange(window.count(MINUTE))
    price = 20_000 + 500 * np.sin(number / 700 + market)
    volume = 1 + number % 7 / 3
    return pd.DataFrame(
        {
            "open_time": pd.date_range(window.start, periods=len(number), freq="min"),
            "open": price,
            "high": price + 5,
            "low": price - 5,
            "close": price + 1,
            "volume": volume,
            "quote_volume": volume * price,
            "taker_buy_volume": np.nan,
            "provisional": False,
        }
    )


def records(market: int, frame: pd.DataFrame) -> list[tuple[Any, ...]]:
    """The same candles as the document's script has them."""
    return list(frame.assign(market_id=market)[list(COLUMNS)].itertuples(index=False, name=None))


def lines(rows: Sequence[tuple[Any, ...]]) -> bytes:
    """Records as COPY takes them."""
    return "".join("\t".join(map(str, row)) + "\n" for row in rows).encode()


def raw_copy(url: str, content: bytes) -> None:
    """The limit of writing: ready-made lines into a table without a key, in one durable transaction."""
    with transaction(url) as connection, connection.cursor().copy("COPY bare FROM STDIN") as copy:
        copy.write(content)


def fill(url: str, numbers: list[int], count: int) -> None:
    """Make both tables hold the first `count` minutes of every market; the document's in order of time."""
    with transaction(url) as connection:
        connection.execute("TRUNCATE candle, prices")
        for part in minutes(0, count).split(90 * DAY):
            candles.store(connection, {number: made_up(number, part) for number in numbers})
        connection.execute(
            f"INSERT INTO prices SELECT {', '.join(COLUMNS)} FROM candle ORDER BY open_time, market_id"
        )
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE candle")
        connection.execute("VACUUM ANALYZE prices")
        connection.execute("CHECKPOINT")


def check_same(connection: Connection) -> None:
    """Raise if the two tables do not hold the same rows."""
    columns = ", ".join(COLUMNS)
    differing = connection.execute(
        f"SELECT count(*) FROM (SELECT {columns} FROM candle EXCEPT ALL SELECT * FROM prices) AS d"
    ).fetchone()
    counted = connection.execute(
        "SELECT (SELECT count(*) FROM candle), (SELECT count(*) FROM prices)"
    ).fetchone()
    if counted is None or counted[0] != counted[1] or differing != (0,):
        raise AssertionError(f"the two ways do not leave the same rows: {counted}, {differing}")
