"""What is stored of every market, and how complete the last day of it is.

Here belong the status page's questions to Postgres. Nothing here counts candles: the ledger keeps runs of
minutes, so that years are summed from a few rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from vp_pipeline.catalog import Market
from vp_pipeline.storage.connection import Connection
from vp_pipeline.storage.ledger import EXCHANGE_HAS_NONE
from vp_pipeline.windows import DAY, HOUR, MINUTE, Window, ceil

_MARKETS = """
WITH run AS (
    SELECT *, extract(epoch FROM end_time - start_time)::bigint / 60 AS minutes,
        extract(epoch FROM least(end_time, %(end)s) - greatest(start_time, %(start)s))::bigint / 60 AS recent,
        end_time > %(start)s AND start_time < %(end)s AS is_recent
    FROM coverage_run
)
SELECT exchange, symbol,
    max(end_time) FILTER (WHERE state = 'got') - interval '1 minute',
    coalesce(sum(minutes) FILTER (WHERE state = 'got'), 0)::bigint,
    coalesce(sum(recent) FILTER (WHERE is_recent), 0)::bigint,
    coalesce(sum(recent) FILTER (WHERE is_recent AND state = 'got'), 0)::bigint,
    coalesce(sum(recent) FILTER (WHERE is_recent AND state = 'exchange-empty'), 0)::bigint,
    coalesce((array_agg(
        CASE state WHEN 'exchange-empty' THEN %(none)s ELSE reason END ORDER BY start_time DESC)
        FILTER (WHERE is_recent AND state <> 'got'))[1], '')
FROM market LEFT JOIN run USING (market_id)
GROUP BY exchange, symbol
"""


@dataclass(frozen=True)
class MarketStatus:
    """Of the last 24 stored hours `expected`, `got` and `empty` count minutes; `reason` is the latest.

    `empty` are those of which the exchange said that there is no candle.
    """

    name: str
    retired: date | None
    last_minute: datetime | None
    rows: int
    expected: int
    got: int
    empty: int
    reason: str

    @property
    def coverage(self) -> float | None:
        """Part of the expected minutes that is `got` or `empty`; None where none were expected."""
        return (self.got + self.empty) / self.expected if self.expected else None

    def lag(self, now: datetime) -> timedelta | None:
        """Since the last minute closed; None if there is none."""
        return None if self.last_minute is None else max(now - self.last_minute - MINUTE, timedelta())


def last_day(connection: Connection) -> Window | None:
    """The 24 hours up to the last of which anything is known; None before the first fetch."""
    [(newest,)] = connection.execute("SELECT max(end_time) FROM coverage_run")
    return None if newest is None else Window(ceil(newest, HOUR) - DAY, ceil(newest, HOUR))


def market_statuses(
    connection: Connection, markets: Sequence[Market], window: Window | None
) -> list[MarketStatus]:
    """One status a market, in the catalog's order; markets never fetched included."""
    ends = {"start": window.start, "end": window.end} if window else {"start": None, "end": None}
    rows = connection.execute(_MARKETS, {**ends, "none": EXCHANGE_HAS_NONE})
    stored = {(row[0], row[1]): row[2:] for row in rows}
    nothing = (None, 0, 0, 0, 0, "")
    return [
        MarketStatus(market.name, market.retired, *stored.get((market.exchange, market.symbol), nothing))
        for market in markets
    ]
