"""What the daily profiles say: levels with intervals, nodes, points of control that nothing has touched.

Here belongs reading those tables, and what is missing of a window with the reasons. Nothing is computed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from vp_pipeline.storage import ledger
from vp_pipeline.storage.connection import Connection
from vp_pipeline.storage.ledger import EXCHANGE_HAS_NONE
from vp_pipeline.windows import Window

MOST_REASONS = 3


@dataclass(frozen=True)
class Interval:
    """A level in US dollars, and where it would be in resampled days; None where that was not computed."""

    name: str
    price: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class DayNode:
    """A hill (`high`) or valley (`low`) of the day's curve; `share` of all volume."""

    kind: str
    price: float
    low: float | None
    high: float | None
    share: float | None


@dataclass(frozen=True)
class Day:
    """The stored profile of one day."""

    day: date
    levels: tuple[Interval, ...]
    nodes: tuple[DayNode, ...]


@dataclass(frozen=True)
class Naked:
    """The point of control of an earlier day, which no price has touched until the end of the window."""

    day: date
    price: float


@dataclass(frozen=True)
class Missing:
    """Minutes of a market that are asked for and not there, by state, and why."""

    market: str
    got: int
    empty: int
    unknown: int
    unfetchable: int
    reasons: tuple[str, ...]

    @property
    def lacking(self) -> int:
        """Minutes without a candle."""
        return self.empty + self.unknown + self.unfetchable

    @property
    def in_words(self) -> str:
        """Why, most minutes first."""
        if not self.reasons:
            return "no reason recorded"
        more = len(self.reasons) - MOST_REASONS
        return "; ".join(self.reasons[:MOST_REASONS]) + (f" and {more} more" if more > 0 else "")


def newest_day(connection: Connection, base: str, end: datetime) -> Day | None:
    """The newest stored day that had begun by then."""
    row = connection.execute(
        "SELECT day, poc, poc_low, poc_high, vah, vah_low, vah_high, val, val_low, val_high"
        " FROM volume_profile WHERE base = %s AND day < %s ORDER BY day DESC LIMIT 1",
        [base, end],
    ).fetchone()
    if row is None:
        return None
    day, *values = row
    levels = [Interval(name, *values[3 * at : 3 * at + 3]) for at, name in enumerate(("POC", "VAH", "VAL"))]
    nodes = connection.execute(
        "SELECT kind, price, low, high, share FROM volume_profile_node"
        " WHERE base = %s AND day = %s AND kind <> 'document' ORDER BY price DESC",
        [base, day],
    )
    return Day(day, tuple(levels), tuple(DayNode(*node) for node in nodes))


def naked_pocs(connection: Connection, base: str, end: datetime) -> list[Naked]:
    """As of the newest computed day that had begun by then, oldest first."""
    rows = connection.execute(
        "SELECT poc_day, poc FROM naked_poc WHERE base = %(base)s AND day = ("
        "SELECT max(day) FROM naked_poc WHERE base = %(base)s AND day < %(end)s)"
        " AND (touched IS NULL OR touched >= %(end)s) ORDER BY poc_day",
        {"base": base, "end": end},
    )
    return [Naked(*row) for row in rows]


def missing(connection: Connection, names: dict[int, str], window: Window) -> list[Missing]:
    """What the ledger knows of each market's minutes of the window, most lacking first."""
    counted = ledger.counts(connection, window, list(names))
    reasons = _reasons(connection, list(names), window)
    found = [
        Missing(
            names[int(one["market_id"])],
            int(one["got"]),
            int(one["empty"]),
            int(one["unknown"]),
            int(one["unfetchable"]),
            tuple(reasons.get(int(one["market_id"]), ())),
        )
        for one in counted.to_dict("records")
    ]
    return sorted(found, key=lambda one: (-one.lacking, one.market))


def _reasons(connection: Connection, numbers: Sequence[int], window: Window) -> dict[int, list[str]]:
    arguments: dict[str, Any] = {"start": window.start, "end": window.end, "numbers": list(numbers)}
    rows = connection.execute(
        "SELECT market_id, CASE state WHEN 'exchange-empty' THEN %(none)s ELSE reason END AS why FROM ("
        "SELECT market_id, state, reason,"
        " least(end_time, %(end)s) - greatest(start_time, %(start)s) AS length"
        " FROM coverage_run WHERE market_id = ANY(%(numbers)s) AND state <> 'got'"
        " AND end_time > %(start)s AND start_time < %(end)s) AS run"
        " GROUP BY 1, 2 ORDER BY 1, sum(length) DESC, 2",
        {"none": EXCHANGE_HAS_NONE, **arguments},
    )
    found: dict[int, list[str]] = {}
    for number, why in rows:
        if why:
            found.setdefault(number, []).append(why)
    return found
