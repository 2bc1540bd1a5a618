"""The coverage table: of each market's hour, how many closed minutes there were and how many are stored.

Here belongs what may overwrite what. Finding the reasons is for the assets that fetch.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from vp_pipeline.storage.connection import Connection


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
