"""Candles of any window and timeframe, and what is there to be shown, in few rows.

Here belongs what is read of the aggregate and of its bars in the schema `site`. No answer reads more than
some thousands of bars, nor minutes of more than a few months. Prices are in US dollars.
"""

from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
from psycopg import sql

from vp_pipeline.analytics import timeframes
from vp_pipeline.analytics.timeframes import MINUTES
from vp_pipeline.storage import packed
from vp_pipeline.storage.connection import Connection
from vp_pipeline.storage.table import PgType
from vp_pipeline.windows import DAY, HOUR, MINUTE, Window, ceil, floor

_KINDS: dict[str, PgType] = {
    "open_time": "timestamptz",
    "open": "float8",
    "high": "float8",
    "low": "float8",
    "close": "float8",
    "volume": "float8",
}
_BAR_KINDS: dict[str, PgType] = {**_KINDS, "minutes": "float8"}
_MAY_BE_NULL = ("open", "high", "low", "close")
COLUMNS = (*_KINDS, "minutes", "complete")


def extent(connection: Connection, base: str) -> Window | None:
    """From the first stored minute to the end of the last; None if nothing is stored."""
    [(first, last)] = connection.execute(
        "SELECT min(open_time), max(open_time) FROM aggregate WHERE base = %s", [base]
    )
    return None if first is None else Window(first, last + MINUTE)


def change_number(connection: Connection, base: str) -> int:
    """How often what is shown of the instrument has changed."""
    found = connection.execute("SELECT number FROM site.change WHERE base = %s", [base]).fetchone()
    return int(found[0]) if found else 0


def bars(connection: Connection, base: str, window: Window, timeframe: str) -> pd.DataFrame:
    """Candles of the timeframe that the window touches, with the window's minutes alone.

    Returns:
        open_time (UTC), open, high, low, close (NaN without a price), volume in the base asset, minutes, and
        complete: whether these are all minutes of the candle. Weeks begin on Monday.
    """
    if MINUTES[timeframe] < 60:
        return _of_minutes(connection, base, window, timeframe)
    length, step = ("hour", HOUR) if MINUTES[timeframe] < 1440 else ("day", DAY)
    inner_start = ceil(window.start, step)
    inner_end = floor(window.end, step)
    if inner_start >= inner_end:
        return _of_minutes(connection, base, window, timeframe)
    parts = [
        _minute_rows(connection, base, Window(window.start, inner_start)),
        _bar_rows(connection, base, length, Window(inner_start, inner_end)),
        _minute_rows(connection, base, Window(inner_end, window.end)),
    ]
    return _joined(pd.concat([part for part in parts if len(part)] or parts[:1]), timeframe)


def counted(connection: Connection, base: str, window: Window) -> tuple[int, int]:
    """Stored minutes of the window, and how many of them have a price."""
    total = np.zeros(2, dtype=np.int64)
    # Whole days, whole hours of what is left, minutes of the rest.
    left = [window]
    for length, step in (("day", DAY), ("hour", HOUR)):
        rest = []
        for part in left:
            start = ceil(part.start, step)
            end = floor(part.end, step)
            if start >= end:
                rest.append(part)
                continue
            [row] = connection.execute(
                "SELECT coalesce(sum(minutes), 0), coalesce(sum(priced), 0) FROM site.bar"
                " WHERE base = %s AND length = %s AND open_time >= %s AND open_time < %s",
                [base, length, start, end],
            )
            total += np.array(row, dtype=np.int64)
            rest += [Window(part.start, start), Window(end, part.end)]
        left = [part for part in rest if part]
    for part in left:
        [row] = connection.execute(
            "SELECT count(*), count(close) FROM site.minute"
            " WHERE base = %s AND open_time >= %s AND open_time < %s",
            [base, part.start, part.end],
        )
        total += np.array(row, dtype=np.int64)
    return int(total[0]), int(total[1])


def hours_stored(connection: Connection, base: str, window: Window) -> list[datetime]:
    """Hours that begin within the window and have minutes, in order."""
    found = connection.execute(
        "SELECT open_time FROM site.bar WHERE base = %s AND length = 'hour'"
        " AND open_time >= %s AND open_time < %s ORDER BY open_time",
        [base, window.start, window.end],
    )
    return [hour for (hour,) in found]


def hours_lacking(connection: Connection, base: str, window: Window) -> list[datetime]:
    """Of these hours those that are not in the profile store."""
    found = connection.execute(
        "SELECT open_time FROM site.bar WHERE base = %(base)s AND length = 'hour'"
        " AND open_time >= %(start)s AND open_time < %(end)s AND NOT EXISTS (SELECT FROM profile"
        " WHERE profile.base = %(base)s AND level = 'hour' AND start_time = open_time AND market_id = 0"
        " AND profile.start_time >= %(start)s AND profile.start_time < %(end)s) ORDER BY open_time",
        {"base": base, "start": window.start, "end": window.end},
    )
    return [hour for (hour,) in found]


def newest_close(connection: Connection, base: str, window: Window) -> float | None:
    """The last known price of the window."""
    row = connection.execute(
        "SELECT close FROM site.minute"
        " WHERE base = %s AND open_time >= %s AND open_time < %s AND close IS NOT NULL"
        " ORDER BY open_time DESC LIMIT 1",
        [base, window.start, window.end],
    ).fetchone()
    return None if row is None else float(row[0])


def _of_minutes(connection: Connection, base: str, window: Window, timeframe: str) -> pd.DataFrame:
    return timeframes.resample(_minute_rows(connection, base, window), timeframe)[list(COLUMNS)]


def _minute_rows(connection: Connection, base: str, window: Window) -> pd.DataFrame:
    query = sql.SQL(
        "SELECT {} FROM site.minute WHERE base = %s AND open_time >= %s AND open_time < %s"
    ).format(packed.select_list(_KINDS, _MAY_BE_NULL))
    return _frame(connection, query, [base, window.start, window.end], _KINDS)


def _bar_rows(connection: Connection, base: str, length: str, window: Window) -> pd.DataFrame:
    query = sql.SQL(
        "SELECT {} FROM (SELECT open_time, open, high, low, close, volume, minutes::float8 FROM site.bar"
        " WHERE base = %s AND length = %s AND open_time >= %s AND open_time < %s) AS bar"
    ).format(packed.select_list(_BAR_KINDS, _MAY_BE_NULL))
    return _frame(connection, query, [base, length, window.start, window.end], _BAR_KINDS)


def _frame(
    connection: Connection, query: sql.Composed, arguments: list[Any], kinds: dict[str, PgType]
) -> pd.DataFrame:
    """The columns in order of time."""
    row = connection.execute(query, arguments, binary=True).fetchone()
    return packed.frame(row, kinds)


def _joined(bars: pd.DataFrame, timeframe: str) -> pd.DataFrame:
    """Bars of a timeframe from shorter ones, which know how many minutes each holds."""
    # Minutes are summed up as a volume is.
    minutes = bars["minutes"].fillna(1.0) if "minutes" in bars else pd.Series(1.0, bars.index)
    made = timeframes.resample(bars.assign(taker_buy_volume=minutes), timeframe)
    held = made["taker_buy_volume"].to_numpy(dtype=np.int64)
    return made.assign(minutes=held, complete=held == MINUTES[timeframe])[list(COLUMNS)]


def stored_minutes(connection: Connection, base: str, window: Window, limit: int) -> list[tuple[Any, ...]]:
    """Up to `limit` rows of the aggregate as they are stored, oldest first."""
    return connection.execute(
        "SELECT open_time, open, high, low, close, volume, markets, missing FROM aggregate"
        " WHERE base = %s AND open_time >= %s AND open_time < %s ORDER BY open_time LIMIT %s",
        [base, window.start, window.end, limit],
    ).fetchall()


def market_number(connection: Connection, name: str) -> list[int]:
    """The number of a market by its name, as a list that is empty if nothing was stored of it."""
    found = connection.execute("SELECT market_id FROM market WHERE exchange || ' ' || symbol = %s", [name])
    return [number for (number,) in found]
