"""Minute candles of many markets of many exchanges, fetched side by side.

Here belongs the round of requests as a whole; one exchange's part of it is in `spot_client`.
"""

import asyncio
import math
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from vp_pipeline.exchanges.clocks import set_back, usual_lead
from vp_pipeline.exchanges.errors import FetchError
from vp_pipeline.exchanges.frames import Fetched
from vp_pipeline.exchanges.pace import Pace
from vp_pipeline.exchanges.patience import USUAL, Patience
from vp_pipeline.exchanges.spot_client import SpotClient
from vp_pipeline.windows import Window

Market = tuple[str, str]  # exchange, symbol
Outcome = Fetched | FetchError


async def fetch_all(
    wanted: Mapping[Market, Sequence[Window]],
    hosts: Mapping[str, str | None],
    cache: Path | None,
    patience: Patience = USUAL,
    seconds: float | None = None,
    recorded: bool = False,
    at_once: int = 1,
    pace: Pace | None = None,
) -> dict[Market, list[Outcome]]:
    """Fetch the windows of each (exchange, symbol), in their order; exchanges and markets side by side.

    The outcomes of a market are shorter than its windows if the first failed (nothing more is asked then),
    if a failure concerns the whole host, or if `seconds` are over: no window but a first is begun then.
    `hosts` stand in for the exchanges' own; `cache` is the folder of what outlives a process. An exchange
    whose clock is ahead of the others' is taken at theirs. `recorded` exchanges will never know more of a
    minute than they do: one that shows no candle of a market at all is believed. `at_once` windows of a
    market are asked for side by side, within the exchange's limit of requests. `pace` is the line
    in which the requests of other processes wait too.
    """

    def client_of(exchange: str, symbols: Sequence[str]) -> SpotClient:
        return SpotClient(exchange, symbols, hosts.get(exchange), cache, patience, recorded, pace=pace)

    deadline = math.inf if seconds is None else time.monotonic() + seconds
    asked = _Round(wanted, client_of, deadline, at_once)
    await asked.run()
    return asked.outcomes


class _Round:
    """What is asked of all, and what they have said; the parameters are those of `fetch_all`."""

    def __init__(
        self,
        wanted: Mapping[Market, Sequence[Window]],
        client_of: Callable[[str, Sequence[str]], SpotClient],
        deadline: float,
        at_once: int,
    ) -> None:
        self._wanted, self._client_of = wanted, client_of
        self._deadline, self._at_once = deadline, at_once
        self._ahead: dict[str, timedelta] = {}
        self.outcomes: dict[Market, list[Outcome]] = {market: [] for market in wanted}

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for exchange in dict.fromkeys(exchange for exchange, _ in self._wanted):
                group.create_task(self._exchange(exchange))
        usual = usual_lead(self._ahead.values())
        if usual is not None:
            self.outcomes = {
                market: [set_back(one, usual) if isinstance(one, Fetched) else one for one in outcomes]
                for market, outcomes in self.outcomes.items()
            }

    async def _exchange(self, exchange: str) -> None:
        markets = [market for market in self._wanted if market[0] == exchange]
        symbols = [symbol for _, symbol in markets]
        try:
            client = self._client_of(exchange, symbols)
        except FetchError as error:
            for market in markets:
                self.outcomes[market].append(replace(error, market=" ".join(market)))
            return
        async with client, asyncio.TaskGroup() as group:
            for market in markets:
                group.create_task(self._market(client, market))
        if client.ahead is not None:
            self._ahead[exchange] = client.ahead

    async def _market(self, client: SpotClient, market: Market) -> None:
        done = self.outcomes[market]
        under_way: deque[asyncio.Task[Outcome]] = deque()
        async with asyncio.TaskGroup() as group:
            for window in self._wanted[market]:
                if len(under_way) == self._at_once:
                    done.append(await under_way.popleft())
                    if isinstance(done[-1], FetchError) and (len(done) == 1 or client.closed_to_us):
                        break
                if (done or under_way) and time.monotonic() >= self._deadline:
                    break
                under_way.append(group.create_task(_window(client, market[1], window)))
        done += [task.result() for task in under_way]
        if done and isinstance(done[0], FetchError):
            del done[1:]


async def _window(client: SpotClient, symbol: str, window: Window) -> Outcome:
    try:
        return await client.fetch(symbol, window)
    except FetchError as error:
        return error
