"""The archive's client against the sandbox's archive, and files that must not be believed."""

import asyncio
import hashlib
import io
import zipfile
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from aiohttp import web

from vp_pipeline.catalog import INTERVAL_MINUTES
from vp_pipeline.exchanges import archive_file
from vp_pipeline.exchanges.archive import ArchiveClient
from vp_pipeline.exchanges.archive_file import ArchiveFile, BadArchiveError, month_of, read
from vp_pipeline.exchanges.errors import FetchError
from vp_pipeline.exchanges.patience import Patience
from vp_pipeline.sandbox.candles import FUTURES, STEPS_MS
from vp_pipeline.sandbox.generator import GeneratedSource
from vp_pipeline.windows import DAY, MINUTE, Window, to_ms
from vp_pipeline_tests.exchanges.conftest import ONCE, TWICE
from vp_pipeline_tests.exchanges.worlds import World, run

MARCH = Window(datetime(2024, 3, 1, tzinfo=UTC), datetime(2024, 4, 1, tzinfo=UTC))
FIRST_OF_MARCH = ArchiveFile("BTCUSDT", "1m", Window(MARCH.start, MARCH.start + DAY))


def month(year: int, number: int, interval: str = "1m", futures: bool = False) -> ArchiveFile:
    return ArchiveFile("BTCUSDT", interval, month_of(datetime(year, number, 9, tzinfo=UTC)), futures)


def true_bars(source: GeneratedSource, file: ArchiveFile) -> pd.DataFrame:
    exchange = FUTURES if file.futures else "binance"
    market = next(m for m in source.markets(exchange) if m.symbol == "BTC/USDT")
    start, stop = to_ms(file.window.start), to_ms(file.window.end)
    candles = source.candles(market, STEPS_MS[file.interval], start, stop, stop + 86_400_000)
    frame = pd.DataFrame({name: getattr(candles, name) for name in file.columns})
    return frame.assign(open_time=pd.to_datetime(frame["open_time"], unit="ms", utc=True))


@pytest.mark.parametrize(
    "file",
    [
        month(2024, 12),
        month(2025, 1),
        month(2022, 6, "15m", futures=True),
        month(2022, 7, "15m", futures=True),
        month(2025, 1, "1d", futures=True),
        FIRST_OF_MARCH,
    ],
    ids=lambda file: file.name + ("-futures" if file.futures else ""),
)
def test_every_bar_of_a_file_arrives_exactly(file: ArchiveFile, source: GeneratedSource) -> None:
    async def work(here: World) -> None:
        async with ArchiveClient(f"{here.url}/binance_archive", ONCE) as client:
            archived = await client.fetch(file)
            assert archived is not None
            truth = true_bars(source, file)
            pd.testing.assert_frame_equal(archived.frame, truth, check_dtype=False)
            assert archived.frame["open_time"].iloc[0] == file.window.start
            assert await client.checksum(file) == archived.sha256

    run(source, work)


@pytest.mark.parametrize(
    "file", [month(2025, 3), month(2019, 5), ArchiveFile("NOPEUSDT", "1m", MARCH)], ids=lambda f: f.name
)
def test_a_file_that_is_not_published_is_none(file: ArchiveFile, source: GeneratedSource) -> None:
    async def work(here: World) -> None:
        async with ArchiveClient(f"{here.url}/binance_archive", ONCE) as client:
            assert await client.checksum(file) is None
            assert await client.fetch(file) is None

    run(source, work)


@pytest.mark.parametrize(
    ("fault", "reason", "retryable"),
    [
        ({"kind": "wrong_checksum"}, "do not have the published checksum", True),
        ({"kind": "truncated_zip"}, "do not have the published checksum", True),
        ({"kind": "truncated"}, "cannot be fetched", True),
        ({"kind": "reset"}, "cannot be fetched", True),
        ({"kind": "status", "status": 503}, "HTTP 503", True),
        ({"kind": "status", "status": 429, "retry_after": 3600}, "wants no request before", False),
        ({"kind": "status", "status": 451}, "use another network", False),
        ({"kind": "status", "status": 400}, "refused the request", False),
        ({"kind": "html"}, "is no checksum", True),
        ({"kind": "empty_body"}, "is no checksum", True),
        ({"kind": "delay", "seconds": 2}, "did not arrive within 0.5 s", True),
    ],
)
def test_what_goes_wrong_is_said(
    fault: dict[str, object], reason: str, retryable: bool, source: GeneratedSource
) -> None:
    async def work(here: World) -> None:
        await here.faults({"exchange": "binance_archive", **fault})
        patience = Patience(attempts=1, timeout_seconds=0.5)
        async with ArchiveClient(f"{here.url}/binance_archive", patience) as client:
            with pytest.raises(FetchError, match=reason) as caught:
                await client.fetch(FIRST_OF_MARCH)
        assert caught.value.retryable == retryable
        assert "BTCUSDT" in str(caught.value)

    run(source, work)


def test_a_passing_fault_is_overcome(source: GeneratedSource) -> None:
    async def work(here: World) -> None:
        async with ArchiveClient(f"{here.url}/binance_archive", TWICE) as client:
            for fault in ({"kind": "status", "status": 503}, {"kind": "wrong_checksum"}):
                await here.faults({"exchange": "binance_archive", "count": 1, **fault})
                assert await client.fetch(FIRST_OF_MARCH) is not None

    run(source, work)


def test_the_archive_is_asked_for_every_interval_of_a_markets_file() -> None:
    assert {name: timedelta(minutes=count) for name, count in INTERVAL_MINUTES.items()} == archive_file.BARS
    assert {name: bar / timedelta(milliseconds=1) for name, bar in archive_file.BARS.items()}.items() <= (
        STEPS_MS.items()
    )


def minutes(count: int = 3, first: int = to_ms(MARCH.start), scale: int = 1) -> list[str]:
    return [f"{(first + n * 60_000) * scale},10,12,9,11,0.5,0,5.5,3,0.25,2.75,0" for n in range(count)]


def zipped(*members: tuple[str, str]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in members:
            archive.writestr(name, text)
    return buffer.getvalue()


def day_file(*lines: str) -> bytes:
    return zipped((f"{FIRST_OF_MARCH.name}.csv", "\n".join(lines) + "\n"))


@pytest.mark.parametrize("scale", [1, 1000])
def test_units_and_empty_cells(scale: int) -> None:
    lines = minutes(2, scale=scale)
    lines[1] = lines[1].replace(",5.5,3,0.25,2.75,0", ",,,,,0")
    frame = read(FIRST_OF_MARCH, day_file(*lines))
    assert frame["open_time"].tolist() == [MARCH.start, MARCH.start + MINUTE]
    assert frame["quote_volume"].iloc[0] == 5.5
    assert np.isnan(frame["quote_volume"].iloc[1])
    assert frame["volume"].tolist() == [0.5, 0.5]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "not a whole zip"),
        (b"PK\x03\x04 nothing", "not a whole zip"),
        (day_file(*minutes())[:-40], "not a whole zip"),
        (zipped(), "holds nothing"),
        (zipped(("BTCUSDT-1m-2024-03-02.csv", "x")), "must hold BTCUSDT-1m-2024-03-01.csv alone"),
        (zipped(("../BTCUSDT-1m-2024-03-01.csv", "x")), "must hold"),
        (zipped(("/etc/passwd", "x")), "must hold"),
        (zipped((f"{FIRST_OF_MARCH.name}.csv", "x"), ("b.csv", "x")), "must hold"),
        (day_file("1,2,3"), "3 columns"),
        (day_file("when,o,h,l,c,v,t,q,n,b,bq,i"), "neither with a header nor with a time"),
        (day_file("open_time,o,h,l,c,v,t,q,n,b,bq,i"), "is empty"),
        (day_file(minutes(1)[0].replace(",12,", ",twelve,")), "not made of numbers"),
        (day_file(minutes(1)[0].replace(",11,", ",,")), "close nan"),
        (day_file(minutes(1)[0].replace(",10,12,9", ",10,9,12")), "high below its low"),
        (day_file(minutes(1)[0].replace(",0.5,", ",-0.5,")), "volume -0.5"),
        (day_file(*minutes(1, first=to_ms(MARCH.start) + 86_400_000)), "outside of"),
        (day_file(minutes(1)[0], minutes(1, scale=1000)[0]), "outside of"),
        (day_file(*minutes(1, first=to_ms(MARCH.start) + 1)), "not a whole bar"),
    ],
)
def test_a_file_that_cannot_be_believed_is_refused(content: bytes, problem: str) -> None:
    with pytest.raises(BadArchiveError, match=problem):
        read(FIRST_OF_MARCH, content)


def test_a_zip_bomb_is_refused_before_it_unpacks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive_file, "LARGEST_TABLE", 100_000)
    bomb = zipped((f"{FIRST_OF_MARCH.name}.csv", "0" * 10_000_000))
    assert len(bomb) < 20_000
    with pytest.raises(BadArchiveError, match="unpacks to 10000000 bytes"):
        read(FIRST_OF_MARCH, bomb)


def served(handle: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> FetchError:
    """The failure to fetch from a server that answers every request like this."""

    async def main() -> FetchError:
        app = web.Application()
        app.router.add_get("/{path:.*}", handle)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            host = f"http://127.0.0.1:{runner.addresses[0][1]}"
            async with ArchiveClient(host, Patience(attempts=1, timeout_seconds=1)) as client:
                with pytest.raises(FetchError) as caught:
                    await client.fetch(FIRST_OF_MARCH)
                return caught.value
        finally:
            await runner.cleanup()

    return asyncio.run(main())


def test_a_slow_drip_ends_by_the_total_time() -> None:
    async def drip(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        response.content_length = 1000
        await response.prepare(request)
        for _ in range(100):
            await response.write(b"0")
            await asyncio.sleep(0.1)
        return response

    assert "did not arrive within 1 s" in str(served(drip))


def test_a_body_without_end_and_a_redirect_are_refused() -> None:
    async def endless(_: web.Request) -> web.StreamResponse:
        return web.Response(body=b"0" * 100_000)

    async def elsewhere(_: web.Request) -> web.StreamResponse:
        return web.Response(status=302, headers={"Location": "http://127.0.0.1:1/"})

    assert "more than 1024 bytes" in str(served(endless))
    assert "HTTP 302" in str(served(elsewhere))


@pytest.mark.parametrize(
    ("status", "wish", "wait"),
    [
        (503, "5", 5.0),
        (429, "5", 5.0),
        # A moment that has passed, and one to come.
        (503, "Fri, 01 Mar 2024 11:59:00 GMT", 0.0),
        (503, "Fri, 01 Mar 2024 12:00:20 GMT", 20.0),
        (503, "soon", None),
    ],
)
def test_the_archive_is_left_alone_as_long_as_it_wants(status: int, wish: str, wait: float | None) -> None:
    async def busy(_: web.Request) -> web.StreamResponse:
        return web.Response(
            status=status, headers={"Date": "Fri, 01 Mar 2024 12:00:00 GMT", "Retry-After": wish}
        )

    failure = served(busy)
    assert failure.retryable
    assert failure.wait_seconds == wait


def test_a_file_with_its_checksum_is_still_not_believed() -> None:
    content = zipped(("../evil.csv", "x"))

    async def evil(request: web.Request) -> web.StreamResponse:
        if request.path.endswith(".CHECKSUM"):
            digest = hashlib.sha256(content).hexdigest()
            return web.Response(text=f"{digest}  {FIRST_OF_MARCH.name}.zip\n")
        return web.Response(body=content)

    failure = served(evil)
    assert "is refused: it must hold" in str(failure)
    assert not failure.retryable
