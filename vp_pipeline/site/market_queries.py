"""What the market page asks of Postgres, so that no period, however long, loads its minutes at once.

Memory: candles are resampled in SQL to a few thousand bars at most, which the figure joins further. For
the volume by price, highs, lows and volumes come as packed bytes, `CHUNK` at a time (43,200 minutes of 24
bytes, so 1 MB), and are added to one array of price rows: profiles on a fixed grid of prices add up. Peak
memory depends on the range of prices and not on the number of minutes.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from vp_pipeline.storage.connection import Connection
from vp_pipeline.windows import DAY, EPOCH, HOUR, MINUTE, Window

CHUNK = 30 * DAY

# Bars by length of the window: each divides every candle that the figure draws of windows that long.
_BARS = ((4_000 * MINUTE, MINUTE), (20_000 * MINUTE, 5 * MINUTE), (400_000 * MINUTE, HOUR))
_BAR_COLUMNS = ("open_time", "open", "high", "low", "close", "volume")


@dataclass(frozen=True)
class Presence:
    """How much of a window is stored. `missing` counts, by market, the minutes it has no candle in."""

    minutes: int
    present: int
    missing: dict[str, int]

    @property
    def absent(self) -> int:
        """Minutes without any row."""
        return self.minutes - self.present


@dataclass(frozen=True)
class Gap:
    """Minutes of a market that have no candle, and why as far as the ledger knows."""

    market: str
    minutes: int
    reason: str


def extent(connection: Connection, base: str) -> Window | None:
    """From the first stored minute to the end of the last; None if nothing is stored."""
    [(first, last)] = connection.execute(
        "SELECT min(open_time), max(open_time) FROM aggregate WHERE base = %s", [base]
    )
    return None if first is None else Window(first, last + MINUTE)


def bar_length(window: Window) -> timedelta:
    """Length of a bar of which some thousands cover the window."""
    length = window.end - window.start
    return next((bar for longest, bar in _BARS if length <= longest), DAY)


def bars(connection: Connection, base: str, window: Window, step: timedelta) -> pd.DataFrame:
    """Candles of `step`, on multiples of it since the epoch; a bar without a price is left out.

    Columns open_time (UTC), open, high, low, close and volume in the base asset.
    """
    rows = connection.execute(
        "WITH bar AS (SELECT date_bin(%(step)s, open_time, %(epoch)s) AS start,"
        " min(open_time) FILTER (WHERE open IS NOT NULL) AS first,"
        " max(open_time) FILTER (WHERE close IS NOT NULL) AS last,"
        " max(high) AS high, min(low) AS low, sum(volume) AS volume FROM aggregate"
        " WHERE base = %(base)s AND open_time >= %(start)s AND open_time < %(end)s GROUP BY 1)"
        # Subqueries and no joins: two lookups a bar by primary key, never a hash of the whole table.
        " SELECT start, (SELECT open FROM aggregate WHERE base = %(base)s AND open_time = first), high, low,"
        " (SELECT close FROM aggregate WHERE base = %(base)s AND open_time = last), volume FROM bar"
        " WHERE first IS NOT NULL AND last IS NOT NULL ORDER BY 1",
        {"step": step, "epoch": EPOCH, "base": base, "start": window.start, "end": window.end},
        binary=True,
    ).fetchall()
    frame = pd.DataFrame(rows, columns=list(_BAR_COLUMNS))
    frame["open_time"] = pd.to_datetime(frame["open_time"], utc=True)
    return frame.astype(dict.fromkeys(_BAR_COLUMNS[1:], float))


def placed_minutes(connection: Connection, base: str, window: Window) -> Iterator[npt.NDArray[np.float64]]:
    """Arrays (n, 3) of low, high and volume of the minutes that have a price, `CHUNK` at a time."""
    for part in window.split(CHUNK):
        [(packed,)] = connection.execute(
            "SELECT string_agg(float8send(low) || float8send(high) || float8send(volume), '') FROM aggregate"
            " WHERE base = %s AND open_time >= %s AND open_time < %s AND close IS NOT NULL",
            [base, part.start, part.end],
            binary=True,
        )
        if packed is not None:
            yield np.frombuffer(packed, dtype=">f8").reshape(-1, 3).astype(np.float64)


def presence(connection: Connection, base: str, window: Window) -> Presence:
    """Stored minutes of the window and which markets are missing in them."""
    # Grouped first: long periods have few different lists of missing markets.
    rows = connection.execute(
        "SELECT missing, count(*) FROM aggregate WHERE base = %s AND open_time >= %s AND open_time < %s"
        " GROUP BY 1",
        [base, window.start, window.end],
    ).fetchall()
    missing: dict[str, int] = {}
    for markets, minutes in rows:
        for market in filter(None, (name.strip() for name in markets.split(","))):
            missing[market] = missing.get(market, 0) + minutes
    return Presence(window.count(MINUTE), sum(minutes for _, minutes in rows), missing)


def gaps(connection: Connection, base: str, window: Window) -> list[Gap]:
    """Why markets lack minutes of the window, most missing first."""
    rows = connection.execute(
        "SELECT exchange || ' ' || symbol, (extract(epoch FROM"
        " sum(least(end_time, %(end)s) - greatest(start_time, %(start)s))) / 60)::bigint, reason"
        # The view, since it has the words for what the exchange does not have.
        " FROM coverage WHERE split_part(symbol, '/', 1) = %(base)s AND state <> 'got'"
        " AND end_time > %(start)s AND start_time < %(end)s GROUP BY 1, 3 ORDER BY 2 DESC, 1",
        {"base": base, "start": window.start, "end": window.end},
    ).fetchall()
    return [Gap(*row) for row in rows]


def newest_close(connection: Connection, base: str, window: Window) -> float | None:
    """The last known price of the window."""
    row = connection.execute(
        "SELECT close FROM aggregate"
        " WHERE base = %s AND open_time >= %s AND open_time < %s AND close IS NOT NULL"
        " ORDER BY open_time DESC LIMIT 1",
        [base, window.start, window.end],
    ).fetchone()
    return None if row is None else float(row[0])


def stored_minutes(connection: Connection, base: str, window: Window, limit: int) -> list[tuple[Any, ...]]:
    """Up to `limit` rows of the aggregate as they are stored, oldest first."""
    return connection.execute(
        "SELECT open_time, open, high, low, close, volume, markets, missing FROM aggregate"
        " WHERE base = %s AND open_time >= %s AND open_time < %s ORDER BY open_time LIMIT %s",
        [base, window.start, window.end, limit],
    ).fetchall()
