"""Rows of the table `profile`: parts of profiles by period and venue, packed.

Here belong their bytes, reading them and writing those that differ. What is added up is in `profiles`.

A row holds two arrays of float8, little-endian, from its first grid row on: volume and bought volume. There
are no zeros to save in an hour of a market that trades; what is long and empty in between Postgres
compresses by itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

import numpy as np

from vp_pipeline.analytics.price_rows import Floats
from vp_pipeline.analytics.venue_profiles import Traded
from vp_pipeline.storage.connection import Connection
from vp_pipeline.windows import DAY, HOUR, Window

Level = Literal["hour", "day", "month", "year"]
LEVELS: Final[tuple[Level, ...]] = ("hour", "day", "month", "year")
"""Each is the sum of the one before."""

TOTAL: Final = 0
"""The market number of all venues together."""

_VALUES = "hours, first_row, known, unpriced, volume, bought"


@dataclass(frozen=True, eq=False)
class Row:
    """What a venue traded in the period that begins at `start`."""

    start: datetime
    market_id: int
    included: bool
    part: Traded


def period(level: Level, moment: datetime) -> Window:
    """The period that holds the moment (UTC)."""
    if level == "hour":
        start = moment.replace(minute=0, second=0, microsecond=0)
        return Window(start, start + HOUR)
    start = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    if level == "day":
        return Window(start, start + DAY)
    start = start.replace(day=1) if level == "month" else start.replace(month=1, day=1)
    after = start + timedelta(days=31 if level == "month" else 366)
    return Window(start, after.replace(day=1) if level == "month" else after.replace(month=1, day=1))


def made(connection: Connection, base: str, level: Level, window: Window) -> list[Window]:
    """Periods of the level that are stored and lie within the window, in order."""
    found = connection.execute(
        "SELECT start_time FROM profile WHERE base = %s AND level = %s AND market_id = 0"
        " AND start_time >= %s AND start_time < %s ORDER BY start_time",
        [base, level, window.start, window.end],
    )
    spans = (period(level, start) for (start,) in found)
    return [span for span in spans if span.end <= window.end]


def read(
    connection: Connection, base: str, level: Level, window: Window, size: float, *, total: bool | None
) -> list[Row]:
    """Rows of the periods that begin within the window, by market and time.

    `total` asks for the rows of all venues together, False for those of single ones, None for both.
    """
    which = {True: "AND market_id = 0", False: "AND market_id <> 0", None: ""}[total]
    found = connection.execute(
        f"SELECT start_time, market_id, included, {_VALUES} FROM profile WHERE base = %s AND level = %s"  # noqa: S608  # constant parts
        f" AND start_time >= %s AND start_time < %s {which} ORDER BY market_id, included, start_time",
        [base, level, window.start, window.end],
        binary=True,
    )
    return [
        Row(
            start,
            number,
            included,
            Traded(first, size, _unpacked(volume), _unpacked(bought), known, unpriced, hours),
        )
        for start, number, included, hours, first, known, unpriced, volume, bought in found
    ]


def write(
    connection: Connection, base: str, level: Level, starts: Sequence[datetime], rows: Sequence[Row]
) -> list[datetime]:
    """Make the rows of the periods that begin at `starts` these; the starts of those that changed."""
    keys = [
        [row.start for row in rows],
        [row.market_id for row in rows],
        [row.included for row in rows],
    ]
    gone = connection.execute(
        "DELETE FROM profile WHERE base = %s AND level = %s AND start_time = ANY(%s::timestamptz[])"
        " AND (start_time, market_id, included) NOT IN"
        " (SELECT * FROM unnest(%s::timestamptz[], %s::int2[], %s::bool[])) RETURNING start_time",
        [base, level, list(starts), *keys],
    ).fetchall()
    written = connection.execute(
        f"INSERT INTO profile (base, level, start_time, market_id, included, {_VALUES})"  # noqa: S608  # constant parts
        " SELECT %b::text, %b::text, * FROM unnest(%b::timestamptz[], %b::int2[], %b::bool[], %b::int4[],"
        " %b::int4[], %b::float8[], %b::float8[], %b::bytea[], %b::bytea[])"
        " ON CONFLICT (base, level, start_time, market_id, included)"
        f" DO UPDATE SET ({_VALUES}) = ROW(excluded.hours, excluded.first_row, excluded.known,"
        " excluded.unpriced, excluded.volume, excluded.bought)"
        " WHERE (profile.hours, profile.first_row, profile.known, profile.unpriced, profile.volume,"
        " profile.bought) IS DISTINCT FROM (excluded.hours, excluded.first_row, excluded.known,"
        " excluded.unpriced, excluded.volume, excluded.bought) RETURNING start_time",
        [
            base,
            level,
            *keys,
            [row.part.hours for row in rows],
            [row.part.first_row for row in rows],
            [row.part.known for row in rows],
            [row.part.unpriced for row in rows],
            [_packed(row.part.volume) for row in rows],
            [_packed(row.part.bought) for row in rows],
        ],
    ).fetchall()
    return sorted({start for (start,) in [*gone, *written]})


def _packed(values: Floats) -> bytes:
    return values.astype("<f8").tobytes()


def _unpacked(stored: bytes) -> Floats:
    return np.frombuffer(stored, dtype="<f8").astype(np.float64)
