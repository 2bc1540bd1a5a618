"""Whom a failure concerns: a symbol, an exchange, and never the others."""

import asyncio
import gc
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import ccxt.async_support
import pytest

from vp_pipeline.exchanges import spot
from vp_pipeline.exchanges.errors import FetchError
from vp_pipeline.exchanges.frames import Fetched
from vp_pipeline.exchanges.patience import Patience
from vp_pipeline.exchanges.spot_client import SpotClient
from vp_pipeline.exchanges.traits import TRAITS
from vp_pipeline.sandbox.generator import GeneratedSource
from vp_pipeline.windows import MINUTE, Window
from vp_pipeline_tests.exchanges.conftest import ONCE
from vp_pipeline_tests.exchanges.worlds import WINDOW, World, fetch_all, one_market_each, run


def test_an_unknown_symbol_concerns_itself_alone(source: GeneratedSource) -> None:
    async def work(here: World) -> None:
        known = one_market_each(here)
        unknown = [(exchange, "NOPE/USDT") for exchange in TRAITS]
        outcomes = await fetch_all([*unknown, *known], WINDOW, here.hosts, None, ONCE)
        for key in known:
            assert isinstance(outcomes[key], Fetched), key
        for key in unknown:
            refused = outcomes[key]
            assert isinstance(refused, FetchError)
            assert not refused.retryable
            assert refused.market == f"{key[0]} NOPE/USDT"
            assert "does not list it: correct or retire it in the markets file" in refused.reason

    run(source, work)


def test_an_unknown_exchange_concerns_itself_alone(source: GeneratedSource) -> None:
    async def work(here: World) -> None:
        wanted = [("ftx", "BTC/USD"), ("binance", "BTC/USDT"), ("ftx", "BTC/USDT")]
        outcomes = await fetch_all(wanted, WINDOW, here.hosts, None, ONCE)
        assert isinstance(outcomes["binance", "BTC/USDT"], Fetched)
        for symbol in ("BTC/USD", "BTC/USDT"):
            refused = outcomes["ftx", symbol]
            assert isinstance(refused, FetchError)
            assert str(refused).startswith(f"ftx {symbol}: ccxt knows no exchange of this id: correct it")
            assert not refused.retryable

    run(source, work)


@pytest.mark.parametrize("failing", [None, 0, 2])
def test_windows_side_by_side_are_as_one_after_the_other(
    failing: int | None, source: GeneratedSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    windows = list(WINDOW.split(12 * MINUTE))
    under_way: list[Window] = []
    most = 0
    fetch = SpotClient.fetch

    async def watched(self: SpotClient, symbol: str, window: Window) -> Fetched:
        nonlocal most
        under_way.append(window)
        most = max(most, len(under_way))
        try:
            await asyncio.sleep(0)
            if failing is not None and window == windows[failing]:
                raise FetchError(symbol, "no")
            return await fetch(self, symbol, window)
        finally:
            under_way.remove(window)

    monkeypatch.setattr(SpotClient, "fetch", watched)

    async def work(here: World) -> None:
        nonlocal most
        key = ("bybit", "BTC/USDT")
        told = []
        for at_once in (1, 3):
            most = 0
            found = (await spot.fetch_all({key: windows}, here.hosts, None, ONCE, at_once=at_once))[key]
            assert most == at_once
            told.append([(o.window, len(o.frame)) if isinstance(o, Fetched) else o.reason for o in found])
        assert told[0] == told[1]
        assert len(told[0]) == (1 if failing == 0 else len(windows))

    run(source, work)


def test_a_window_begins_when_one_ends_and_not_all(
    source: GeneratedSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, third = list(WINDOW.split(WINDOW.count(MINUTE) // 3 * MINUTE))[:3]
    begun: list[Window] = []
    third_began = asyncio.Event()
    fetch = SpotClient.fetch

    async def watched(self: SpotClient, symbol: str, window: Window) -> Fetched:
        begun.append(window)
        if window == second:
            await asyncio.wait_for(third_began.wait(), 10)
        if window == third:
            third_began.set()
        return await fetch(self, symbol, window)

    monkeypatch.setattr(SpotClient, "fetch", watched)

    async def work(here: World) -> None:
        key = ("bybit", "BTC/USDT")
        windows = [first, second, third]
        found = (await spot.fetch_all({key: windows}, here.hosts, None, ONCE, at_once=2))[key]
        assert [outcome.window for outcome in found if isinstance(outcome, Fetched)] == windows
        assert begun == windows

    run(source, work)


def test_a_market_of_which_nothing_is_wanted_has_no_outcome(source: GeneratedSource) -> None:
    async def work(here: World) -> None:
        key = ("bybit", "BTC/USDT")
        assert await spot.fetch_all({key: []}, here.hosts, None, ONCE) == {key: []}

    run(source, work)


@asynccontextmanager
async def mute_host(connections: list[asyncio.StreamWriter] | None = None) -> AsyncIterator[str]:
    """A host that takes connections, which it lists, and never says a word."""
    writers = [] if connections is None else connections

    async def hold(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)

    server = await asyncio.start_server(hold, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        for writer in writers:
            writer.close()
        server.close()
        await server.wait_closed()


def test_a_dead_exchange_neither_breaks_nor_delays_the_others(source: GeneratedSource) -> None:
    timeout = 0.4
    ended: dict[str, float] = {}
    close = SpotClient.__aexit__

    async def work(here: World) -> None:
        async with mute_host() as dead:
            markets = [("kraken", market.symbol) for market in here.markets("kraken")]
            wanted = [*markets, ("binance", "BTC/USDT"), ("okx", "BTC/USDT")]
            hosts = {**here.hosts, "kraken": dead}
            began = time.monotonic()

            async def noted(self: SpotClient, *rest: object) -> None:
                ended[self.exchange] = time.monotonic() - began
                await close(self, *rest)

            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(SpotClient, "__aexit__", noted)
                outcomes = await fetch_all(wanted, WINDOW, hosts, None, Patience(2, timeout, 0.01))
        for key in markets:
            dead_market = outcomes[key]
            assert isinstance(dead_market, FetchError)
            assert dead_market.retryable
            assert "no answer in time" in dead_market.reason
        assert isinstance(outcomes["binance", "BTC/USDT"], Fetched)
        assert isinstance(outcomes["okx", "BTC/USDT"], Fetched)
        # Two attempts for all five markets together, and the others long gone by then.
        assert 2 * timeout <= ended["kraken"] < 2 * timeout + 1
        assert ended["binance"] < ended["kraken"]
        assert ended["okx"] < ended["kraken"]

    run(source, work)


def test_a_closed_port_cannot_be_reached(source: GeneratedSource) -> None:
    async def work(here: World) -> None:
        async with mute_host() as gone:
            pass
        hosts = {**here.hosts, "kraken": gone}
        outcomes = await fetch_all(
            [("kraken", "BTC/USD"), ("binance", "BTC/USDT")], WINDOW, hosts, None, ONCE
        )
        refused = outcomes["kraken", "BTC/USD"]
        assert isinstance(refused, FetchError)
        assert refused.retryable
        assert "cannot be reached" in refused.reason
        assert isinstance(outcomes["binance", "BTC/USDT"], Fetched)

    run(source, work)


def test_clients_are_closed_however_it_ends(source: GeneratedSource, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[Any] = []
    open_session = ccxt.async_support.Exchange.open

    def noted(self: Any, *arguments: Any) -> None:
        open_session(self, *arguments)
        if self.session not in opened:
            opened.append(self.session)

    monkeypatch.setattr(ccxt.async_support.Exchange, "open", noted)

    async def work(here: World) -> None:
        await here.faults({"exchange": "okx", "kind": "html"}, {"exchange": "gate", "kind": "reset"})
        await fetch_all(one_market_each(here), WINDOW, here.hosts, None, ONCE)
        assert len(opened) == len(TRAITS)
        async with mute_host() as dead:
            hosts = dict.fromkeys(here.hosts, dead)
            asking = asyncio.create_task(fetch_all(one_market_each(here), WINDOW, hosts, None, ONCE))
            while len(opened) < 2 * len(TRAITS):
                assert not asking.done()
                await asyncio.sleep(0.01)
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking
        assert len(opened) == 2 * len(TRAITS)
        assert all(session.closed for session in opened)

    run(source, work)
    gc.collect()  # a session left open would warn now, which is an error
