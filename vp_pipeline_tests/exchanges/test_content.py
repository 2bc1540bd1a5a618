"""Answers in the right format with the wrong candles: completed, cleaned or refused, and never believed."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import ccxt.async_support
import numpy as np
import pandas as pd
import pytest

from vp_pipeline.exchanges.errors import FetchError
from vp_pipeline.exchanges.frames import Fetched
from vp_pipeline.exchanges.second_look import DOUBTED
from vp_pipeline.exchanges.traits import traits_of
from vp_pipeline.sandbox.candles import Candles, Market
from vp_pipeline.sandbox.generator import GeneratedSource
from vp_pipeline.sandbox.source import CandleSource, Label
from vp_pipeline.windows import HOUR, MINUTE, Window, floor, to_ms
from vp_pipeline_tests.exchanges.conftest import ONCE, Traffic
from vp_pipeline_tests.exchanges.worlds import NOW, WINDOW, World, fetch_all, one_market_each, run, truth


def assert_complete(here: World, key: tuple[str, str], outcome: Fetched | FetchError) -> None:
    assert isinstance(outcome, Fetched), outcome
    market = next(m for m in here.markets(key[0]) if m.symbol == key[1])
    expected = truth(here.source, market, outcome.answered, here.clock.now_ms())
    final = outcome.frame[~outcome.frame["provisional"]].drop(columns="provisional")
    pd.testing.assert_frame_equal(final, expected, check_dtype=False, check_exact=True)
    assert len(final) > 30


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "empty_list", "count": 1},
        {"kind": "short", "count": 1},
        {"kind": "short"},
        {"kind": "reordered"},
        {"kind": "duplicated"},
        {"kind": "revised", "minutes": 0.5},
        {"kind": "skew", "seconds": 20},
        {"kind": "skew", "seconds": -20},
        {"kind": "drip", "seconds": 0.2},
    ],
    ids=str,
)
def test_what_was_left_out_is_asked_for_again(fault: dict[str, Any], source: GeneratedSource) -> None:
    async def work(here: World) -> None:
        wanted = one_market_each(here)
        if fault == {"kind": "short"}:  # for ever; kraken takes no end, and so cannot be asked for less
            wanted = [key for key in wanted if key[0] != "kraken"]
        await here.faults(*({"exchange": name, "market": symbol, **fault} for name, symbol in wanted))
        outcomes = await fetch_all(wanted, WINDOW, here.hosts, None, ONCE)
        for key, outcome in outcomes.items():
            assert_complete(here, key, outcome)
            assert isinstance(outcome, Fetched)
            # An exchange whose clock is behind is not believed about its last minute.
            late = MINUTE if fault.get("seconds", 0) < 0 else timedelta(0)
            assert outcome.answered == Window(WINDOW.start, WINDOW.end - late)

    run(source, work)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ({"kind": "empty_list"}, "shows no candle at all since {page_before} UTC"),
        ({"kind": "garbage_rows"}, "the answer is not candles"),
        ({"kind": "truncated", "connection": "kept"}, "the answer is not candles"),
        ({"kind": "drip", "seconds": 30}, "no answer in time"),
    ],
    ids=str,
)
def test_what_cannot_be_had_is_no_empty_hour(
    fault: dict[str, Any], words: str, source: GeneratedSource
) -> None:
    async def work(here: World) -> None:
        wanted = one_market_each(here)
        await here.faults(*({"exchange": name, "market": symbol, **fault} for name, symbol in wanted))
        outcomes = await fetch_all(wanted, WINDOW, here.hosts, None, replace(ONCE, timeout_seconds=1.5))
        for key, outcome in outcomes.items():
            assert isinstance(outcome, FetchError), key
            page_before = WINDOW.start - traits_of(key[0]).page * MINUTE
            assert words.format(page_before=f"{page_before:%Y-%m-%d %H:%M}") in outcome.reason, outcome
            assert outcome.retryable

    run(source, work)


def test_young_candles_that_change_are_never_final(source: GeneratedSource) -> None:
    minute = floor(NOW, MINUTE)
    window = Window(minute - HOUR, minute + MINUTE)

    async def work(here: World) -> None:
        key = ("binance", "BTC/USDT")
        await here.faults({"exchange": "binance", "market": key[1], "kind": "revised", "minutes": 0.7})
        # 43 seconds after its close the candle still changes, and is provisional; after 45 it does neither.
        for second, final in ((40, False), (46, True)):
            here.clock.set(minute + timedelta(seconds=second), frozen=True)
            outcome = (await fetch_all([key], window, here.hosts, None, ONCE))[key]
            assert_complete(here, key, outcome)
            assert isinstance(outcome, Fetched)
            market = next(m for m in here.markets("binance") if m.symbol == key[1])
            true = truth(here.source, market, Window(minute - MINUTE, minute), here.clock.now_ms())
            last = outcome.frame[outcome.frame["open_time"] == minute - MINUTE]
            assert last["provisional"].tolist() == [not final]
            assert (last["volume"].item() == true["volume"].item()) == final

    run(source, work)


def without(hole: Window) -> Callable[[Candles], Candles]:
    """An exchange on which nobody traded then."""

    def picked(candles: Candles) -> Candles:
        return candles.take((candles.open_time < to_ms(hole.start)) | (candles.open_time >= to_ms(hole.end)))

    return picked


def test_an_absence_is_asked_for_twice_and_then_believed(source: GeneratedSource, traffic: Traffic) -> None:
    hole = Window(WINDOW.start + 20 * MINUTE, WINDOW.end)

    async def work(here: World) -> None:
        key = ("binance", "BTC/USDT")
        outcome = (await fetch_all([key], WINDOW, here.hosts, None, ONCE))[key]
        assert isinstance(outcome, Fetched)
        assert outcome.answered == WINDOW
        assert len(outcome.frame) == 20
        # The hour, exactly what was missing, and that with the candle before it.
        starts = [WINDOW.start, hole.start, hole.start - MINUTE]
        assert [url.split("startTime=")[1].split("&")[0] for url in traffic.candles()] == [
            str(to_ms(start)) for start in starts
        ]

    run(Twisted(source, without(hole)), work)


def test_a_short_absence_at_the_beginning_is_asked_for_once_with_what_was_before(
    source: GeneratedSource, traffic: Traffic
) -> None:
    hole = Window(WINDOW.start, WINDOW.start + 3 * MINUTE)

    async def work(here: World) -> None:
        key = ("binance", "BTC/USDT")
        outcome = (await fetch_all([key], WINDOW, here.hosts, None, ONCE))[key]
        assert isinstance(outcome, Fetched)
        assert (outcome.answered, len(outcome.frame)) == (WINDOW, 57)
        asked = [url.split("startTime=")[1].split("&")[0] for url in traffic.candles()]
        assert asked == [str(to_ms(start)) for start in (WINDOW.start, WINDOW.start - DOUBTED)]

    run(Twisted(source, without(hole)), work)


@pytest.mark.parametrize("minutes", [16, 60])
@pytest.mark.parametrize("exchange", ["binance", "kraken"])
@pytest.mark.parametrize("lies", list(itertools.product(("short", "empty", "true"), repeat=3)), ids="-".join)
def test_lies_are_not_believed(
    source: GeneratedSource, exchange: str, lies: tuple[str, ...], minutes: int
) -> None:
    """The first answers lack their older half, or all candles; kraken's go on to the present.

    The truth comes out, unless none of the three shows a candle of the window, and the last none at all.
    """
    told = itertools.chain(lies, itertools.repeat("true"))

    def lie(candles: Candles) -> Candles:
        lacking = {"true": 0, "short": len(candles) // 2, "empty": len(candles)}
        return candles.take(slice(lacking[next(told)], None))

    async def work(here: World) -> None:
        key = next(key for key in one_market_each(here) if key[0] == exchange)
        window = Window(WINDOW.start, WINDOW.start + minutes * MINUTE)
        outcomes.append((await fetch_all([key], window, here.hosts, None, ONCE))[key])

    outcomes: list[Fetched | FetchError] = []
    run(source, work)
    run(Twisted(source, lie), work)
    truth, heard = outcomes
    assert isinstance(truth, Fetched)
    # The older half of kraken's answer is all of so short a window.
    hides = {"empty", "short"} if (exchange, minutes) == ("kraken", 16) else {"empty"}
    if lies[-1] == "empty" and hides.issuperset(lies):
        assert isinstance(heard, FetchError)
        assert "shows no candle at all since 2025-03-04" in heard.reason
        assert heard.retryable
    else:
        assert isinstance(heard, Fetched), heard
        assert heard.frame.equals(truth.frame)
        assert len(heard.frame) == minutes


def test_a_market_older_than_its_candles_is_believed(source: GeneratedSource) -> None:
    def none(candles: Candles) -> Candles:
        return candles.take(slice(0, 0))

    async def work(here: World) -> None:
        long_ago = Window(WINDOW.start - 100 * 24 * HOUR, WINDOW.start - 100 * 24 * HOUR + HOUR)
        wanted = [key for key in one_market_each(here) if key[0] not in ("kraken", "gate")]
        for outcome in (await fetch_all(wanted, long_ago, here.hosts, None, ONCE)).values():
            assert isinstance(outcome, Fetched)
            assert outcome.frame.empty
            assert outcome.answered == long_ago

    run(Twisted(source, none), work)


class Twisted:
    """A source of which every answer is twisted."""

    label: Label = "simulated"
    description = "twisted"

    def __init__(self, source: CandleSource, twist: Callable[[Candles], Candles]) -> None:
        self._source, self._twist = source, twist

    def markets(self, exchange: str) -> Sequence[Market]:
        return self._source.markets(exchange)

    def candles(self, market: Market, step_ms: int, start_ms: int, stop_ms: int, now_ms: int) -> Candles:
        return self._twist(self._source.candles(market, step_ms, start_ms, stop_ms, now_ms))


def changed(name: str, change: Callable[[Any], Any]) -> Callable[[Candles], Candles]:
    """The third candle with another value."""

    def twist(candles: Candles) -> Candles:
        column = getattr(candles, name).copy()
        column[2:3] = change(column[2:3])
        return replace(candles, **{name: column})

    return twist


def upside_down(candles: Candles) -> Candles:
    return replace(candles, high=np.minimum(candles.low, candles.open) * 0.9)


@pytest.mark.parametrize(
    ("twist", "words"),
    [
        pytest.param(changed("close", lambda _: 0.0), "has close 0", id="zero"),
        pytest.param(changed("low", lambda low: -low), "has low -", id="negative"),
        pytest.param(changed("volume", lambda _: -1.0), "has volume -1", id="negative volume"),
        pytest.param(changed("open", lambda _: 1e30), "has open 1e+30", id="beyond range"),
        pytest.param(changed("open_time", lambda time: time + 7_000), "not a whole bar", id="askew"),
        pytest.param(upside_down, "high below its low", id="upside down"),
    ],
)
def test_candles_that_cannot_be_are_refused(
    twist: Callable[[Candles], Candles], words: str, source: GeneratedSource
) -> None:
    async def work(here: World) -> None:
        outcomes = await fetch_all(one_market_each(here), WINDOW, here.hosts, None, ONCE)
        for key, outcome in outcomes.items():
            assert isinstance(outcome, FetchError), key
            assert words in outcome.reason, outcome
            assert outcome.retryable

    run(Twisted(source, twist), work)


@pytest.mark.parametrize("extra", ['"x"', "null", "-1", '"1e999"', "{}", '"NaN"', "true"])
def test_a_turnover_that_is_no_number_is_nan(
    extra: str, source: GeneratedSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    opens = to_ms(WINDOW.start)
    row = f'[{opens},"1","2","1","2","5",{opens + 59_999},{extra},3,{extra},"1","0"]'
    answered(monkeypatch, f"[{row}]")

    async def work(here: World) -> None:
        key = ("binance", "BTC/USDT")
        outcome = (await fetch_all([key], WINDOW, here.hosts, None, ONCE))[key]
        assert isinstance(outcome, Fetched), outcome
        assert outcome.frame["volume"].tolist() == [5.0]
        assert outcome.frame[["quote_volume", "taker_buy_volume"]].isna().all(axis=None) == (extra != "true")

    run(source, work)


@pytest.mark.parametrize(
    "row",
    [
        '["x","1","2","1","2","5"]',
        '"1741168800000"',
        "5",
        "null",
        "[]",
        "[[1],2,3,4,5,6]",
        "[true,1,1,1,1,1]",
        '[{t},"one","2","1","2","5"]',
        '[{t},"1","2","1","2","NaN"]',
        '[{t},"1","2","1"]',
        "[1e400,1,1,1,1,1]",
        '[{t},"1","2","1","2",' + "1" * 400 + "]",
        "[" * 5000 + "]" * 5000,
        "[" + "1" * 5000 + ",1,1,1,1,1]",
    ],
    ids=lambda row: row[:30],
)
def test_rows_of_odd_types_are_refused(
    row: str, source: GeneratedSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered(monkeypatch, f"[{row.replace('{t}', str(to_ms(WINDOW.start)))}]")

    async def work(here: World) -> None:
        wanted = [("binance", "BTC/USDT"), ("coinbaseexchange", "BTC/USD"), ("bitfinex", "BTC/USD")]
        outcomes = await fetch_all(wanted, WINDOW, here.hosts, None, ONCE)
        for key, outcome in outcomes.items():
            assert isinstance(outcome, FetchError), key
            assert outcome.retryable
            assert "the answer is not" in outcome.reason, outcome

    run(source, work)


def answered(monkeypatch: pytest.MonkeyPatch, body: str) -> None:
    """Every request for candles is answered with this body."""
    monkeypatch.setattr(
        ccxt.async_support.Exchange,
        "on_rest_response",
        lambda *a: body if any(word in a[3].lower() for word in ("candle", "kline")) else a[6],
    )
