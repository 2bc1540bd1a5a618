"""The sandbox's own endpoints: clock, health, and faults as the real clients meet them."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import ccxt.async_support as ccxt
import pytest

from vp_pipeline.sandbox.clock import Clock, parse_instant
from vp_pipeline.sandbox.generator import GeneratedSource
from vp_pipeline.sandbox.server import serve
from vp_pipeline_tests.sandbox.clients import client
from vp_pipeline_tests.sandbox.conftest import NOW

Control = Callable[..., Awaitable[tuple[int, Any]]]


def run(
    source: GeneratedSource, clock: Clock, work: Callable[[Control, Callable[[str], Any]], Awaitable[None]]
) -> None:
    """Run `work` with a function for control requests and one that makes a ccxt client."""

    async def main() -> None:
        async with serve(source, clock) as url, aiohttp.ClientSession() as session:

            async def control(name: str, setting: Any = None) -> tuple[int, Any]:
                method = "GET" if setting is None else "PUT"
                async with session.request(method, f"{url}/_sandbox/{name}", json=setting) as response:
                    if response.content_type == "application/json":
                        return response.status, await response.json()
                    return response.status, await response.text()

            await work(control, lambda exchange: client(url, exchange, clock))

    asyncio.run(main())


def test_the_clock_can_be_read_set_and_given_back(source: GeneratedSource) -> None:
    async def work(control: Control, _: Any) -> None:
        status, state = await control("clock", {"now": "2024-02-29T10:00:00Z", "frozen": True})
        assert (status, state) == (
            200,
            {"now": "2024-02-29T10:00:00+00:00", "frozen": True, "real": False},
        )
        assert (await control("clock"))[1] == state
        _, state = await control("clock", {"now": "2024-02-29T10:00:00"})
        assert state["frozen"] is False
        await asyncio.sleep(0.02)
        later = datetime.fromisoformat((await control("clock"))[1]["now"])
        assert timedelta(0) < later - datetime(2024, 2, 29, 10, tzinfo=UTC) < timedelta(seconds=5)
        _, state = await control("clock", {"now": None})
        assert state["real"] is True
        assert abs(datetime.fromisoformat(state["now"]) - datetime.now(UTC)) < timedelta(seconds=5)

    run(source, Clock(NOW, frozen=True), work)


@pytest.mark.parametrize(
    ("setting", "problem"),
    [
        ({"now": "yesterday"}, "ISO 8601"),
        ({}, "now: Field required"),
        ({"now": None, "freeze": True}, "freeze"),
    ],
)
def test_a_wrong_clock_setting_is_explained(
    setting: dict[str, Any], problem: str, source: GeneratedSource
) -> None:
    async def work(control: Control, _: Any) -> None:
        status, text = await control("clock", setting)
        assert status == 400
        assert problem in text

    run(source, Clock(NOW, frozen=True), work)


def test_an_instant_without_offset_is_utc() -> None:
    assert parse_instant("2024-01-01") == datetime(2024, 1, 1, tzinfo=UTC)
    assert parse_instant("2024-01-01T02:00:00+02:00") == datetime(2024, 1, 1, tzinfo=UTC)
    with pytest.raises(ValueError, match="soon"):
        parse_instant("soon")


def test_health_says_what_is_served(source: GeneratedSource) -> None:
    async def work(control: Control, _: Any) -> None:
        status, state = await control("health")
        assert (status, state["status"]) == (200, "ok")
        assert (state["label"], state["source"]) == ("simulated", "simulated, seed 7")
        assert "BTC/BUSD" in state["markets"]["binance"]
        assert state["clock"]["frozen"] is True

    run(source, Clock(NOW, frozen=True), work)


def fault(**details: Any) -> dict[str, Any]:
    return {"faults": [{"exchange": "kraken", **details}]}


@pytest.mark.parametrize(
    ("details", "error"),
    [
        ({"kind": "status", "status": 503}, ccxt.ExchangeNotAvailable),
        ({"kind": "status", "status": 429, "retry_after": 7}, ccxt.RateLimitExceeded),
        # ccxt's asynchronous clients call a body cut short an ExchangeError.
        ({"kind": "truncated"}, ccxt.ExchangeError),
    ],
)
def test_a_fault_reaches_the_client_and_ends_after_its_count(
    details: dict[str, Any], error: type[Exception], source: GeneratedSource
) -> None:
    async def work(control: Control, connect: Callable[[str], Any]) -> None:
        async with connect("kraken") as kraken, connect("binance") as binance:
            await kraken.load_markets()
            await control("faults", fault(count=2, **details))
            assert len(await binance.fetch_ohlcv("BTC/USDT", "1m", limit=3)) == 3
            for left in (1, 0):
                with pytest.raises(error):
                    await kraken.fetch_ohlcv("BTC/USD", "1m")
                active = (await control("faults"))[1]["faults"]
                assert [one["count"] for one in active] == ([left] if left else [])
            assert len(await kraken.fetch_ohlcv("BTC/USD", "1m")) == 720

    run(source, Clock(NOW, frozen=True), work)


def test_a_reset_is_repeated_once_by_the_client_itself(source: GeneratedSource) -> None:
    async def work(control: Control, connect: Callable[[str], Any]) -> None:
        async with connect("kraken") as kraken:
            await kraken.load_markets()  # aiohttp repeats only on a connection that has served before
            await control("faults", fault(kind="reset", count=2))
            with pytest.raises(ccxt.NetworkError):
                await kraken.fetch_ohlcv("BTC/USD", "1m")
            assert (await control("faults"))[1] == {"faults": []}
            await control("faults", fault(kind="reset", count=1))
            assert len(await kraken.fetch_ohlcv("BTC/USD", "1m")) == 720
            assert (await control("faults"))[1] == {"faults": []}

    run(source, Clock(NOW, frozen=True), work)


@pytest.mark.parametrize(("kind", "body"), [("html", "<html>"), ("empty_body", "")])
def test_a_success_that_holds_no_json_is_what_ccxt_takes_for_no_candles(
    kind: str, body: str, source: GeneratedSource
) -> None:
    async def work(control: Control, connect: Callable[[str], Any]) -> None:
        async with connect("kraken") as kraken:
            await kraken.load_markets()
            await control("faults", fault(kind=kind, market="BTC/USD", count=1))
            assert len(await kraken.fetch_ohlcv("ETH/USD", "1m")) == 720
            assert await kraken.fetch_ohlcv("BTC/USD", "1m") == []
            assert kraken.last_http_response.startswith(body)
            assert len(await kraken.fetch_ohlcv("BTC/USD", "1m")) == 720

    run(source, Clock(NOW, frozen=True), work)


def test_retry_after_and_body_are_sent_as_told(source: GeneratedSource) -> None:
    async def work(control: Control, connect: Callable[[str], Any]) -> None:
        body = '{"code": -1003, "msg": "Way too many requests; IP banned."}'
        ban = {"exchange": "binance", "kind": "status", "status": 418, "retry_after": 120, "body": body}
        await control("faults", {"faults": [ban]})
        async with connect("binance") as binance:
            with pytest.raises(ccxt.DDoSProtection, match="IP banned"):
                await binance.load_markets()
            assert binance.last_response_headers["Retry-After"] == "120"
            await control("faults", {"faults": []})
            assert await binance.load_markets()

    run(source, Clock(NOW, frozen=True), work)


def test_a_delay_delays_and_a_client_may_time_out(source: GeneratedSource) -> None:
    async def work(control: Control, connect: Callable[[str], Any]) -> None:
        async with connect("kraken") as kraken:
            await kraken.load_markets()
            await control("faults", fault(kind="delay", seconds=0.3, count=2))
            began = time.monotonic()
            assert len(await kraken.fetch_ohlcv("BTC/USD", "1m")) == 720
            assert time.monotonic() - began >= 0.3
            kraken.timeout = 100
            with pytest.raises(ccxt.RequestTimeout):
                await kraken.fetch_ohlcv("BTC/USD", "1m")

    run(source, Clock(NOW, frozen=True), work)


@pytest.mark.parametrize(
    ("setting", "problem"),
    [
        (fault(kind="status"), "`status`"),
        (fault(kind="delay"), "`seconds`"),
        (fault(kind="reset", seconds=1), "`seconds`"),
        (fault(kind="tornado"), "kind"),
        (fault(kind="reset", count=0), "count"),
        ({"faults": [{"exchange": "krakn", "kind": "reset"}]}, "no exchange 'krakn'; there are binance"),
    ],
)
def test_a_wrong_fault_is_explained(setting: dict[str, Any], problem: str, source: GeneratedSource) -> None:
    async def work(control: Control, _: Any) -> None:
        status, text = await control("faults", setting)
        assert status == 400
        assert problem in text
        assert (await control("faults"))[1] == {"faults": []}

    run(source, Clock(NOW, frozen=True), work)
