"""A sandbox to fetch from, its true candles, and its faults."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import pandas as pd

from vp_pipeline.exchanges import spot
from vp_pipeline.exchanges.errors import FetchError
from vp_pipeline.exchanges.frames import CANDLE_COLUMNS, Fetched
from vp_pipeline.exchanges.patience import Patience
from vp_pipeline.exchanges.traits import TRAITS, traits_of
from vp_pipeline.sandbox.candles import MINUTE_MS, Market
from vp_pipeline.sandbox.clock import Clock
from vp_pipeline.sandbox.server import serve
from vp_pipeline.sandbox.source import CandleSource
from vp_pipeline.windows import HOUR, Window, floor, to_ms

NOW = datetime(2025, 3, 5, 12, 0, 50, tzinfo=UTC)
WINDOW = Window(floor(NOW, HOUR) - HOUR, floor(NOW, HOUR))


@dataclass
class World:
    """A running sandbox."""

    url: str
    source: CandleSource
    clock: Clock

    @property
    def hosts(self) -> dict[str, str | None]:
        """The exchanges' hosts, as `fetch_all` takes them."""
        return {exchange: f"{self.url}/{exchange}" for exchange in TRAITS}

    def markets(self, exchange: str) -> list[Market]:
        """The markets that trade now."""
        return [m for m in self.source.markets(exchange) if m.is_active(self.clock.now_ms())]

    async def faults(self, *faults: dict[str, Any]) -> None:
        """Put these in force, in place of those before."""
        async with (
            aiohttp.ClientSession() as session,
            session.put(f"{self.url}/_sandbox/faults", json={"faults": faults}) as response,
        ):
            response.raise_for_status()


@asynccontextmanager
async def world(source: CandleSource, clock: Clock) -> AsyncIterator[World]:
    """A sandbox within this process."""
    async with serve(source, clock) as url:
        yield World(url, source, clock)


async def fetch_all(
    wanted: Iterable[tuple[str, str]],
    window: Window,
    hosts: Mapping[str, str | None],
    cache: Path | None,
    patience: Patience,
) -> dict[tuple[str, str], Fetched | FetchError]:
    """The outcomes of one window of each market."""
    outcomes = await spot.fetch_all({key: [window] for key in wanted}, hosts, cache, patience)
    assert all(len(results) == 1 for results in outcomes.values())
    return {key: results[0] for key, results in outcomes.items()}


def truth(source: CandleSource, market: Market, window: Window, now_ms: int) -> pd.DataFrame:
    """The source's closed candles of a window, as a frame."""
    candles = source.candles(market, MINUTE_MS, to_ms(window.start), to_ms(window.end), now_ms)
    closed = candles.take(candles.open_time + MINUTE_MS <= now_ms)
    frame = pd.DataFrame({name: getattr(closed, name) for name in CANDLE_COLUMNS})
    extras = traits_of(market.exchange).extras
    if extras.average is not None:
        volumes = zip(frame["quote_volume"], frame["volume"], strict=True)
        written = [f"{quote / base if base else 0:.{market.price_decimals}f}" for quote, base in volumes]
        frame["quote_volume"] = [float(text) for text in written] * frame["volume"]
    elif extras.turnover is None:
        frame["quote_volume"] = float("nan")
    if extras.taker_buy is None:
        frame["taker_buy_volume"] = float("nan")
    return frame.assign(open_time=pd.to_datetime(frame["open_time"], unit="ms", utc=True))


def run(source: CandleSource, work: Callable[[World], Awaitable[None]]) -> None:
    async def main() -> None:
        async with world(source, Clock(NOW, frozen=True)) as here:
            await work(here)

    asyncio.run(main())


def one_market_each(here: World) -> list[tuple[str, str]]:
    return [(exchange, here.markets(exchange)[0].symbol) for exchange in TRAITS]
