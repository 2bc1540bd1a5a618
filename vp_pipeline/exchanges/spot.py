"""Minute candles of many markets of many exchanges, fetched side by side.

Here belongs the round of requests as a whole; one exchange's part of it is in `spot_client`.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
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
    deadline = None if seconds is None else time.monotonic() + seconds
    outcomes: dict[Market, list[Outcome]] = {market: [] for market in wanted}
    ahead: dict[str, timedelta] = {}

    async def one_window(client: SpotClient, symbol: str, window: Window) -> Outcome:
        try:
            return await client.fetch(symbol, window)
        except FetchError as error:
            return error

    async def one_market(client: SpotClient, market: Market) -> None:
        done, windows = outcomes[market], wanted[market]
        for first in range(0, len(windows), at_once):
            if done and deadline is not None and time.monotonic() >= deadline:
                return
            some = windows[first : first + at_once]
            done += await asyncio.gather(*(one_window(client, market[1], window) for window in some))
            if isinstance(done[0], FetchError):
                del done[1:]
                return
            if client.closed_to_us and any(isinstance(outcome, FetchError) for outcome in done[first:]):
                return

    async def one_exchange(exchange: str) -> None:
        markets = [market for market in wanted if market[0] == exchange]
        symbols = [symbol for _, symbol in markets]
        try:
            client = SpotClient(exchange, symbols, hosts.get(exchange), cache, patience, recorded, pace=pace)
        except FetchError as error:
            for _, symbol in markets:
                outcomes[exchange, symbol].append(replace(error, market=f"{exchange} {symbol}"))
            return
        async with client, asyncio.TaskGroup() as group:
            for market in markets:
                group.create_task(one_market(client, market))
        if client.ahead is not None:
            ahead[exchange] = client.ahead

    async with asyncio.TaskGroup() as group:
        for exchange in dict.fromkeys(exchange for exchange, _ in wanted):
            group.create_task(one_exchange(exchange))
    usual = usual_lead(ahead.values())
    if usual is None:
        return outcomes
    return {
        market: [set_back(outcome, usual) if isinstance(outcome, Fetched) else outcome for outcome in results]
        for market, results in outcomes.items()
    }
