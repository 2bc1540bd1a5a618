"""The coverage table: of each market's hour, how many closed minutes there were and how many are stored.

Here belongs what may overwrite what. Finding the reasons is for the assets that fetch.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from vp_pipeline.storage.connection import Connection
from vp_pipeline.windows import Window


@dataclass(frozen=True)
class HourCoverage:
    """`answered`: the exchange answered for the hour; `reason`: why minutes are missing, '' if none is."""

    market_id: int
    hour: datetime
    expected: int
    got: int
    reason: str
    answered: bool

    @property
    def missing(self) -> int:
        """Closed minutes without a candle."""
        return max(self.expected - self.got, 0)


def record(connection: Connection, hours: Iterable[HourCoverage]) -> None:
    """Keep what is new. A fetch that got no answer does not overwrite what an earlier one learned of the
    same minutes: a market's history must not look worse for asking again too late.
    """
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO coverage (market_id, hour, expected, got, reason) VALUES (%s, %s, %s, %s, %s)"
            " ON CONFLICT (market_id, hour) DO UPDATE"
            " SET expected = excluded.expected, got = excluded.got, reason = excluded.reason"
            " WHERE (%s OR excluded.expected > coverage.expected OR excluded.got > coverage.got)"
            " AND (coverage.expected, coverage.got, coverage.reason)"
            " IS DISTINCT FROM (excluded.expected, excluded.got, excluded.reason)",
            [(h.market_id, h.hour, h.expected, h.got, h.reason, h.answered) for h in hours],
        )


def minutes_missing(connection: Connection, window: Window) -> int:
    """Closed minutes of the window without a candle, over all markets."""
    row = connection.execute(
        "SELECT coalesce(sum(greatest(expected - got, 0)), 0)::bigint FROM coverage"
        " WHERE hour >= %s AND hour < %s",
        [window.start, window.end],
    ).fetchone()
    return int(row[0]) if row is not None else 0
