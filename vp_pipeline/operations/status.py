"""What an installation knows of its markets.

Here belong the figures of `vp status`; how they are printed is in `status_command`.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from vp_pipeline.catalog import Catalog
from vp_pipeline.storage import ledger
from vp_pipeline.storage.connection import Connection
from vp_pipeline.windows import DAY, MINUTE, Window, floor

# A tick comes every quarter of an hour: up to twice that what was not asked for yet is no gap.
PATIENCE = timedelta(minutes=30)
SPANS: dict[str, timedelta | None] = {"24h": DAY, "30d": 30 * DAY, "all": None}
_STATES = ("got", "empty", "unknown", "unfetchable")
Minutes = dict[str, int]


@dataclass(frozen=True)
class Trouble:
    """The newest stretch that is not known or cannot be had any more, and why."""

    state: str
    start: datetime
    end: datetime
    reason: str


@dataclass(frozen=True)
class MarketStatus:
    """One market. Times are UTC, minutes are counted.

    Attributes:
        last: open time of the newest final candle, None if there is none.
        lag: from the end of that candle until now.
        coverage: by span, of the minutes that were asked for, the share of which the candle is stored or
            the exchange has none; None where nothing was ever asked.
        unknown: minutes that were asked for, or should have been by now, and are not known.
        not_asked: minutes between loaded history and the live hours that nobody has asked for.
        unfetchable: minutes that fell out of the exchange's history.
        revised: how often a final candle came again with other numbers.
    """

    market: str
    state: str
    last: datetime | None
    lag: timedelta | None
    coverage: dict[str, float | None]
    unknown: int
    not_asked: int
    unfetchable: int
    revised: int
    trouble: Trouble | None


def market_statuses(connection: Connection, catalog: Catalog, now: datetime) -> list[MarketStatus]:
    """Every market of the markets file in its order, then those that only the database knows.

    Args:
        now: the time to judge by; of a recording its end.
    """
    states = {market.name: "retired" if market.retired else "live" for market in catalog.markets}
    numbers = {f"{exchange} {symbol}": number for number, exchange, symbol in connection.execute(
        "SELECT market_id, exchange, symbol FROM market ORDER BY market_id")}  # fmt: skip
    names = dict.fromkeys([*states, *numbers])
    ids = list(numbers.values())
    first, frontier = _first(connection), ledger.frontier(connection, ids)
    counts: dict[str, dict[int, Minutes]] = {span: {} for span in SPANS}
    for span, length in SPANS.items():
        window = None if length is None else Window(now - length, now)
        frame = ledger.counts(connection, window, ids)
        for number, *minutes in frame[["market_id", *_STATES]].to_numpy(dtype="int64").tolist():
            counts[span][number] = dict(zip(_STATES, minutes, strict=True))
    last, troubles, revised = _last(connection), _troubles(connection), _revised(connection)

    def status(name: str) -> MarketStatus:
        state = states.get(name, "not in the markets file")
        number = numbers.get(name)
        if number is None or number not in first:
            return MarketStatus(name, state, None, None, dict.fromkeys(SPANS), 0, 0, 0, 0, None)
        overdue = Window(frontier[number], max(frontier[number], _until(frontier[number], now, state)))
        shares = {}
        for span, length in SPANS.items():
            late = overdue if length is None else overdue.intersect(Window(now - length, now))
            shares[span] = _share(counts[span].get(number, {}), late.count(MINUTE))
        total = counts["all"][number]
        reach = Window(first[number], frontier[number]).count(MINUTE)
        newest = last.get(number)
        return MarketStatus(
            market=name,
            state=state,
            last=newest,
            lag=None if newest is None else now - newest - MINUTE,
            coverage=shares,
            unknown=total["unknown"] + overdue.count(MINUTE),
            not_asked=reach - sum(total.values()),
            unfetchable=total["unfetchable"],
            revised=revised.get(number, 0),
            trouble=troubles.get(number),
        )

    return [status(name) for name in names]


def _until(frontier: datetime, now: datetime, state: str) -> datetime:
    """Up to where minutes are expected to be known."""
    if state != "live" or now - frontier <= PATIENCE:
        return frontier
    return floor(now, MINUTE)


def _share(counts: Minutes, late: int) -> float | None:
    """Of all minutes counted and those that should have been asked for by now, the part that is settled."""
    expected = sum(counts.values()) + late
    return (counts["got"] + counts["empty"]) / expected if counts and expected else None


def _first(connection: Connection) -> dict[int, datetime]:
    rows = connection.execute(
        "SELECT market_id, (SELECT start_time FROM coverage_run AS run"
        " WHERE run.market_id = market.market_id ORDER BY start_time LIMIT 1) FROM market"
    )
    return {number: start for number, start in rows if start is not None}


def _last(connection: Connection) -> dict[int, datetime]:
    rows = connection.execute(
        "SELECT market_id, (SELECT open_time FROM candle WHERE candle.market_id = market.market_id"
        " AND NOT provisional ORDER BY open_time DESC LIMIT 1) FROM market"
    )
    return {number: moment for number, moment in rows if moment is not None}


def _troubles(connection: Connection) -> dict[int, Trouble]:
    rows = connection.execute(
        "SELECT DISTINCT ON (market_id) market_id, state, start_time, end_time, reason FROM coverage_run"
        " WHERE state IN ('unknown', 'unfetchable') ORDER BY market_id, start_time DESC"
    )
    return {number: Trouble(*trouble) for number, *trouble in rows}


def _revised(connection: Connection) -> dict[int, int]:
    rows = connection.execute("SELECT market_id, sum(times)::bigint FROM revision GROUP BY market_id")
    return dict(rows.fetchall())
