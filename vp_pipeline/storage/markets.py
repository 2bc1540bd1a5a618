"""Market numbers, and candles of several markets at once.

Here belongs what is asked of Postgres by market name. Single-series reads and all writes are in `rows`.
"""

from collections.abc import Sequence
from datetime import datetime

import pandas as pd

from vp_pipeline.storage.connection import Connection
from vp_pipeline.storage.rows import frame_of
from vp_pipeline.storage.tables import CANDLE
from vp_pipeline.windows import Window

MarketName = tuple[str, str]
# Any constant, the same for all who register markets.
_LOCK = 7_620_519
# The other half of the lock is the number of a market.
_WRITING = 7_620_520


def market_ids(connection: Connection, markets: Sequence[MarketName]) -> dict[MarketName, int]:
    """The number of each (exchange, symbol), given now to those that have none, with a place for candles."""
    exchanges, symbols = [m[0] for m in markets], [m[1] for m in markets]
    known = (
        "SELECT DISTINCT exchange, symbol, market_id FROM market"
        " JOIN unnest(%s::text[], %s::text[]) AS asked (exchange, symbol) USING (exchange, symbol)"
    )
    found = connection.execute(known, [exchanges, symbols]).fetchall()
    if len(found) < len(set(markets)):
        # One at a time: a new market's partition waits for another's, in whatever order they come.
        connection.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        with connection.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO market (exchange, symbol) VALUES (%s, %s) ON CONFLICT DO NOTHING", list(markets)
            )
        found = connection.execute(known, [exchanges, symbols]).fetchall()
    return {(exchange, symbol): number for exchange, symbol, number in found}


def read_candles(connection: Connection, numbers: Sequence[int], window: Window) -> pd.DataFrame:
    """Candles of these markets within the window, by market and time; columns of the candle table."""
    columns = ", ".join(CANDLE.columns)
    rows = connection.execute(
        f"SELECT {columns} FROM candle WHERE market_id = ANY(%s) AND open_time >= %s AND open_time < %s"  # noqa: S608  # constant names
        " ORDER BY market_id, open_time",
        [list(numbers), window.start, window.end],
    ).fetchall()
    return frame_of(rows, CANDLE.columns)


def count_by_hour(
    connection: Connection, numbers: Sequence[int], window: Window
) -> dict[tuple[int, datetime], int]:
    """Stored candles by (market number, hour)."""
    rows = connection.execute(
        "SELECT market_id, date_trunc('hour', open_time, 'UTC'), count(*) FROM candle"
        " WHERE market_id = ANY(%s) AND open_time >= %s AND open_time < %s GROUP BY 1, 2",
        [list(numbers), window.start, window.end],
    ).fetchall()
    return {(number, hour): count for number, hour, count in rows}


def lock(connection: Connection, numbers: Sequence[int]) -> None:
    """Let nobody else write candles or ledger of these markets until the transaction ends."""
    connection.execute(
        "SELECT pg_advisory_xact_lock(%s, number) FROM unnest(%s::int4[]) AS number",
        [_WRITING, sorted(set(numbers))],
    )


def followed_since(connection: Connection, numbers: Sequence[int]) -> dict[int, datetime]:
    """From when on each market is followed live; those that are not are left out."""
    rows = connection.execute(
        "SELECT market_id, live_since FROM market WHERE market_id = ANY(%s) AND live_since IS NOT NULL",
        [list(numbers)],
    )
    return dict(rows.fetchall())


def follow(connection: Connection, numbers: Sequence[int], since: datetime) -> None:
    """Note that these markets are followed live from then on; those that are already stay as they are."""
    connection.execute(
        "UPDATE market SET live_since = %s WHERE market_id = ANY(%s) AND live_since IS NULL",
        [since, list(numbers)],
    )
