"""Answers of exchanges that are nearly right, read by the real clients.

A server on loopback passes on what the sandbox answers, until it is told to answer with other bytes. Here
belong that server and the clients; what is spoiled how is in `mutate`.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from email.utils import format_datetime

import aiohttp
import numpy as np
from aiohttp import web

from vp_pipeline.exchanges import futures
from vp_pipeline.exchanges.breaker import Breaker
from vp_pipeline.exchanges.errors import FetchError
from vp_pipeline.exchanges.frames import Fetched
from vp_pipeline.exchanges.futures import FuturesClient
from vp_pipeline.exchanges.patience import Patience
from vp_pipeline.exchanges.spot_client import SpotClient
from vp_pipeline.exchanges.traits import TRAITS
from vp_pipeline.sandbox.clock import Clock
from vp_pipeline.sandbox.generator import GeneratedSource
from vp_pipeline.windows import MINUTE
from vp_pipeline_tests.exchanges.worlds import NOW, WINDOW, world
from vp_pipeline_tests.fuzz.targets import said_clearly

_ONCE = Patience(attempts=1, timeout_seconds=5.0, pause_seconds=0.0)
_MOST_REQUESTS = 500


@dataclass
class Exchange:
    """A client that has its listings, and true answers: the first about listings, the last about candles."""

    symbol: str
    client: SpotClient | FuturesClient
    candles: bytes = b""
    listings: bytes = b""

    @property
    def lists(self) -> bool:
        """Whether it is asked what it lists before it is asked for candles."""
        return isinstance(self.client, SpotClient)


@dataclass
class Relay:
    """The server: `body` is what it answers to so many requests, then the sandbox's own answers."""

    address: str = ""
    body: bytes = b""
    times: int = 0
    status: int = 200
    requests: int = 0
    answers: list[bytes] = field(default_factory=list)
    exchanges: dict[str, Exchange] = field(default_factory=dict)

    async def candles(self, exchange: str, body: bytes, status: int = 200) -> bool:
        """Fetch candles that are answered so: True if some were believed, False if refused in words."""
        self.body, self.status, self.times = body, status, _MOST_REQUESTS
        of = self.exchanges[exchange]
        # Each is the first of its session: no failure before it has closed the exchange to us.
        of.client._breaker = Breaker(None, exchange, None)
        return await self._fetched(of)

    async def listings(self, exchange: str, body: bytes, status: int = 200) -> bool:
        """The same where the first request is for what the exchange lists, and is answered so."""
        self.body, self.status, self.times = body, status, 1
        of = self.exchanges[exchange]
        assert isinstance(of.client, SpotClient)
        of.client._breaker, of.client._listings = Breaker(None, exchange, None), None
        return await self._fetched(of)

    def client(self, exchange: str, symbol: str) -> SpotClient:
        """A new client of the exchange that does not wait between requests."""
        made = SpotClient(exchange, [symbol], f"{self.address}/{exchange}", None, _ONCE)
        made._ccxt.enableRateLimit = False
        return made

    async def _fetched(self, of: Exchange) -> bool:
        self.requests, client = 0, of.client
        try:
            if isinstance(client, SpotClient):
                outcome = await client.fetch(of.symbol, WINDOW)
            else:
                outcome = await asyncio.to_thread(client.fetch, of.symbol, "5m", 5 * MINUTE, WINDOW)
        except FetchError as error:
            said_clearly(error)
            return False
        finally:
            self.times = 0
        assert self.requests < _MOST_REQUESTS, f"{self.requests} requests for one hour"
        _is_sound(outcome)
        return len(outcome.frame) > 0

    async def answer(
        self, request: web.Request, sandbox: str, session: aiohttp.ClientSession
    ) -> web.Response:
        """What was put in its place, or the sandbox's own."""
        self.requests += 1
        if self.times > 0:
            self.times -= 1
            body, status, date = self.body, self.status, format_datetime(NOW, usegmt=True)
        else:
            async with session.get(sandbox + request.path_qs) as real:
                body, status, date = await real.read(), real.status, real.headers["Date"]
            self.answers.append(body)
        return web.Response(body=body, status=status, content_type="application/json", headers={"Date": date})


def _is_sound(outcome: Fetched) -> None:
    frame, window = outcome.frame, outcome.window
    assert frame["open_time"].is_monotonic_increasing
    assert frame["open_time"].is_unique
    assert outcome.answered.start >= window.start
    assert outcome.answered.end <= window.end
    if len(frame):
        assert frame["open_time"].iloc[0] >= window.start
        assert frame["open_time"].iloc[-1] < window.end
    for name in ("open", "high", "low", "close", "volume"):
        values = frame[name].to_numpy(dtype=np.float64)
        assert np.isfinite(values).all()
        assert (values >= 0).all()
    assert (frame["low"] <= frame["high"]).all()


@asynccontextmanager
async def relay(source: GeneratedSource) -> AsyncIterator[Relay]:
    """Every exchange behind one server, listings and time asked for already."""
    state = Relay()
    async with AsyncExitStack() as stack:
        here = await stack.enter_async_context(world(source, Clock(NOW, frozen=True)))
        session = await stack.enter_async_context(aiohttp.ClientSession())

        async def handle(request: web.Request) -> web.Response:
            return await state.answer(request, here.url, session)

        app = web.Application()
        app.router.add_route("*", "/{rest:.*}", handle)
        runner = web.AppRunner(app)
        stack.push_async_callback(runner.cleanup)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        state.address = f"http://127.0.0.1:{runner.addresses[0][1]}"
        for exchange in TRAITS:
            symbol = here.markets(exchange)[0].symbol
            client = await stack.enter_async_context(state.client(exchange, symbol))
            state.exchanges[exchange] = Exchange(symbol, client)
        bars = FuturesClient(f"{state.address}/{futures.EXCHANGE}", _ONCE)
        state.exchanges[futures.EXCHANGE] = Exchange("BTCUSDT", bars)
        for name, of in state.exchanges.items():
            state.answers.clear()
            assert await state._fetched(of), name
            of.listings, of.candles = state.answers[0], state.answers[-1]
        yield state
