"""A recording comes back through the real clients exactly as it was recorded, and never early."""

import asyncio
import gzip
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from vp_pipeline.recordings.folder import Recording, SpotSeries, scan
from vp_pipeline.sandbox.candles import MINUTE_MS
from vp_pipeline.sandbox.clock import Clock
from vp_pipeline.sandbox.replay import ReplaySource
from vp_pipeline.sandbox.server import serve
from vp_pipeline_tests.sandbox.clients import client, window
from vp_pipeline_tests.sandbox.test_futures import with_client

# Kraken could give 720; 300 is what the smallest of the others gives.
PAGES = {"binance": 1000, "binanceus": 1000, "bybit": 1000, "kraken": 600}
SMALLEST_PAGE = 300


def milliseconds(instant: datetime) -> int:
    return round(instant.timestamp() * 1000)


@pytest.fixture(scope="module")
def recording(recorded_data: Path) -> Recording:
    return scan(recorded_data)


def test_every_recorded_minute_arrives_exactly(recording: Recording, recorded_data: Path) -> None:
    folder = recorded_data / "minute_2023-03-09_12"
    wanted = [series for series in recording.spot if series.path.parent == folder]
    assert len(wanted) == 15
    clock = Clock(wanted[0].start, frozen=True)

    async def pull(url: str, series: SpotSeries) -> list[list[float]]:
        page = PAGES.get(series.exchange, SMALLEST_PAGE)
        first, last = milliseconds(series.start), milliseconds(series.end)
        rows: list[list[float]] = []
        async with client(url, series.exchange, clock) as exchange_client:
            for start in range(first, last, page * MINUTE_MS):
                end = min(start + page * MINUTE_MS, last)
                clock.set(datetime.fromtimestamp(end / 1000, UTC), frozen=True)
                minutes = (end - start) // MINUTE_MS
                rows += await exchange_client.fetch_ohlcv(
                    f"{series.base}/{series.quote}", **window(series.exchange, start, minutes)
                )
        return rows

    async def main() -> None:
        async with serve(ReplaySource(recording), clock) as url:
            for series in wanted:
                assert await pull(url, series) == file_rows(series.path), series.path.name

    asyncio.run(main())


def file_rows(path: Path) -> list[list[float]]:
    """The first six columns as the interpreter itself reads them."""
    with gzip.open(path, "rt") as lines:
        next(lines)
        rows = (line.split(",") for line in lines)
        return [[int(row[0]), *(float(cell) for cell in row[1:6])] for row in rows]


def test_what_was_not_recorded_is_null_on_the_futures_wire(recording: Recording) -> None:
    clock = Clock(datetime(2025, 2, 1, tzinfo=UTC), frozen=True)
    start = milliseconds(datetime(2025, 1, 1, tzinfo=UTC))

    def work(client: Any) -> list[list[Any]]:
        got: list[list[Any]] = client.klines("BTCUSDT", "5m", startTime=start, limit=2)
        return got

    first, _ = with_client(ReplaySource(recording), clock, work)
    assert [float(cell) for cell in first[1:6]] == [93548.8, 93690.0, 93514.2, 93648.4, 341.604]
    assert [first[column] for column in (7, 8, 9, 10)] == [None] * 4


def test_recorded_days_and_minutes_are_futures_klines(recording: Recording) -> None:
    clock = Clock(datetime(2024, 3, 1, tzinfo=UTC), frozen=True)

    def work(client: Any) -> tuple[list[Any], list[Any], list[Any]]:
        start = milliseconds(datetime(2021, 1, 1, tzinfo=UTC))
        days = client.klines("BTCUSDT", "1d", startTime=start, limit=1500)
        february = milliseconds(datetime(2023, 2, 1, tzinfo=UTC))
        minutes = client.klines("LINKUSDT", "1m", startTime=february, limit=1)
        return days, minutes, client.klines("LINKUSDT", "1h", limit=1)

    days, minutes, hours = with_client(ReplaySource(recording), clock, work)
    assert len(days) == 1126
    assert days[0][:6] == [1609459200000, "28923.63", "29600.0", "28624.57", "29331.69", "54182.925011"]
    assert days[0][8] == 1314910
    (minute,) = minutes
    assert minute[:7] == [1675209600000, "6.949", "6.959", "6.947", "6.957", "30020.25", 1675209659999]
    assert minute[7:] == ["208718.48852", 471, "10610.28", "73780.89351", "0"]
    assert hours == []  # an interval that was not recorded


@pytest.fixture
def small(tmp_path: Path) -> ReplaySource:
    """Three minutes of one market of Kraken, which keeps minutes without a trade, one of them missing."""
    folder = tmp_path / "minute"
    folder.mkdir()
    rows = ["60000,10,12,9,11,0.00000001", "180000,10,12,9,11,0.00039906", "240000,11,11,11,11,0"]
    lines = ["open_time_ms,open,high,low,close,volume", *rows]
    (folder / "kraken_BTC-USD.csv").write_text("\n".join(lines) + "\n")
    return ReplaySource(scan(tmp_path))


def test_a_candle_is_not_served_before_it_has_closed(small: ReplaySource) -> None:
    market = small.markets("kraken")[0]

    def served(now_ms: int) -> list[int]:
        return [int(time) for time in small.candles(market, MINUTE_MS, 0, 10**12, now_ms).open_time]

    assert served(119_999) == []
    assert served(120_000) == [60_000]
    assert served(239_999) == [60_000]
    assert served(10**12) == [60_000, 180_000, 240_000]


def test_missing_minutes_stay_missing_and_small_numbers_stay_exact(small: ReplaySource) -> None:
    clock = Clock(datetime.fromtimestamp(300, UTC), frozen=True)

    async def main() -> list[list[float]]:
        async with serve(small, clock) as url, client(url, "kraken", clock) as kraken:
            assert list(await kraken.load_markets()) == ["BTC/USD"]
            got: list[list[float]] = await kraken.fetch_ohlcv("BTC/USD", "1m")
            return got

    assert asyncio.run(main()) == [
        [60_000, 10, 12, 9, 11, 1e-8],
        [180_000, 10, 12, 9, 11, 0.00039906],
        [240_000, 11, 11, 11, 11, 0],
    ]


def test_exchanges_outside_the_recording_have_no_markets(small: ReplaySource) -> None:
    assert small.label == "recorded"
    assert small.markets("binance") == []
    clock = Clock(datetime(1970, 1, 1, tzinfo=UTC) + timedelta(hours=1), frozen=True)

    async def main() -> None:
        async with serve(small, clock) as url, client(url, "binance", clock) as binance:
            assert await binance.load_markets() == {}

    asyncio.run(main())
