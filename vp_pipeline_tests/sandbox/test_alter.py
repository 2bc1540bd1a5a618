"""Faults of content and time, as they arrive in the exchanges' formats."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import numpy as np
import pytest

from vp_pipeline.sandbox.candles import MINUTE_MS, Candles, Market
from vp_pipeline.sandbox.clock import Clock
from vp_pipeline.sandbox.generator import GeneratedSource
from vp_pipeline.sandbox.server import serve
from vp_pipeline.sandbox.source import CandleSource, Label
from vp_pipeline.sandbox.wire import SPOT_EXCHANGES
from vp_pipeline_tests.sandbox.clients import client, window
from vp_pipeline_tests.sandbox.conftest import NOW

NOW_MS = round(NOW.timestamp() * 1000)
HOUR = NOW_MS - NOW_MS % 3_600_000 - 3_600_000
KLINES = "/binance/api/v3/klines?symbol=BTCUSDT&interval=1m"


class Sandbox:
    """A running sandbox, asked by hand."""

    def __init__(self, url: str, session: aiohttp.ClientSession, clock: Clock) -> None:
        self.url, self.session, self.clock = url, session, clock

    async def faults(self, *faults: dict[str, Any]) -> tuple[int, str]:
        async with self.session.put(f"{self.url}/_sandbox/faults", json={"faults": faults}) as response:
            return response.status, await response.text()

    async def klines(self, minutes: int = 60, start: int = HOUR) -> Any:
        asked = f"{KLINES}&startTime={start}&endTime={start + minutes * MINUTE_MS - 1}"
        async with self.session.get(self.url + asked) as response:
            assert response.status == 200
            return await response.json()

    async def date(self) -> str:
        async with self.session.get(self.url + KLINES) as response:
            return response.headers["Date"]


def run(source: CandleSource, work: Any) -> None:
    async def main() -> None:
        clock = Clock(NOW, frozen=True)
        async with serve(source, clock) as url, aiohttp.ClientSession() as session:
            await work(Sandbox(url, session, clock))

    asyncio.run(main())


def fault(kind: str, **details: Any) -> dict[str, Any]:
    return {"exchange": "binance", "kind": kind, **details}


def test_rows_are_missing_doubled_or_out_of_order(source: GeneratedSource) -> None:
    async def work(here: Sandbox) -> None:
        true = await here.klines()
        for kind, expected in (
            ("empty_list", []),
            ("short", true[30:]),
            ("duplicated", [row for row in true for _ in range(2)]),
            ("garbage_rows", [[None] * 12] * 60),
        ):
            await here.faults(fault(kind, market="BTC/USDT"))
            assert await here.klines() == expected
        await here.faults(fault("reordered"))
        reordered = await here.klines()
        assert reordered != true
        assert sorted(reordered) == true
        await here.faults(fault("stalled", minutes=20))  # the last of the hour opened a minute ago
        assert await here.klines() == true[:41]
        await here.faults(fault("reordered", market="ETH/USDT"))
        assert await here.klines() == true

    run(source, work)


def test_young_candles_are_revised_when_their_time_has_come(source: GeneratedSource) -> None:
    async def work(here: Sandbox) -> None:
        true = await here.klines(60, HOUR + 3_600_000 - 59 * MINUTE_MS)  # the last is open
        await here.faults(fault("revised", minutes=3))
        early = await here.klines(60, HOUR + 3_600_000 - 59 * MINUTE_MS)
        changed = [index for index in range(60) if early[index] != true[index]]
        assert changed == [56, 57, 58]  # closed less than 3 minutes ago
        assert float(early[57][5]) == pytest.approx(0.75 * float(true[57][5]))
        assert early[57][:5] == true[57][:5]
        here.clock.set(NOW + timedelta(minutes=4), frozen=True)
        assert (await here.klines(60, HOUR + 3_600_000 - 59 * MINUTE_MS))[:59] == true[:59]

    run(source, work)


@pytest.mark.parametrize("seconds", [-40, 3600])
def test_the_date_is_off(seconds: int, source: GeneratedSource) -> None:
    async def work(here: Sandbox) -> None:
        await here.faults(fault("skew", seconds=seconds, count=1))
        expected = (NOW + timedelta(seconds=seconds)).strftime("%a, %d %b %Y %H:%M:%S GMT")
        assert await here.date() == expected
        assert await here.date() == "Wed, 05 Mar 2025 12:00:30 GMT"

    run(source, work)


def test_a_drip_is_whole_and_slow_and_a_kept_cut_is_half(source: GeneratedSource) -> None:
    async def work(here: Sandbox) -> None:
        true = await here.klines()
        await here.faults(fault("drip", seconds=0.5))
        began = asyncio.get_running_loop().time()
        assert await here.klines() == true
        assert 0.5 <= asyncio.get_running_loop().time() - began < 5
        await here.faults(fault("truncated", connection="kept"))
        async with here.session.get(here.url + KLINES) as response:
            assert response.status == 200
            body = await response.read()
        assert len(body) == response.content_length
        assert not body.endswith(b"]]")

    run(source, work)


def test_a_fault_has_its_hours_by_the_sandboxs_clock(source: GeneratedSource) -> None:
    async def work(here: Sandbox) -> None:
        hours = {"start": "2025-03-05T12:30:00Z", "end": "2025-03-05T13:30:00"}
        status, text = await here.faults(fault("skew", seconds=5, count=5, **hours))
        assert status == 200
        assert '"start": "2025-03-05T12:30:00Z"' in text
        for minute, second in ((0, 30), (30, 35), (60, 35), (89, 35), (90, 30), (300, 30)):
            here.clock.set(NOW + timedelta(minutes=minute), frozen=True)
            assert int((await here.date())[23:25]) == second
        async with here.session.get(f"{here.url}/_sandbox/faults") as response:
            assert (await response.json())["faults"][0]["count"] == 2

    run(source, work)


def test_listings_do_not_meet_faults_of_candles(source: GeneratedSource) -> None:
    async def work(here: Sandbox) -> None:
        await here.faults(fault("garbage_rows", count=1))
        async with here.session.get(f"{here.url}/binance/api/v3/exchangeInfo") as response:
            assert (await response.json())["symbols"][0]["symbol"] == "BTCUSDT"
        assert await here.klines() == [[None] * 12] * 60

    run(source, work)


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        (fault("drip"), "`seconds`"),
        (fault("drip", seconds=-1), "above 0"),
        (fault("delay", seconds=601), "at most 600"),
        (fault("skew"), "`seconds`"),
        (fault("skew", seconds=1e6), "seconds"),
        (fault("revised"), "`minutes`"),
        (fault("stalled"), "`minutes`"),
        (fault("short", minutes=1), "`minutes`"),
        (fault("reset", connection="kept"), "`connection`"),
        (fault("truncated", connection="half"), "connection"),
        (fault("reset", start="soon"), "ISO 8601"),
        (fault("reset", start="2025-03-05", end="2025-03-04"), "`end` is after `start`"),
        ({"exchange": "binance_archive", "kind": "short"}, "not with binance_archive"),
    ],
    ids=str,
)
def test_a_wrong_fault_is_explained(wrong: dict[str, Any], problem: str, source: GeneratedSource) -> None:
    async def work(here: Sandbox) -> None:
        status, text = await here.faults(wrong)
        assert status == 400
        assert problem in text

    run(source, work)


class WithoutTurnover:
    """Candles as a recording of six columns has them."""

    label: Label = "recorded"
    description = "six columns"

    def __init__(self, source: GeneratedSource) -> None:
        self._source = source

    def markets(self, exchange: str) -> Sequence[Market]:
        return self._source.markets(exchange)

    def candles(self, market: Market, step_ms: int, start_ms: int, stop_ms: int, now_ms: int) -> Candles:
        candles = self._source.candles(market, step_ms, start_ms, stop_ms, now_ms)
        names = ("quote_volume", "trades", "taker_buy_volume", "taker_buy_quote_volume")
        return replace(candles, **{name: np.full(len(candles), np.nan) for name in names})


@pytest.mark.parametrize("exchange", SPOT_EXCHANGES)
def test_what_is_not_known_is_null_and_ccxt_reads_the_rest(exchange: str, source: GeneratedSource) -> None:
    clock = Clock(datetime(2025, 3, 5, 12, tzinfo=UTC), frozen=True)
    told = exchange not in ("coinbaseexchange", "bitfinex", "bitstamp", "cryptocom")

    async def main() -> None:
        async with (
            serve(WithoutTurnover(source), clock) as url,
            serve(source, clock) as whole,
            client(url, exchange, clock) as reader,
            client(whole, exchange, clock) as other,
        ):
            symbol = source.markets(exchange)[0].symbol
            rows = await reader.fetch_ohlcv(symbol, **window(exchange, HOUR, 60))
            assert rows == await other.fetch_ohlcv(symbol, **window(exchange, HOUR, 60))
            assert len(rows) > 30
            assert ("null" in reader.last_http_response) == told

    asyncio.run(main())
