"""What is stored of every market, and how complete the last day of it is.

Here belong the status page's questions to Postgres. Nothing here counts candles: coverage keeps, by
market and hour, how many are stored, so that years of minutes are summed from a few thousand rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from vp_pipeline.catalog import Market
from vp_pipeline.storage.connection import Connection
from vp_pipeline.windows import DAY, HOUR, Window

_MARKETS = """
SELECT exchange, symbol,
    (SELECT max(open_time) FROM candle WHERE candle.market_id = market.market_id),
    coalesce(sum(got), 0),
    coalesce(sum(expected) FILTER (WHERE hour >= %(start)s), 0),
    coalesce(sum(got) FILTER (WHERE hour >= %(start)s), 0),
    coalesce((array_agg(reason ORDER BY hour DESC) FILTER (WHERE reason <> '' AND hour >= %(start)s))[1], '')
FROM market LEFT JOIN coverage USING (market_id)
GROUP BY market_id
"""


@dataclass(frozen=True)
class MarketStatus:
    """`expected` and `got` count minutes of the last 24 stored hours; `reason` is the latest of them."""

    name: str
    retired: date | None
    last_minute: datetime | None
    rows: int
    expected: int
    got: int
    reason: str

    @property
    def share(self) -> float | None:
        """Part of the expected minutes that is stored; None where none were expected."""
        return self.got / self.expected if self.expected else None


def last_day(connection: Connection) -> Window | None:
    """The last 24 hours that any market was fetched for; None before the first fetch."""
    [(newest,)] = connection.execute("SELECT max(hour) FROM coverage")
    return None if newest is None else Window(newest + HOUR - DAY, newest + HOUR)


def market_statuses(
    connection: Connection, markets: Sequence[Market], window: Window | None
) -> list[MarketStatus]:
    """One status a market, in the catalog's order; markets never fetched included."""
    start = window.start if window else None
    stored = {(row[0], row[1]): row[2:] for row in connection.execute(_MARKETS, {"start": start})}
    nothing = (None, 0, 0, 0, "")
    return [
        MarketStatus(market.name, market.retired, *stored.get((market.exchange, market.symbol), nothing))
        for market in markets
    ]
