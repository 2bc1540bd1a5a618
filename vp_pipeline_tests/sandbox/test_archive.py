"""The archive's files: which there are at what time, what they hold, and how they go wrong on demand."""

import asyncio
import hashlib
import io
import zipfile
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import pandas as pd
import pytest

from vp_pipeline.recordings.folder import scan
from vp_pipeline.sandbox.archive import revised
from vp_pipeline.sandbox.candles import FUTURES, MINUTE_MS, STEPS_MS, Candles
from vp_pipeline.sandbox.clock import Clock
from vp_pipeline.sandbox.generator import GeneratedSource
from vp_pipeline.sandbox.replay import ReplaySource
from vp_pipeline.sandbox.server import serve
from vp_pipeline.sandbox.source import CandleSource

NOW = datetime(2025, 3, 5, 12, 0, 30, tzinfo=UTC)
DAY = "data/spot/daily/klines/BTCUSDT/1m/BTCUSDT-1m-{}.zip"
COLUMNS = [
    *("open_time", "open", "high", "low", "close", "volume", "close_time", "quote_volume", "trades"),
    *("taker_buy_volume", "taker_buy_quote_volume", "ignore"),
]

Get = Callable[[str], Awaitable[tuple[int, bytes]]]


def with_archive(
    source: CandleSource, work: Callable[[Get, str, aiohttp.ClientSession], Awaitable[None]], now: datetime
) -> None:
    async def main() -> None:
        async with serve(source, Clock(now, frozen=True)) as url, aiohttp.ClientSession() as session:

            async def get(path: str) -> tuple[int, bytes]:
                async with session.get(f"{url}/binance_archive/{path}") as response:
                    return response.status, await response.read()

            await work(get, url, session)

    asyncio.run(main())


def lines_of(content: bytes) -> list[str]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        (member,) = archive.namelist()
        return archive.read(member).decode().splitlines()


def table_of(content: bytes) -> pd.DataFrame:
    rows = [line.split(",") for line in lines_of(content) if not line.startswith("open_time")]
    return pd.DataFrame(rows, columns=COLUMNS)


def true_day(source: CandleSource, exchange: str, day: str, step: int = MINUTE_MS) -> Candles:
    market = next(m for m in source.markets(exchange) if m.symbol == "BTC/USDT")
    start = int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp()) * 1000
    return source.candles(market, step, start, start + 86_400_000, start + 10 * 86_400_000)


@pytest.mark.parametrize(("day", "scale"), [("2024-12-31", 1), ("2025-01-01", 1000)])
def test_spot_has_no_header_and_counts_microseconds_from_2025_on(
    day: str, scale: int, source: GeneratedSource
) -> None:
    async def work(get: Get, *_: object) -> None:
        status, content = await get(DAY.format(day))
        assert status == 200
        assert lines_of(content)[0][0].isdigit()
        table, truth = table_of(content), true_day(source, "binance", day)
        assert table["open_time"].astype("int64").tolist() == (truth.open_time * scale).tolist()
        assert (
            table["close_time"].astype("int64").tolist()
            == ((truth.open_time + MINUTE_MS) * scale - 1).tolist()
        )
        for name in ("open", "high", "low", "close", "volume", "quote_volume", "taker_buy_volume"):
            assert table[name].astype(float).tolist() == getattr(truth, name).tolist(), name
        status, checksum = await get(DAY.format(day) + ".CHECKSUM")
        digest, name = checksum.decode().rstrip("\n").split("  ")
        assert (status, digest) == (200, hashlib.sha256(content).hexdigest())
        assert name == f"BTCUSDT-1m-{day}.zip"

    with_archive(source, work, NOW)


@pytest.mark.parametrize(("month", "header"), [("2022-06", False), ("2022-07", True), ("2025-01", True)])
def test_futures_have_a_header_from_the_middle_of_2022_and_milliseconds(
    month: str, header: bool, source: GeneratedSource
) -> None:
    async def work(get: Get, *_: object) -> None:
        content = (await get(f"data/futures/um/monthly/klines/BTCUSDT/15m/BTCUSDT-15m-{month}.zip"))[1]
        assert lines_of(content)[0].startswith("open_time,") == header
        table = table_of(content)
        truth = true_day(source, FUTURES, f"{month}-01", STEPS_MS["15m"])
        assert table["open_time"].astype("int64").tolist()[:96] == truth.open_time.tolist()
        assert table["trades"].astype(float).tolist()[:96] == truth.trades.tolist()

    with_archive(source, work, NOW)


@pytest.mark.parametrize(
    ("now", "daily", "monthly"),
    [
        ("2025-02-28T23:59:00", False, False),
        ("2025-03-01T02:59:00", False, False),
        ("2025-03-01T03:00:00", True, False),
        ("2025-03-02T23:59:00", True, False),
        ("2025-03-03T00:00:00", True, True),
    ],
)
def test_daily_files_appear_the_next_day_and_monthly_ones_early_the_next_month(
    now: str, daily: bool, monthly: bool, source: GeneratedSource
) -> None:
    month = "data/futures/um/monthly/klines/BTCUSDT/1d/BTCUSDT-1d-2025-02.zip"

    async def work(get: Get, *_: object) -> None:
        for path, there in ((DAY.format("2025-02-28"), daily), (month, monthly)):
            for suffix in ("", ".CHECKSUM"):
                status, body = await get(path + suffix)
                assert status == (200 if there else 404)
                assert there or b"NoSuchKey" in body

    with_archive(source, work, datetime.fromisoformat(now).replace(tzinfo=UTC))


@pytest.mark.parametrize(
    "path",
    [
        DAY.format("2019-12-31"),  # before the listing
        DAY.format("2025-02-30"),
        DAY.format("2025-03-04").replace("BTCUSDT", "NOPEUSDT"),
        DAY.format("2025-03-04").replace("/1m/", "/5m/"),
        DAY.format("2025-03-04").replace("spot", "option"),
        "data/../data/spot",
        "",
    ],
)
def test_what_is_not_there_is_not_found(path: str, source: GeneratedSource) -> None:
    async def work(get: Get, *_: object) -> None:
        assert (await get(path))[0] == 404

    with_archive(source, work, NOW)


def test_a_retired_market_ends_in_its_last_file(source: GeneratedSource) -> None:
    async def work(get: Get, *_: object) -> None:
        busd = DAY.replace("BTCUSDT", "BTCBUSD")
        assert (await get(busd.format("2023-12-14")))[0] == 200
        assert (await get(busd.format("2023-12-15")))[0] == 404

    with_archive(source, work, NOW)


def test_one_file_is_revised_with_its_checksum(source: GeneratedSource) -> None:
    async def work(get: Get, url: str, session: aiohttp.ClientSession) -> None:
        path, other = DAY.format("2025-03-03"), DAY.format("2025-03-02")
        before, untouched = await get(path), await get(other)

        async def revise(*paths: str) -> Any:
            async with session.put(f"{url}/_sandbox/archive", json={"revised": paths}) as response:
                return response.status, await response.text()

        assert (await revise(path))[0] == 200
        after = await get(path)
        assert after != before
        assert await get(other) == untouched
        assert hashlib.sha256(after[1]).hexdigest() in (await get(f"{path}.CHECKSUM"))[1].decode()
        truth = revised(true_day(source, "binance", "2025-03-03"))
        assert table_of(after[1])["volume"].astype(float).tolist() == truth.volume.tolist()
        status, text = await revise("no/such.zip")
        assert status == 400
        assert "no/such.zip" in text
        await revise()
        assert await get(path) == before

    with_archive(source, work, NOW)


def test_faults_of_the_archive(source: GeneratedSource) -> None:
    async def work(get: Get, url: str, session: aiohttp.ClientSession) -> None:
        path = DAY.format("2025-03-03")
        _, whole = await get(path)

        async def fault(**what: object) -> int:
            body = {"faults": [{"exchange": "binance_archive", **what}]}
            async with session.put(f"{url}/_sandbox/faults", json=body) as response:
                return response.status

        assert await fault(kind="wrong_checksum", market="BTC/USDT") == 200
        _, checksum = await get(f"{path}.CHECKSUM")
        assert hashlib.sha256(whole).hexdigest() not in checksum.decode()
        assert (await get(path))[1] == whole
        assert await fault(kind="truncated_zip") == 200
        assert (await get(path))[1] == whole[: len(whole) // 2]
        assert await fault(kind="status", status=503) == 200
        assert (await get(path))[0] == 503
        assert await fault(kind="wrong_checksum", exchange="binance") == 400

    with_archive(source, work, NOW)


def test_a_recording_has_files_of_what_it_knows(tmp_path: Path) -> None:
    start = 1741046400000  # 2025-03-04
    rows = [f"{start + n * MINUTE_MS},10,12,9,11,0.{n}" for n in (1, 2, 4)]
    file = tmp_path / "minute" / "binance_BTC-USDT.csv"
    file.parent.mkdir()
    file.write_text("\n".join(["open_time_ms,open,high,low,close,volume", *rows]) + "\n")

    async def work(get: Get, *_: object) -> None:
        content = (await get(DAY.format("2025-03-04")))[1]
        assert lines_of(content)[0] == f"{(start + MINUTE_MS) * 1000},10.0,12.0,9.0,11.0,0.1," + (
            f"{(start + 2 * MINUTE_MS) * 1000 - 1},,,,,0"
        )
        assert len(lines_of(content)) == 3

    with_archive(ReplaySource(scan(tmp_path)), work, NOW)
