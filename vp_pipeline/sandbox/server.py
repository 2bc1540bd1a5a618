"""The sandbox's HTTP server: every exchange below its ccxt id, Binance's archive below
/binance_archive/, the control endpoints below /_sandbox/.
"""

import asyncio
import json
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from email.utils import formatdate

from aiohttp import web

from vp_pipeline.sandbox import archive, control, faults
from vp_pipeline.sandbox.clock import Clock
from vp_pipeline.sandbox.source import CandleSource
from vp_pipeline.sandbox.wire import WIRES
from vp_pipeline.sandbox.wire.base import Endpoint, MarketEndpoint, Query, Wire, WireError

_LOOPBACK = "127.0.0.1"


def create_app(source: CandleSource, clock: Clock) -> web.Application:
    """The application: GET only for exchanges; all answers dated by `clock`."""
    app = web.Application()

    async def date(request: web.Request, response: web.StreamResponse) -> None:
        moment = clock.now_ms() / 1000 + request.get(faults.SKEW, 0)
        response.headers["Date"] = formatdate(moment, usegmt=True)

    app.on_response_prepare.append(date)
    active = faults.Faults(clock)
    control.add_routes(app, source, clock, active)
    archive.add_routes(app, source, clock, active)
    for name, wire_class in WIRES.items():
        wire = wire_class(source)
        for endpoint in wire.endpoints():
            app.router.add_get(f"/{name}{endpoint.path}", _handler(wire, endpoint, clock, active))
    return app


def run(host: str, port: int, source: CandleSource, clock: Clock, ready: Callable[[int], None]) -> None:
    """Serve until SIGTERM or SIGINT; `ready` gets the port once it listens (`port` 0 takes a free one).

    Raises OSError when the address cannot be had.
    """

    async def main() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        async with _listening(host, port, source, clock) as bound:
            ready(bound)
            await stop.wait()

    asyncio.run(main())


@asynccontextmanager
async def serve(source: CandleSource, clock: Clock) -> AsyncIterator[str]:
    """The sandbox within this process, on a free loopback port; yields its base URL."""
    async with _listening(_LOOPBACK, 0, source, clock) as port:
        yield f"http://{_LOOPBACK}:{port}"


@asynccontextmanager
async def _listening(host: str, port: int, source: CandleSource, clock: Clock) -> AsyncIterator[int]:
    runner = web.AppRunner(create_app(source, clock), access_log=None, shutdown_timeout=2)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


def _handler(
    wire: Wire, endpoint: Endpoint | MarketEndpoint, clock: Clock, active: faults.Faults
) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def handle(request: web.Request) -> web.StreamResponse:
        query = Query({**request.query, **request.match_info}, clock.now_ms())
        market = wire.market_of(endpoint, query)
        fault = active.take(wire.exchange, market.symbol if market else None)
        if fault is None:
            return _answer(wire, endpoint, query)
        altered = replace(query, alter=fault.alteration(query.now_ms))
        return await faults.apply(fault, request, _answer(wire, endpoint, altered))

    return handle


def _answer(wire: Wire, endpoint: Endpoint | MarketEndpoint, query: Query) -> web.Response:
    try:
        return _json(200, wire.respond(endpoint, query))
    except WireError as error:
        return _json(error.status, error.body)


def _json(status: int, body: object) -> web.Response:
    text = json.dumps(body, separators=(",", ":"), allow_nan=False)
    return web.Response(status=status, body=text.encode(), content_type="application/json")
