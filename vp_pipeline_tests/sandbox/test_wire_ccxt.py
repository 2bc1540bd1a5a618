"""The real ccxt clients read the source's candles, whole and exact, through every exchange's format."""

import asyncio
from datetime import timedelta
from typing import Any

import ccxt.async_support as ccxt
import pytest

from vp_pipeline.sandbox.candles import MINUTE_MS, Candles, Market
from vp_pipeline.sandbox.clock import Clock
from vp_pipeline.sandbox.generator import GeneratedSource
from vp_pipeline.sandbox.server import serve
from vp_pipeline.sandbox.wire import SPOT_EXCHANGES
from vp_pipeline_tests.sandbox.clients import client, window
from vp_pipeline_tests.sandbox.conftest import NOW

HOUR_MS = 60 * MINUTE_MS


def rows(candles: Candles) -> list[list[float]]:
    columns = (candles.open_time, candles.open, candles.high, candles.low, candles.close, candles.volume)
    return [list(row) for row in zip(*(column.tolist() for column in columns), strict=True)]


def active(source: GeneratedSource, exchange: str, now_ms: int) -> list[Market]:
    return [market for market in source.markets(exchange) if market.is_active(now_ms)]


@pytest.mark.parametrize("exchange", SPOT_EXCHANGES)
def test_an_hour_of_every_market_arrives_exactly(exchange: str, source: GeneratedSource) -> None:
    clock = Clock(NOW, frozen=True)
    start = clock.now_ms() - clock.now_ms() % HOUR_MS - 2 * HOUR_MS

    async def main() -> None:
        async with serve(source, clock) as url, client(url, exchange, clock) as exchange_client:
            listed = await exchange_client.load_markets()
            assert set(listed) == {market.symbol for market in source.markets(exchange)}
            for market in active(source, exchange, clock.now_ms()):
                got = await exchange_client.fetch_ohlcv(market.symbol, **window(exchange, start, 60))
                wanted = source.candles(market, MINUTE_MS, start, start + HOUR_MS, clock.now_ms())
                assert got == rows(wanted), market
                assert len(got) > 20
                assert exchange_client.last_response_headers["Date"] == "Wed, 05 Mar 2025 12:00:30 GMT"

    asyncio.run(main())


@pytest.mark.parametrize("exchange", SPOT_EXCHANGES)
def test_the_newest_row_is_the_open_candle_and_grows(exchange: str, source: GeneratedSource) -> None:
    clock = Clock(NOW, frozen=True)
    symbol = active(source, exchange, clock.now_ms())[0].symbol
    minute = clock.now_ms() - clock.now_ms() % MINUTE_MS

    async def main() -> None:
        async with serve(source, clock) as url, client(url, exchange, clock) as exchange_client:

            async def newest() -> list[float]:
                got = await exchange_client.fetch_ohlcv(symbol, "1m", limit=10)
                last: list[float] = got[-1]
                return last

            half = await newest()
            assert half[0] == minute
            assert half == await newest()
            clock.set(NOW + timedelta(seconds=29), frozen=True)
            nearly = await newest()
            assert nearly[0] == minute
            assert nearly[1] == half[1]
            assert nearly[5] > half[5] > 0

    asyncio.run(main())


@pytest.mark.parametrize(
    ("exchange", "error"),
    [
        ("binance", ccxt.BadSymbol),
        ("binanceus", ccxt.BadSymbol),
        # ccxt takes every 404 for a missing order, and knows no name for the next two.
        ("coinbaseexchange", ccxt.OrderNotFound),
        ("kraken", ccxt.ExchangeError),
        ("bitstamp", ccxt.ExchangeError),
        ("htx", ccxt.BadSymbol),
        ("gate", ccxt.BadSymbol),
        ("okx", ccxt.BadSymbol),
        ("bybit", ccxt.BadSymbol),
        ("bitfinex", ccxt.BadSymbol),
        ("kucoin", ccxt.BadSymbol),
        ("cryptocom", ccxt.BadSymbol),
    ],
)
def test_an_unknown_market_is_refused_as_the_exchange_does(
    exchange: str, error: type[Exception], source: GeneratedSource
) -> None:
    clock = Clock(NOW, frozen=True)

    async def main() -> None:
        async with serve(source, clock) as url, client(url, exchange, clock) as exchange_client:
            listed = await exchange_client.load_markets()
            symbol = active(source, exchange, clock.now_ms())[0].symbol
            listed[symbol]["id"] = "NONESUCH"
            with pytest.raises(error) as caught:
                await exchange_client.fetch_ohlcv(symbol, "1m")
            assert caught.type is error

    asyncio.run(main())


@pytest.mark.parametrize(
    ("exchange", "page"),
    [
        ("binance", 1000),
        ("binanceus", 1000),
        ("htx", 1000),
        ("okx", 300),
        ("bybit", 1000),
        ("kucoin", 1500),
        ("bitstamp", 1000),
        ("cryptocom", 300),
        ("kraken", 720),
        ("gate", 1000),
        ("coinbaseexchange", 300),
    ],
)
def test_no_page_is_longer_than_the_exchange_allows(
    exchange: str, page: int, source: GeneratedSource
) -> None:
    clock = Clock(NOW, frozen=True)

    async def main() -> list[Any]:
        async with serve(source, clock) as url, client(url, exchange, clock) as exchange_client:
            symbol = active(source, exchange, clock.now_ms())[0].symbol
            got: list[Any] = await exchange_client.fetch_ohlcv(
                symbol, "1m", limit=5000 if exchange != "bybit" else 1000
            )
            return got

    assert len(asyncio.run(main())) == page


@pytest.mark.parametrize("exchange", ["binance", "coinbaseexchange", "kraken", "okx", "bybit", "htx", "gate"])
def test_the_server_tells_the_sandbox_time(exchange: str, source: GeneratedSource) -> None:
    clock = Clock(NOW, frozen=True)

    async def main() -> None:
        async with serve(source, clock) as url, client(url, exchange) as exchange_client:
            assert await exchange_client.fetch_time() == clock.now_ms()

    asyncio.run(main())


def test_longer_bars_have_the_exchanges_own_names(source: GeneratedSource) -> None:
    clock = Clock(NOW, frozen=True)

    async def main() -> None:
        async with serve(source, clock) as url:
            for exchange in SPOT_EXCHANGES:
                async with client(url, exchange, clock) as exchange_client:
                    market = active(source, exchange, clock.now_ms())[0]
                    for name, step in (("5m", 5), ("15m", 15), ("1h", 60), ("1d", 1440)):
                        got = await exchange_client.fetch_ohlcv(market.symbol, name, limit=3)
                        now = clock.now_ms()
                        wanted = source.candles(
                            market, step * MINUTE_MS, now - 3 * step * MINUTE_MS, now + 1, now
                        )
                        assert got == rows(wanted)[-3:], (exchange, name)

    asyncio.run(main())
