"""Hours whose input changed after they were computed.

Here belongs the list of what is to be computed again, kept in Postgres so that no crash forgets it.
Whoever changes final candles marks the consumer `AGGREGATE`, which marks `PROFILE_HOURS`, which marks
`VOLUME_PROFILE`; the consumer clears what it has computed, in the transaction that stores the result.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from vp_pipeline.storage.connection import Connection
from vp_pipeline.storage.locks import Lock
from vp_pipeline.windows import DAY, Window, floor

AGGREGATE: Final = "aggregate"
PROFILE_HOURS: Final = "profile_hours"
VOLUME_PROFILE: Final = "volume_profile"


def make_alone(connection: Connection, base: str, window: Window) -> None:
    """Let nobody else make these days of the instrument until the transaction ends.

    Months that are loaded side by side both make the day after the first. Whoever stores candles need not
    wait: what is read before they commit is marked after it was cleared.
    """
    days = Window(floor(window.start, DAY), window.end).split(DAY)
    connection.execute(
        "SELECT pg_advisory_xact_lock(%s, hashtext(name)) FROM unnest(%s::text[]) AS name",
        [Lock.AGGREGATE_DAY, [f"{base} {day.start:%Y-%m-%d}" for day in days]],
    )


def mark(connection: Connection, consumer: str, base: str, hours: Iterable[datetime]) -> None:
    """Note hours of a base to be computed again; those already noted stay."""
    connection.execute(
        "INSERT INTO stale_hour (consumer, base, hour)"
        " SELECT %s, %s, hour FROM unnest(%s::timestamptz[]) AS hour ON CONFLICT DO NOTHING",
        [consumer, base, sorted(set(hours))],
    )


def pending(connection: Connection, consumer: str, base: str, limit: int | None = None) -> list[datetime]:
    """Hours to be computed again, in order; the newest `limit` of them: what was just healed does not wait
    until years are made anew.
    """
    rows = connection.execute(
        "SELECT hour FROM stale_hour WHERE consumer = %s AND base = %s ORDER BY hour DESC LIMIT %s",
        [consumer, base, limit],
    )
    return sorted(hour for (hour,) in rows)


def clear(connection: Connection, consumer: str, base: str, hours: Iterable[datetime]) -> list[datetime]:
    """Take computed hours off the list; those that were on it."""
    gone = connection.execute(
        "DELETE FROM stale_hour WHERE consumer = %s AND base = %s AND hour = ANY(%s::timestamptz[])"
        " RETURNING hour",
        [consumer, base, list(hours)],
    )
    return sorted(hour for (hour,) in gone)


def pending_days(connection: Connection, consumer: str, base: str, limit: int) -> list[datetime]:
    """Midnights of the newest `limit` days with hours to be computed again, newest first."""
    rows = connection.execute(
        "SELECT DISTINCT date_trunc('day', hour, 'UTC') FROM stale_hour"
        " WHERE consumer = %s AND base = %s ORDER BY 1 DESC LIMIT %s",
        [consumer, base, limit],
    )
    return [day for (day,) in rows]
