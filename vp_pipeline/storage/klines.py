"""Bars of perpetuals, one series at a time: what comes is merged with what is stored, and none is deleted.

Here belongs how bars are written and which are there. What an answer or a file says of its window is for
those that fetch or load; other readers use `rows`.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import pandas as pd

from vp_pipeline.storage import rows
from vp_pipeline.storage.connection import Connection
from vp_pipeline.storage.locks import Lock
from vp_pipeline.storage.rows import Scope
from vp_pipeline.storage.tables import KLINE
from vp_pipeline.windows import Window

_NUMBERS = [name for name in KLINE.columns if name not in KLINE.key]


@dataclass(frozen=True)
class Stored:
    """How many bars were new, of how many other numbers came than were stored, and the hours of the new."""

    new: int
    revised: int
    hours: tuple[datetime, ...] = ()


def scope_of(symbol: str, interval: str) -> Scope:
    """What the rows of a series have in common."""
    return {"symbol": symbol, "interval": interval}


def store(connection: Connection, scope: Scope, frame: pd.DataFrame, window: Window) -> Stored:
    """Store bars of the window in the caller's transaction; a number that is not known (NaN) erases none.

    A bar that is stored and does not come stays: an exchange that answers with nothing has not unmade it.
    Whoever stores the same series meanwhile waits.

    Raises:
        ValueError: as `rows.replace`.
    """
    name = "/".join(str(value) for value in scope.values())
    connection.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", [Lock.KLINES, name])
    before = rows.read(connection, KLINE, scope, window).set_index("open_time")
    after = frame.set_index("open_time").reindex(columns=_NUMBERS)
    shared = after.index.intersection(before.index)
    old, new = (part.loc[shared, _NUMBERS].to_numpy(float, na_value=np.nan) for part in (before, after))
    changed = (~np.isnan(new) & (new != old)).any(axis=1)
    added = pd.DatetimeIndex(after.index.difference(before.index))
    if len(added) or changed.any():
        merged = after.astype(float).combine_first(before[_NUMBERS].astype(float))
        rows.replace(connection, KLINE, merged.reset_index(), scope, window)
    hours = tuple(added.floor("h").unique().sort_values().to_pydatetime())
    return Stored(len(added), int(changed.sum()), hours)


def first(connection: Connection, scope: Scope) -> datetime | None:
    """Open time of the oldest stored bar; None if there is none."""
    row = connection.execute(
        "SELECT min(open_time) FROM kline WHERE symbol = %(symbol)s AND interval = %(interval)s", scope
    ).fetchone()
    return None if row is None else row[0]


def opens(connection: Connection, scope: Scope, window: Window) -> "pd.Series[pd.Timestamp]":
    """Open times of the stored bars within the window, ascending."""
    return rows.read(connection, KLINE, scope, window, ["open_time"])["open_time"]


def gaps(connection: Connection, scope: Scope, window: Window, bar: timedelta) -> list[Window]:
    """Stretches of the window of which no bar is stored, oldest first."""
    found = connection.execute(
        "SELECT open_time + %(bar)s, next FROM ("
        "SELECT open_time, lead(open_time, 1, %(end)s) OVER (ORDER BY open_time) AS next FROM ("
        "SELECT open_time FROM kline WHERE symbol = %(symbol)s AND interval = %(interval)s"
        " AND open_time >= %(start)s AND open_time < %(end)s"
        " UNION ALL SELECT %(start)s - %(bar)s)) WHERE next > open_time + %(bar)s ORDER BY open_time",
        {**scope, "start": window.start, "end": window.end, "bar": bar},
    )
    return [Window(start, end) for start, end in found]
