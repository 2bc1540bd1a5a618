"""The minutes after the aggregate's last: provisional, of the lead markets alone, never mistaken for candles.

Here belongs how they are stored and read. Nothing but what is shown between ticks reads them. They are
written at every poll, day and night: the tables are unlogged, and only what differs is written.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import psycopg

from vp_pipeline.storage.connection import Connection
from vp_pipeline.windows import HOUR, MINUTE

AsyncConnection = psycopg.AsyncConnection[tuple[Any, ...]]

CHANNEL = "vp_change"
# As `quote_rates` defines it: so long the last known rate of a quote currency holds.
CARRIED = HOUR


class Minute(NamedTuple):
    """One provisional minute: prices in US dollars, volume in the base asset; `closed` by exchange time."""

    open_time: datetime
    open: float
    high: float
    low: float
    close: float
    volume: float
    closed: bool


@dataclass(frozen=True)
class Horizon:
    """Where an instrument's provisional minutes begin, and what its lead's quote is worth in dollars.

    Both are None as long as they are not known.
    """

    start: datetime | None
    usd: float | None


@dataclass(frozen=True)
class Latest:
    """What is known after the aggregate's last minute.

    `read_at` is when the lead market was last read, None if it never was; `trouble` why it was not since.
    """

    market: str
    read_at: datetime | None
    trouble: str
    minutes: tuple[Minute, ...]


async def horizons(
    connection: AsyncConnection, leads: Mapping[str, str], now: datetime
) -> dict[str, Horizon]:
    """The horizon of each instrument; `leads` has the quote currency of its lead by base."""
    cursor = await connection.execute(
        "SELECT base, (SELECT max(open_time) FROM aggregate WHERE aggregate.base = lead.base),"
        " CASE quote WHEN 'USD' THEN 1 ELSE (SELECT usd FROM quote_rate WHERE quote_rate.quote = lead.quote"
        " AND open_time > %s ORDER BY open_time DESC LIMIT 1) END"
        " FROM unnest(%s::text[], %s::text[]) AS lead (base, quote)",
        [now - CARRIED, list(leads), list(leads.values())],
    )
    return {
        base: Horizon(None if last is None else last + MINUTE, usd)
        for base, last, usd in await cursor.fetchall()
    }


async def replace(
    connection: AsyncConnection, base: str, market: str, minutes: Sequence[Minute], read_at: datetime
) -> bool:
    """Let these be the instrument's provisional minutes, in the caller's transaction.

    Readers are told if any differs. Returns whether one did.
    """
    columns: list[list[Any]] = [list(column) for column in zip(*minutes, strict=True)] or [
        [] for _ in range(7)
    ]
    gone = await connection.execute(
        "DELETE FROM site.lead_minute WHERE base = %s AND open_time <> ALL(%s)", [base, columns[0]]
    )
    written = await connection.execute(
        "INSERT INTO site.lead_minute AS old SELECT %s, new.* FROM unnest(%s::timestamptz[], %s::float8[],"
        " %s::float8[], %s::float8[], %s::float8[], %s::float8[], %s::bool[]) AS new"
        " ON CONFLICT (base, open_time) DO UPDATE SET (open, high, low, close, volume, closed) ="
        " (excluded.open, excluded.high, excluded.low, excluded.close, excluded.volume, excluded.closed)"
        " WHERE (old.open, old.high, old.low, old.close, old.volume, old.closed) IS DISTINCT FROM"
        " (excluded.open, excluded.high, excluded.low, excluded.close, excluded.volume, excluded.closed)",
        [base, *columns],
    )
    await connection.execute(
        "INSERT INTO site.lead_read (base, market, read_at, trouble) VALUES (%s, %s, %s, '')"
        " ON CONFLICT (base) DO UPDATE SET (market, read_at, trouble) ="
        " (excluded.market, excluded.read_at, excluded.trouble)",
        [base, market, read_at],
    )
    changed = gone.rowcount + written.rowcount > 0
    if changed:
        await _tell(connection, base)
    return changed


async def note_trouble(connection: AsyncConnection, base: str, market: str, trouble: str) -> None:
    """Say why the lead market is not read now; its minutes and the moment of their reading stay.

    Readers are told if it was read before, or not for another reason.
    """
    noted = await connection.execute(
        "INSERT INTO site.lead_read (base, market, trouble) VALUES (%s, %s, %s)"
        " ON CONFLICT (base) DO UPDATE SET trouble = excluded.trouble"
        " WHERE lead_read.trouble <> excluded.trouble",
        [base, market, trouble],
    )
    if noted.rowcount:
        await _tell(connection, base)


async def _tell(connection: AsyncConnection, base: str) -> None:
    await connection.execute("SELECT pg_notify(%s, %s)", [CHANNEL, f"fresh {base}"])


OF_ALL = (
    "SELECT base, lead_read.market, lead_read.read_at, trouble,"
    " open_time, open, high, low, close, volume, closed"
    " FROM site.lead_read LEFT JOIN site.latest USING (base) ORDER BY base, open_time"
)


def collected(rows: Sequence[tuple[Any, ...]]) -> dict[str, Latest]:
    """What the rows of `OF_ALL` say, by base."""
    found: dict[str, Latest] = {}
    minutes: dict[str, list[Minute]] = {}
    for base, market, read_at, trouble, *minute in rows:
        found[base] = Latest(market, read_at, trouble, ())
        if minute[0] is not None:
            minutes.setdefault(base, []).append(Minute(*minute))
    return {
        base: Latest(one.market, one.read_at, one.trouble, tuple(minutes.get(base, ())))
        for base, one in found.items()
    }


def read(connection: Connection, base: str) -> Latest | None:
    """What is known of one instrument; None if its lead was never asked."""
    return collected(connection.execute(OF_ALL).fetchall()).get(base)
