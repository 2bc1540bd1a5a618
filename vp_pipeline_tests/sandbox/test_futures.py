"""The real UMFutures client reads the source's klines through the USD-M futures format."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from binance.error import ClientError
from binance.um_futures import UMFutures

from vp_pipeline.sandbox.candles import DAY_MS, FUTURES, MINUTE_MS, STEPS_MS
from vp_pipeline.sandbox.clock import Clock
from vp_pipeline.sandbox.generator import GeneratedSource
from vp_pipeline.sandbox.server import serve
from vp_pipeline.sandbox.source import CandleSource
from vp_pipeline_tests.sandbox.conftest import NOW


def with_client(source: CandleSource, clock: Clock, work: Callable[[Any], Any]) -> Any:
    def call(url: str) -> Any:
        client = UMFutures(base_url=f"{url}/{FUTURES}", timeout=5)
        with client.session:
            return work(client)

    async def main() -> Any:
        async with serve(source, clock) as url:
            return await asyncio.to_thread(call, url)

    return asyncio.run(main())


@pytest.mark.parametrize("interval", ["1m", "5m", "15m", "1h", "1d"])
def test_klines_have_the_twelve_columns_of_the_source(interval: str, source: GeneratedSource) -> None:
    clock = Clock(NOW, frozen=True)
    step = STEPS_MS[interval]
    start = clock.now_ms() // step * step - 9 * step
    market = next(market for market in source.markets(FUTURES) if market.symbol == "ETH/USDT")
    got = with_client(
        source,
        clock,
        lambda client: client.klines(
            "ETHUSDT", interval, startTime=start, endTime=clock.now_ms(), limit=1500
        ),
    )
    wanted = source.candles(market, step, start, clock.now_ms() + 1, clock.now_ms())
    assert len(got) == 10
    for row, (kline, opened) in enumerate(zip(got, wanted.open_time.tolist(), strict=True)):
        assert kline[0] == opened
        assert kline[6] == opened + step - 1
        assert [float(kline[column]) for column in (1, 2, 3, 4, 5, 7, 9, 10)] == [
            column[row]
            for column in (
                wanted.open,
                wanted.high,
                wanted.low,
                wanted.close,
                wanted.volume,
                wanted.quote_volume,
                wanted.taker_buy_volume,
                wanted.taker_buy_quote_volume,
            )
        ]
        assert kline[8] == wanted.trades[row]
        assert kline[11] == "0"
        assert all(isinstance(kline[column], str) for column in (1, 2, 3, 4, 5, 7, 9, 10, 11))


def test_a_page_is_500_unless_asked_and_1500_at_most(source: GeneratedSource) -> None:
    clock = Clock(NOW, frozen=True)

    def work(client: Any) -> tuple[int, int, int]:
        default, largest = client.klines("BTCUSDT", "1m"), client.klines("BTCUSDT", "1m", limit=5000)
        return len(default), len(largest), default[-1][0]

    minute = clock.now_ms() // MINUTE_MS * MINUTE_MS
    assert with_client(source, clock, work) == (500, 1500, minute)


def test_listing_time_and_ping(source: GeneratedSource) -> None:
    clock = Clock(NOW, frozen=True)

    def work(client: Any) -> None:
        assert client.ping() == {}
        assert client.time() == {"serverTime": clock.now_ms()}
        symbols = {entry["symbol"]: entry["contractType"] for entry in client.exchange_info()["symbols"]}
        wanted = ("BTCUSDT", "ETHUSDT", "XRPUSDT", "BNBUSDT", "SOLUSDT", "OPUSDT", "LINKUSDT")
        assert symbols == dict.fromkeys(wanted, "PERPETUAL")

    with_client(source, clock, work)


def test_an_unknown_symbol_is_a_client_error(source: GeneratedSource) -> None:
    with pytest.raises(ClientError) as caught:
        with_client(source, Clock(NOW, frozen=True), lambda client: client.klines("NONESUCH", "1d"))
    assert (caught.value.status_code, caught.value.error_code) == (400, -1121)


def test_history_starts_where_the_market_does(source: GeneratedSource) -> None:
    got = with_client(
        source, Clock(NOW, frozen=True), lambda client: client.klines("BTCUSDT", "1d", startTime=0, limit=2)
    )
    first = source.markets(FUTURES)[0].listed_ms
    assert [kline[0] for kline in got] == [first, first + DAY_MS]
