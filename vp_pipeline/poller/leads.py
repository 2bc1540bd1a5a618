"""The lead markets' own clients: asked for a few minutes each, left alone while that makes no sense.

Here belongs asking and waiting. What becomes of the answers is in `service`.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from vp_pipeline.catalog import Market
from vp_pipeline.exchanges.errors import FetchError
from vp_pipeline.exchanges.patience import Patience
from vp_pipeline.exchanges.spot_client import SpotClient
from vp_pipeline.settings import Settings
from vp_pipeline.storage.latest import Minute
from vp_pipeline.windows import MINUTE, Window, from_ms

# One request a round: what fails is asked again in a later one.
ONCE = Patience(attempts=1)
# Pauses after failures double up to the first; an exchange that refuses us is asked as seldom as by ticks.
LONGEST_PAUSE = 300.0
REFUSED_PAUSE = 900.0


@dataclass(frozen=True)
class Reading:
    """One answer, with prices in the lead's quote: rows as `minutes_of` gives them, and two moments.

    `exchange_time` is when by the exchange's clock, `read_at` when by ours.
    """

    rows: NDArray[np.float64]
    exchange_time: datetime
    read_at: datetime

    def minutes(self, usd: float, market: Market) -> list[Minute]:
        """The minutes in US dollars and in the base asset."""
        found = []
        for opened, first, high, low, close, volume, *_ in self.rows.tolist():
            start = from_ms(int(opened))
            in_base = volume if market.volume_unit == "base" else volume / close
            closed = start + MINUTE <= self.exchange_time
            found.append(Minute(start, first * usd, high * usd, low * usd, close * usd, in_base, closed))
        return found


class Leads:
    """The clients, one an exchange, kept from round to round; a failed one is made anew.

    An exchange that failed is left alone for a while, twice as long after each further failure, and always
    as long as it wished. What another process was told of a ban holds here too.
    """

    def __init__(self, settings: Settings, markets: Sequence[Market]) -> None:
        self._settings = settings
        self._markets = markets
        self._clients: dict[str, SpotClient] = {}
        self._failures: dict[str, int] = {}
        self._not_before: dict[str, float] = {}

    async def ask(self, windows: Mapping[Market, Window]) -> dict[Market, Reading | FetchError]:
        """What the markets say of their windows; those left alone for now are not in it."""
        due = [one for one in windows if time.monotonic() >= self._not_before.get(one.exchange, 0.0)]
        answers = await asyncio.gather(*(self._one(market, windows[market]) for market in due))
        outcomes = dict(zip(due, answers, strict=True))
        for exchange in {market.exchange for market in due}:
            failed = [
                outcome
                for market, outcome in outcomes.items()
                if market.exchange == exchange and isinstance(outcome, FetchError)
            ]
            await self._judge(exchange, failed)
        return outcomes

    async def close(self) -> None:
        """Close all connections."""
        for exchange in list(self._clients):
            await self._drop(exchange)

    async def _one(self, market: Market, window: Window) -> Reading | FetchError:
        try:
            rows, moment = await self._client(market.exchange).latest(market.symbol, window)
        except FetchError as error:
            return error
        return Reading(rows, moment, datetime.now(UTC))

    def _client(self, exchange: str) -> SpotClient:
        if exchange not in self._clients:
            symbols = [market.symbol for market in self._markets if market.exchange == exchange]
            host = self._settings.exchange_host(exchange)
            self._clients[exchange] = SpotClient(
                exchange, symbols, host, self._settings.listings_folder, ONCE, lists=False
            )
        return self._clients[exchange]

    async def _judge(self, exchange: str, failed: Sequence[FetchError]) -> None:
        if not failed:
            self._failures.pop(exchange, None)
            return
        await self._drop(exchange)
        count = self._failures[exchange] = self._failures.get(exchange, 0) + 1
        pause = min(self._settings.poll_seconds * 2.0 ** (count - 1), LONGEST_PAUSE)
        if not all(error.retryable for error in failed):
            pause = REFUSED_PAUSE
        wished = max(error.wait_seconds or 0.0 for error in failed)
        self._not_before[exchange] = time.monotonic() + max(pause, wished)

    async def _drop(self, exchange: str) -> None:
        client = self._clients.pop(exchange, None)
        if client is not None:
            await client.close()
