"""What the site asks of the table of sessions, without reading all of it: it grows with every day.

Here belong these questions; what the columns mean is in `analytics.session_report`.
"""

from dataclasses import dataclass
from datetime import date

import pandas as pd

from vp_pipeline.storage import artifacts, rows
from vp_pipeline.storage.artifacts import Artifact
from vp_pipeline.storage.connection import Connection
from vp_pipeline.storage.tables import SESSION_VOLATILITY
from vp_pipeline.windows import DAY, Window, midnight

# From each series straight to the next, by the primary key.
_SERIES = """
WITH RECURSIVE series AS (
    (SELECT symbol, interval FROM session_volatility ORDER BY symbol, interval LIMIT 1)
    UNION ALL
    SELECT following.symbol, following.interval FROM series CROSS JOIN LATERAL (
        SELECT symbol, interval FROM session_volatility AS later
        WHERE (later.symbol, later.interval) > (series.symbol, series.interval)
        ORDER BY symbol, interval LIMIT 1) AS following
)
SELECT symbol, interval FROM series
"""
_OF = "FROM session_volatility WHERE symbol = %(symbol)s AND interval = %(interval)s"


@dataclass(frozen=True)
class Days:
    """Days with a table: the newest, the one that is asked for, and its neighbours."""

    first: date
    last: date
    chosen: date | None
    before: date | None
    after: date | None


def series(connection: Connection) -> list[tuple[str, str]]:
    """(symbol, interval) of every series with a table, in order."""
    return [(symbol, interval) for symbol, interval in connection.execute(_SERIES)]


def days(connection: Connection, symbol: str, interval: str, wanted: date | None) -> Days:
    """The series' days; `chosen` is `wanted`, or the newest without it, and None if that has no table."""
    given = {"symbol": symbol, "interval": interval, "wanted": wanted}
    [row] = connection.execute(
        f"SELECT (SELECT min(day) {_OF}), (SELECT max(day) {_OF}),"  # constants
        f" (SELECT day {_OF} AND day = %(wanted)s LIMIT 1),"
        f" (SELECT max(day) {_OF} AND day < coalesce(%(wanted)s, (SELECT max(day) {_OF}))),"
        f" (SELECT min(day) {_OF} AND day > %(wanted)s)",
        given,
    ).fetchall()
    first, last, chosen, before, after = row
    return Days(first, last, last if wanted is None else chosen, before, after)


def spans(connection: Connection, symbol: str, interval: str, day: date) -> list[str]:
    """Spans of days that the table of this day has."""
    found = connection.execute(
        f"SELECT DISTINCT span {_OF} AND day = %(day)s",  # constants
        {"symbol": symbol, "interval": interval, "day": day},
    )
    return [span for (span,) in found]


def table(connection: Connection, symbol: str, interval: str, day: date, span: str) -> pd.DataFrame:
    """All groups and horizons of one series as of the end of this day."""
    start = midnight(day)
    scope = {"symbol": symbol, "interval": interval, "span": span}
    return rows.read(connection, SESSION_VOLATILITY, scope, Window(start, start + DAY))


def report(connection: Connection, symbol: str, interval: str, day: date) -> Artifact | None:
    """The report of this day, if it is stored."""
    name = f"session_volatility/{symbol.lower()}"
    return artifacts.find(connection, name, str(day)) or artifacts.find(
        connection, f"{name}_{interval}", str(day)
    )
