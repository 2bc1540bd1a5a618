"""Where the exchanges stop: page limits that are errors, lost history, retired markets, ranges."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import ccxt.async_support as ccxt
import pytest

from vp_pipeline.sandbox.candles import DAY_MS, MINUTE_MS
from vp_pipeline.sandbox.clock import Clock
from vp_pipeline.sandbox.generator import GeneratedSource
from vp_pipeline.sandbox.server import serve
from vp_pipeline_tests.sandbox.clients import client, window
from vp_pipeline_tests.sandbox.conftest import NOW

Get = Callable[..., Awaitable[tuple[int, Any]]]


def ask(source: GeneratedSource, clock: Clock, question: Callable[[Get], Awaitable[None]]) -> None:
    async def main() -> None:
        async with serve(source, clock) as url, aiohttp.ClientSession() as session:

            async def get(path: str, **parameters: Any) -> tuple[int, Any]:
                async with session.get(url + path, params=parameters) as response:
                    return response.status, await response.json()

            await question(get)

    asyncio.run(main())


def test_coinbase_refuses_more_than_300_candles(source: GeneratedSource) -> None:
    async def question(get: Get) -> None:
        path = "/coinbaseexchange/products/BTC-USD/candles"
        status, body = await get(
            path, granularity=60, start="2025-03-05T00:00:00Z", end="2025-03-05T04:59:00Z"
        )
        assert (status, len(body)) == (200, 300)
        assert body[0][0] > body[-1][0]
        status, body = await get(
            path, granularity=60, start="2025-03-05T00:00:00Z", end="2025-03-05T05:00:00Z"
        )
        assert status == 400
        assert "exceeds 300" in body["message"]
        status, body = await get(path, granularity=60, start="2025-03-05T00:00:00Z")
        newest = datetime.fromtimestamp(body[0][0], UTC)
        assert newest == NOW.replace(second=0)  # a start alone is ignored

    ask(source, Clock(NOW, frozen=True), question)


def test_kraken_has_lost_what_is_older_than_720_candles(source: GeneratedSource) -> None:
    clock = Clock(NOW, frozen=True)
    oldest = clock.now_ms() // MINUTE_MS * MINUTE_MS - 719 * MINUTE_MS

    async def main() -> None:
        async with serve(source, clock) as url, client(url, "kraken", clock) as kraken:
            got = await kraken.fetch_ohlcv("BTC/USD", "1m", since=oldest - DAY_MS)
            assert (len(got), got[0][0]) == (720, oldest)
            # Asked for an hour that is gone, it answers with the first hour it has: a trap for callers.
            other = await kraken.fetch_ohlcv("BTC/USD", **window("kraken", oldest - DAY_MS, 60))
            assert (len(other), other[0][0]) == (60, oldest)

    asyncio.run(main())


def test_gate_refuses_what_is_older_than_10000_candles(source: GeneratedSource) -> None:
    clock = Clock(NOW, frozen=True)
    minute = clock.now_ms() // MINUTE_MS * MINUTE_MS

    async def main() -> None:
        async with serve(source, clock) as url, client(url, "gate", clock) as gate:
            edge = window("gate", minute - 9_999 * MINUTE_MS, 60)
            assert len(await gate.fetch_ohlcv("BTC/USDT", **edge)) == 60
            with pytest.raises(ccxt.BadRequest, match="too long ago"):
                await gate.fetch_ohlcv("BTC/USDT", **window("gate", minute - 10_001 * MINUTE_MS, 60))

    asyncio.run(main())


def test_gate_takes_a_limit_or_a_range_but_not_both(source: GeneratedSource) -> None:
    async def question(get: Get) -> None:
        now = int(NOW.timestamp())
        path = "/gate/api/v4/spot/candlesticks"
        status, body = await get(
            path, currency_pair="BTC_USDT", interval="1m", limit=5, **{"from": now - 600}
        )
        assert (status, body["label"]) == (400, "INVALID_PARAM_VALUE")
        status, body = await get(path, currency_pair="BTC_USDT", interval="1m", **{"from": now - 70_000})
        assert (status, "too broad" in body["message"]) == (400, True)
        status, body = await get(path, currency_pair="BTC_USDT", interval="1m", limit=2)
        assert [row[-1] for row in body] == ["true", "false"]

    ask(source, Clock(NOW, frozen=True), question)


def test_okx_keeps_the_newest_rows_and_recent_minutes_apart(source: GeneratedSource) -> None:
    clock = Clock(NOW, frozen=True)
    minute = clock.now_ms() // MINUTE_MS * MINUTE_MS

    async def question(get: Get) -> None:
        recent, history = "/okx/api/v5/market/candles", "/okx/api/v5/market/history-candles"
        start = minute - 100 * MINUTE_MS
        bounds = {"before": start - 1, "after": start + 60 * MINUTE_MS}
        _, body = await get(recent, instId="BTC-USDT", bar="1m", limit=10, **bounds)
        times = [int(row[0]) for row in body["data"]]
        assert times == [start + offset * MINUTE_MS for offset in range(59, 49, -1)]
        _, body = await get(recent, instId="BTC-USDT", bar="1m", limit=1)
        assert (int(body["data"][0][0]), body["data"][0][8]) == (minute, "0")
        old = {"before": minute - 2 * DAY_MS - 1, "after": minute - 2 * DAY_MS + MINUTE_MS}
        _, body = await get(recent, instId="BTC-USDT", bar="1m", **old)
        assert body["data"] == []
        _, body = await get(history, instId="BTC-USDT", bar="1m", **old)
        assert len(body["data"]) == 1
        _, body = await get(history, instId="BTC-USDT", bar="1m", limit=1)
        assert (int(body["data"][0][0]), body["data"][0][8]) == (minute - MINUTE_MS, "1")

    ask(source, clock, question)


def test_bitfinex_pages_are_100_unless_asked_and_skip_minutes_without_a_trade(
    source: GeneratedSource,
) -> None:
    async def question(get: Get) -> None:
        path = "/bitfinex/v2/candles/trade:1m:tETHUSD/hist"
        _, newest_first = await get(path)
        assert len(newest_first) == 100
        assert newest_first[0][0] > newest_first[-1][0]
        _, page = await get(path, limit=20_000, sort=1)
        assert len(page) == 10_000
        assert page[0][0] == int(datetime(2020, 1, 1, tzinfo=UTC).timestamp()) * 1000
        assert page[-1][0] - page[0][0] > 9_999 * MINUTE_MS

    ask(source, Clock(NOW, frozen=True), question)


def test_a_retired_market_is_listed_inactive_and_keeps_its_history(source: GeneratedSource) -> None:
    clock = Clock(NOW, frozen=True)
    retired = datetime(2023, 12, 15, tzinfo=UTC)

    async def main() -> None:
        async with serve(source, clock) as url, client(url, "binance", clock) as binance:
            listed = await binance.load_markets()
            assert (listed["BTC/BUSD"]["active"], listed["BTC/USDT"]["active"]) == (False, True)
            got = await binance.fetch_ohlcv("BTC/BUSD", "1m", limit=3)
            assert [row[0] for row in got] == [
                int((retired - timedelta(minutes=back)).timestamp()) * 1000 for back in (3, 2, 1)
            ]
            since = int(retired.timestamp()) * 1000
            assert await binance.fetch_ohlcv("BTC/BUSD", "1m", since=since) == []

    asyncio.run(main())


CANDLESTICK = "/cryptocom/exchange/v1/public/get-candlestick"


@pytest.mark.parametrize(
    ("path", "parameters", "status", "expected"),
    [
        ("/binance/api/v3/klines", {"interval": "1m"}, 400, {"code": -1102}),
        ("/binance/api/v3/klines", {"symbol": "BTCUSDT", "interval": "7m"}, 400, {"code": -1120}),
        (
            "/binance/api/v3/klines",
            {"symbol": "BTCUSDT", "interval": "1m", "limit": "many"},
            400,
            {"code": -1100},
        ),
        ("/okx/api/v5/market/candles", {"instId": "BTC-USDT", "bar": "7m"}, 200, {"code": "51000"}),
        ("/bybit/v5/market/kline", {"symbol": "BTCUSDT", "interval": "7"}, 200, {"retCode": 10001}),
        ("/bitstamp/api/v2/ohlc/btcusd/", {"step": "60", "limit": "1001"}, 400, {"status": "error"}),
        ("/kucoin/api/v1/market/candles", {"symbol": "BTC-USDT"}, 200, {"code": "400100"}),
        (CANDLESTICK, {"instrument_name": "BTC_USD", "timeframe": "7m"}, 400, {"code": 40003}),
        ("/htx/market/history/candles", {"symbol": "btcusdt", "period": "7min"}, 200, {"status": "error"}),
        (
            "/kraken/0/public/OHLC",
            {"pair": "XBTUSD", "interval": "7"},
            200,
            {"error": ["EGeneral:Invalid arguments:interval"]},
        ),
    ],
)
def test_a_senseless_parameter_is_refused_in_the_exchanges_own_words(
    path: str, parameters: dict[str, str], status: int, expected: dict[str, Any], source: GeneratedSource
) -> None:
    async def question(get: Get) -> None:
        got_status, body = await get(path, **parameters)
        assert got_status == status
        assert {name: body[name] for name in expected} == expected

    ask(source, Clock(NOW, frozen=True), question)
