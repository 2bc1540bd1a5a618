"""A sandbox to fetch from, its true candles, and its faults."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import aiohttp
import pandas as pd

from vp_pipeline.exchanges.frames import CANDLE_COLUMNS
from vp_pipeline.exchanges.traits import TRAITS
from vp_pipeline.sandbox.candles import MINUTE_MS, Market
from vp_pipeline.sandbox.clock import Clock
from vp_pipeline.sandbox.generator import GeneratedSource
from vp_pipeline.sandbox.server import serve
from vp_pipeline.sandbox.source import CandleSource
from vp_pipeline.windows import HOUR, Window, floor, to_ms

NOW = datetime(2025, 3, 5, 12, 0, 30, tzinfo=UTC)
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


def truth(source: CandleSource, market: Market, window: Window, now_ms: int) -> pd.DataFrame:
    """The source's closed candles of a window, as a frame."""
    candles = source.candles(market, MINUTE_MS, to_ms(window.start), to_ms(window.end), now_ms)
    closed = candles.take(candles.open_time + MINUTE_MS <= now_ms)
    frame = pd.DataFrame({name: getattr(closed, name) for name in CANDLE_COLUMNS})
    return frame.assign(open_time=pd.to_datetime(frame["open_time"], unit="ms", utc=True))


def run(source: GeneratedSource, work: Callable[[World], Awaitable[None]]) -> None:
    async def main() -> None:
        async with world(source, Clock(NOW, frozen=True)) as here:
            await work(here)

    asyncio.run(main())


def one_market_each(here: World) -> list[tuple[str, str]]:
    return [(exchange, here.markets(exchange)[0].symbol) for exchange in TRAITS]
