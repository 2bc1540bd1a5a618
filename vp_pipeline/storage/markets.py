"""Market numbers, and who may write what belongs to a market.

Here belongs what goes from a market's name to its number, and the lock that writers share. What is stored
by number is in `candles` and `ledger`.
"""

from collections.abc import Sequence
from datetime import datetime

from vp_pipeline.storage.connection import Connection
from vp_pipeline.storage.locks import Lock

MarketName = tuple[str, str]


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
        connection.execute("SELECT pg_advisory_xact_lock(%s)", [Lock.NEW_MARKETS])
        with connection.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO market (exchange, symbol) VALUES (%s, %s) ON CONFLICT DO NOTHING", list(markets)
            )
        found = connection.execute(known, [exchanges, symbols]).fetchall()
    return {(exchange, symbol): number for exchange, symbol, number in found}


def lock(connection: Connection, numbers: Sequence[int]) -> None:
    """Let nobody else write candles or ledger of these markets until the transaction ends."""
    connection.execute(
        "SELECT pg_advisory_xact_lock(%s, number) FROM unnest(%s::int4[]) AS number",
        [Lock.MARKET, sorted(set(numbers))],
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
