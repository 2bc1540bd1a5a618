"""Bars of USD-M perpetuals through the real connector: pages, nulls, and what can go wrong."""

import asyncio
import json
import socket
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from vp_pipeline.exchanges import futures
from vp_pipeline.exchanges.errors import FetchError
from vp_pipeline.exchanges.frames import GRACE, Fetched, settled
from vp_pipeline.exchanges.futures import EXCHANGE, KLINE_COLUMNS, FuturesClient
from vp_pipeline.exchanges.patience import Patience
from vp_pipeline.recordings.folder import scan
from vp_pipeline.sandbox.candles import STEPS_MS
from vp_pipeline.sandbox.clock import Clock
from vp_pipeline.sandbox.generator import GeneratedSource
from vp_pipeline.sandbox.replay import ReplaySource
from vp_pipeline.sandbox.source import CandleSource
from vp_pipeline.windows import DAY, HOUR, MINUTE, Window, floor, to_ms
from vp_pipeline_tests.exchanges.conftest import ONCE, TWICE
from vp_pipeline_tests.exchanges.worlds import NOW, world

LAST_HOURS = Window(floor(NOW, HOUR) - 6 * HOUR, floor(NOW, HOUR))
LENGTHS = {"1m": MINUTE, "5m": 5 * MINUTE, "1h": HOUR, "1d": DAY}


def fetched(
    source: CandleSource,
    window: Window = LAST_HOURS,
    interval: str = "1h",
    *,
    symbol: str = "BTCUSDT",
    now: datetime = NOW,
    patience: Patience = ONCE,
    fault: dict[str, Any] | None = None,
) -> Fetched:
    async def main() -> Fetched:
        async with world(source, Clock(now, frozen=True)) as here:
            if fault is not None:
                await here.faults({"exchange": EXCHANGE, **fault})
            client = FuturesClient(f"{here.url}/{EXCHANGE}", patience)
            return await asyncio.to_thread(client.fetch, symbol, interval, LENGTHS[interval], window)

    return asyncio.run(main())


def assert_true(result: Fetched, source: CandleSource, interval: str, now: datetime) -> None:
    """The frame is the source's closed bars of what was answered."""
    market = next(m for m in source.markets(EXCHANGE) if m.symbol == "BTC/USDT")
    window, now_ms = result.answered, to_ms(now)
    bars = source.candles(market, STEPS_MS[interval], to_ms(window.start), to_ms(window.end), now_ms)
    bars = bars.take(bars.open_time + STEPS_MS[interval] + 45_000 <= now_ms)
    expected = pd.DataFrame({name: getattr(bars, name) for name in KLINE_COLUMNS})
    expected["open_time"] = pd.to_datetime(expected["open_time"], unit="ms", utc=True)
    pd.testing.assert_frame_equal(result.frame, expected, check_dtype=False, check_exact=True)


@pytest.mark.parametrize("interval", LENGTHS)
@pytest.mark.parametrize("now", [NOW, datetime(2023, 3, 10, 23, 59, 59, tzinfo=UTC)])
def test_pages_add_up_to_the_closed_bars_of_the_window(
    interval: str, now: datetime, source: GeneratedSource
) -> None:
    bar, bars = LENGTHS[interval], {"1m": 2345, "5m": 1001, "1h": 1000, "1d": 1150}[interval]
    end = floor(now, bar)
    result = fetched(source, Window(end - bars * bar, end + 20 * bar), interval, now=now)
    end = settled(now, bar)
    assert result.answered == Window(result.window.start, end)
    assert result.exchange_time == now
    assert len(result.frame) == result.answered.count(bar) >= bars - 1
    assert tuple(result.frame.columns) == KLINE_COLUMNS
    assert_true(result, source, interval, now)


def test_a_bar_that_closes_between_two_pages_is_not_taken_as_it_stood(
    source: GeneratedSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(datetime(2025, 3, 5, 12, 1, 44, tzinfo=UTC), frozen=True)
    minute = datetime(2025, 3, 5, 12, 0, tzinfo=UTC)
    window = Window(minute - 990 * MINUTE, minute + 1000 * MINUTE)
    note = futures._Line._note

    def later(self: futures._Line, *arguments: Any, **named: Any) -> None:
        note(self, *arguments, **named)
        clock.set(minute + MINUTE + GRACE, frozen=True)

    monkeypatch.setattr(futures._Line, "_note", later)

    async def main() -> Fetched:
        async with world(source, clock) as here:
            client = FuturesClient(f"{here.url}/{EXCHANGE}", ONCE)
            return await asyncio.to_thread(client.fetch, "BTCUSDT", "1m", MINUTE, window)

    result = asyncio.run(main())
    assert result.answered.end == minute
    assert_true(result, source, "1m", clock.now())


def test_what_a_recording_lacks_is_nan(recorded_data: Path) -> None:
    recording = scan(recorded_data)
    series = next(k for k in recording.klines if k.symbol == "BTCUSDT" and k.interval == "5m")
    start = floor(series.start, DAY) + DAY
    window = Window(start, start + 5 * DAY)
    result = fetched(ReplaySource(recording), window, "5m", now=start + 20 * DAY)
    recorded = series.frame[series.frame["open_time"].between(start, window.end, inclusive="left")]
    assert len(result.frame) == len(recorded) == 1440
    for name in ("open", "high", "low", "close", "volume", "trades"):
        np.testing.assert_array_equal(result.frame[name], recorded[name].astype("float64"))
    assert result.frame["trades"].isna().all()


@pytest.mark.parametrize(
    ("fault", "retryable", "words"),
    [
        ({"kind": "status", "status": 429}, True, "limits our requests"),
        (
            {"kind": "status", "status": 429, "retry_after": 31},
            False,
            "no request before 2025-03-05 12:01:21",
        ),
        (
            {"kind": "status", "status": 418, "retry_after": 120},
            False,
            "banned this address until 2025",
        ),
        ({"kind": "status", "status": 403, "body": "<html>"}, False, "use another network"),
        ({"kind": "status", "status": 451, "body": '{"msg":"no code"}'}, False, "use another network"),
        ({"kind": "status", "status": 400, "body": "<html>"}, False, "refused the request (HTTP 400: <html>"),
        ({"kind": "status", "status": 400, "body": '{"msg":"no code"}'}, False, "in no format we know"),
        ({"kind": "status", "status": 400, "body": "[]"}, False, "in no format we know"),
        ({"kind": "status", "status": 400, "body": '{"code":-1120,"msg":"Bad."}'}, False, "HTTP 400: Bad."),
        ({"kind": "status", "status": 500}, True, "has an error (HTTP 500)"),
        ({"kind": "status", "status": 503, "retry_after": 99}, False, "no request before"),
        ({"kind": "status", "status": 524, "body": "<html>"}, True, "has an error (HTTP 524)"),
        ({"kind": "reset"}, True, "cannot be reached"),
        ({"kind": "truncated"}, True, "cannot be reached"),
        ({"kind": "html"}, True, "the answer is not candles"),
        ({"kind": "empty_body"}, True, "the answer is not candles"),
        ({"kind": "garbage_rows"}, True, "the answer is not candles"),
        ({"kind": "truncated", "connection": "kept"}, True, "the answer is not candles"),
    ],
    ids=lambda value: str(value)[:70] if isinstance(value, dict) else None,
)
def test_what_goes_wrong_is_said_and_asked_again_if_it_may_pass(
    fault: dict[str, Any], retryable: bool, words: str, source: GeneratedSource
) -> None:
    with pytest.raises(FetchError) as caught:
        fetched(source, fault=fault)
    assert str(caught.value).startswith(f"{EXCHANGE} BTCUSDT: ")
    assert words in caught.value.reason
    assert caught.value.retryable == retryable
    passing = {**fault, "count": 1}
    if retryable:
        assert len(fetched(source, fault=passing, patience=TWICE).frame) == 6
    else:
        with pytest.raises(FetchError):
            fetched(source, fault=passing, patience=TWICE)


def test_a_short_retry_after_is_waited_for(source: GeneratedSource) -> None:
    started = time.monotonic()
    fault = {"kind": "status", "status": 503, "retry_after": 1, "count": 1}
    assert len(fetched(source, fault=fault, patience=TWICE).frame) == 6
    assert time.monotonic() - started > 0.99


def test_an_unknown_symbol_is_named_with_what_to_do(source: GeneratedSource) -> None:
    with pytest.raises(FetchError, match="binanceusdm NOPEUSDT: the exchange does not list it: correct") as e:
        fetched(source, symbol="NOPEUSDT")
    assert not e.value.retryable


def test_silence_ends_with_the_timeout() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        client = FuturesClient(f"http://127.0.0.1:{mute.getsockname()[1]}", Patience(2, 0.2, 0.01))
        started = time.monotonic()
        with pytest.raises(FetchError, match="no answer in time") as caught:
            client.fetch("BTCUSDT", "1h", HOUR, LAST_HOURS)
        assert caught.value.retryable
        assert time.monotonic() - started >= 0.4


@pytest.mark.parametrize(
    "fault",
    [{"kind": "empty_list", "count": 1}, {"kind": "short"}, {"kind": "reordered"}, {"kind": "duplicated"}],
    ids=str,
)
def test_what_was_left_out_is_asked_for_again(fault: dict[str, Any], source: GeneratedSource) -> None:
    window = Window(LAST_HOURS.start, LAST_HOURS.start + HOUR)
    result = fetched(source, window, "1m", fault=fault)
    assert len(result.frame) == 60
    assert result.answered == window
    assert_true(result, source, "1m", NOW)


def test_a_drip_ends_with_the_timeout(source: GeneratedSource) -> None:
    began = time.monotonic()
    with pytest.raises(FetchError, match="no answer in time") as caught:
        fetched(source, fault={"kind": "drip", "seconds": 60}, patience=Patience(2, 0.4, 0.01))
    assert caught.value.retryable
    assert time.monotonic() - began >= 0.8


def test_a_ban_is_kept_for_other_clients(source: GeneratedSource, tmp_path: Path) -> None:
    async def main() -> None:
        async with world(source, Clock(NOW, frozen=True)) as here:
            host = f"{here.url}/{EXCHANGE}"
            await here.faults({"exchange": EXCHANGE, "kind": "status", "status": 418, "count": 1})
            for words in ("HTTP 418", "HTTP 418.*; not asked before"):
                client = FuturesClient(host, ONCE, tmp_path)
                with pytest.raises(FetchError, match=words):
                    await asyncio.to_thread(client.fetch, "BTCUSDT", "1h", HOUR, LAST_HOURS)
                del client
            result = await asyncio.to_thread(
                FuturesClient(host, ONCE).fetch, "BTCUSDT", "1h", HOUR, LAST_HOURS
            )
            assert len(result.frame) == 6

    asyncio.run(main())


@pytest.mark.parametrize(
    "body",
    [
        "{}",
        '{"rows":[]}',
        "null",
        "7",
        "[1]",
        "[[]]",
        "[{}]",
        "[null]",
        '["abc"]',
        f"[{[1] * 11}]",
        f"[{[1] * 13}]",
        "[[true,1,1,1,1,1,1,1,1,1,1,1]]",
        '[[1,"x"]]',
        '[["a","1","1","1","1","1"]]',
    ]
    + [f"[[{to_ms(LAST_HOURS.start)}" + f',{price},1,1,1,1,0,1,1,1,1,"0"]]' for price in ("null", "-1", "0")],
)
def test_a_success_that_is_not_klines_is_refused(body: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("requests.Response.text", body)
    monkeypatch.setattr("requests.Response.json", lambda _: json.loads(body))
    with pytest.raises(FetchError, match="the answer is not candles") as caught:
        fetched(GeneratedSource(7))
    assert caught.value.retryable


def test_an_empty_window_is_the_callers_mistake() -> None:
    with pytest.raises(ValueError, match="BTCUSDT: nothing to fetch in an empty window"):
        FuturesClient("http://127.0.0.1:1").fetch("BTCUSDT", "1h", HOUR, Window(NOW, NOW))


def test_a_window_before_the_listing_is_answered_with_nothing(source: GeneratedSource) -> None:
    long_ago = datetime(2019, 1, 1, tzinfo=UTC)
    result = fetched(source, Window(long_ago, long_ago + timedelta(days=3)))
    assert result.frame.empty
    assert result.answered == Window(long_ago, long_ago + timedelta(days=3))
