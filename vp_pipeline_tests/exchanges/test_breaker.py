"""Hosts that are not asked: banned, refused, dead; for how long, by whom, and what ends it."""

import asyncio
import json
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from vp_pipeline.exchanges import spot
from vp_pipeline.exchanges.answer import Answer
from vp_pipeline.exchanges.breaker import DEAD_AFTER, Breaker
from vp_pipeline.exchanges.errors import FetchError
from vp_pipeline.exchanges.frames import Fetched
from vp_pipeline.exchanges.listings import ListingsFile
from vp_pipeline.exchanges.patience import Patience
from vp_pipeline.sandbox.generator import GeneratedSource
from vp_pipeline.windows import HOUR, Window
from vp_pipeline_tests.exchanges.conftest import ONCE, TWICE, Traffic
from vp_pipeline_tests.exchanges.test_isolation import mute_host
from vp_pipeline_tests.exchanges.worlds import NOW, WINDOW, World, fetch_all, run

BINANCE = [("binance", "BTC/USDT"), ("binance", "BTC/USDC"), ("binance", "ETH/USDT")]
BAN = {"exchange": "binance", "market": "BTC/USDT", "kind": "status", "status": 418, "retry_after": 7200}
EARLIER = [Window(WINDOW.start - k * HOUR, WINDOW.end - k * HOUR) for k in range(6)]


class Now:
    """A clock that is set."""

    def __init__(self) -> None:
        self.seconds = 1e9

    def __call__(self) -> float:
        return self.seconds


def answer(status: int | None = None, away: float | None = None) -> Answer:
    said = Answer(status, NOW)
    said.stay_away_until = None if away is None else NOW + timedelta(seconds=away)
    return said


PASSING = FetchError("m", "trouble", retryable=True)
FINAL = FetchError("m", "refused")


@pytest.mark.parametrize(
    ("failure", "head", "seconds"),
    [
        (FINAL, answer(418, 7200), 7200),
        (FINAL, answer(418), 120),
        (FINAL, answer(418, 5), 5),
        (FINAL, answer(429, 31), 31),
        (FINAL, answer(503, 3600), 3600),
        (FINAL, answer(418, 1e8), 7 * 86_400),
    ],
)
def test_a_ban_lasts_as_long_as_told_and_outlives_the_process(
    failure: FetchError, head: Answer, seconds: float, tmp_path: Path
) -> None:
    now = Now()
    Breaker(tmp_path, "kraken", None, clock=now).failed(failure, head, 0)
    for exchange, host in (("kraken", "http://127.0.0.1:1"), ("gate", None)):
        Breaker(tmp_path, exchange, host, clock=now).check("other")
    now.seconds += seconds - 1
    later = Breaker(tmp_path, "kraken", None, clock=now)
    with pytest.raises(FetchError, match=r"kraken BTC/USD: refused; not asked before 20\d\d-\d\d-") as caught:
        later.check("kraken BTC/USD")
    assert not caught.value.retryable
    later.succeeded()
    assert later.is_open
    now.seconds += 2
    Breaker(tmp_path, "kraken", None, clock=now).check("kraken BTC/USD")


@pytest.mark.parametrize(
    "damaged", ["", "{", "[]", "null", '{"until": "x"}', '{"until": 1e300, "reason": ""}']
)
def test_a_damaged_memory_is_none(damaged: str, tmp_path: Path) -> None:
    breaker = Breaker(tmp_path, "kraken", None)
    assert breaker.path is not None
    breaker.path.write_text(damaged)
    breaker.check("m")


def test_a_ban_that_cannot_be_kept_is_said(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    breaker = Breaker(blocked / "cache", "kraken", None)
    with pytest.raises(FetchError, match=r"cannot be kept: .*file"):
        breaker.failed(FINAL, answer(418), 0)
    assert breaker.is_open


@pytest.mark.parametrize("status", [403, 451])
def test_a_refusal_lasts_for_the_session(status: int, tmp_path: Path) -> None:
    breaker = Breaker(tmp_path, "kraken", None)
    breaker.failed(FINAL, answer(status), 0)
    breaker.succeeded()
    with pytest.raises(FetchError, match="m: refused"):
        breaker.check("m")
    assert list(tmp_path.iterdir()) == []
    Breaker(tmp_path, "kraken", None).check("m")


def test_failures_in_a_row_open_it_and_a_success_closes_it() -> None:
    breaker = Breaker(None, "kraken", None)
    for round_ in range(2):
        for _ in range(DEAD_AFTER - 1):
            breaker.failed(PASSING, answer(), breaker.check("m"))
        breaker.failed(FINAL, answer(400), breaker.check("m"))  # a refused symbol says nothing of the host
        assert not breaker.is_open
        if round_ == 0:
            breaker.succeeded()
    breaker.failed(PASSING, answer(), breaker.check("m"))
    with pytest.raises(FetchError, match="5 requests in a row failed, asked no more for now: trouble") as e:
        breaker.check("m")
    assert e.value.retryable
    breaker.succeeded()
    breaker.check("m")


def test_answers_of_one_moment_count_once_and_silences_each() -> None:
    breaker = Breaker(None, "kraken", None)
    asked_at = time.monotonic()
    for _ in range(3 * DEAD_AFTER):
        breaker.failed(PASSING, answer(500), asked_at)
    assert not breaker.is_open
    for _ in range(DEAD_AFTER):
        breaker.failed(PASSING, answer(), asked_at)
    assert breaker.is_open


def test_it_rests_as_long_as_told() -> None:
    now = Now()
    breaker = Breaker(None, "kraken", None, rest=timedelta(seconds=60), clock=now)
    for _ in range(DEAD_AFTER):
        breaker.failed(PASSING, answer(), 0)
    assert breaker.is_open
    now.seconds += 60
    assert not breaker.is_open


def candle_hosts(traffic: Traffic) -> Iterator[str]:
    return (url.split("/")[3] for url in traffic.candles())


def test_a_banned_host_is_asked_by_no_market_and_no_later_session(
    source: GeneratedSource, traffic: Traffic, tmp_path: Path
) -> None:
    async def work(here: World) -> None:
        await here.faults({**BAN, "market": None})
        wanted = [*BINANCE, ("okx", "BTC/USDT")]
        for session in range(2):
            traffic.urls.clear()
            outcomes = await fetch_all(wanted, WINDOW, here.hosts, tmp_path, ONCE)
            for key in BINANCE:
                refused = outcomes[key]
                assert isinstance(refused, FetchError)
                assert refused.market == " ".join(key)
                assert "banned this address until 2025-03-05 14:00:50 UTC" in refused.reason
                assert not refused.retryable
            assert isinstance(outcomes["okx", "BTC/USDT"], Fetched)
            assert sum("/binance/" in url for url in traffic.urls) == (1 if session == 0 else 0)

    run(source, work)
    (kept,) = tmp_path.glob("away-*")
    assert 7100 < json.loads(kept.read_text())["until"] - time.time() < 7201


@pytest.mark.parametrize("fault", [BAN, {**BAN, "status": 403, "retry_after": None}])
def test_a_market_that_is_refused_stops_what_waits_behind_it(
    fault: dict[str, Any], source: GeneratedSource, traffic: Traffic, tmp_path: Path
) -> None:
    async def work(here: World) -> None:
        await fetch_all(BINANCE, WINDOW, here.hosts, tmp_path, ONCE)
        await here.faults({name: value for name, value in fault.items() if value is not None})
        traffic.urls.clear()
        outcomes = await spot.fetch_all(dict.fromkeys(BINANCE, EARLIER), here.hosts, tmp_path, ONCE)
        assert len(outcomes["binance", "BTC/USDT"]) == 1
        for results in outcomes.values():
            assert isinstance(results[-1], FetchError)
            assert len(results) < len(EARLIER)
        assert len(traffic.candles()) <= 2 * len(BINANCE)

    run(source, work)


def test_a_silent_host_costs_one_round_and_not_one_a_market(source: GeneratedSource, tmp_path: Path) -> None:
    async def work(here: World) -> None:
        markets = [("kraken", market.symbol) for market in here.markets("kraken")]
        assert len(markets) == DEAD_AFTER
        connections: list[asyncio.StreamWriter] = []
        async with mute_host(connections) as dead:
            hosts = {**here.hosts, "kraken": dead}
            # Its listings are known, so that all markets ask at once.
            await fetch_all(markets, WINDOW, here.hosts, tmp_path, ONCE)
            known = ListingsFile(tmp_path, "kraken", here.hosts["kraken"])
            ListingsFile(tmp_path, "kraken", dead).write(known.read())
            outcomes = await fetch_all(markets, WINDOW, hosts, tmp_path, Patience(10, 0.3, 0.01))
            assert len(connections) == DEAD_AFTER, "each market asks once, of the ten times it might"
        for outcome in outcomes.values():
            assert isinstance(outcome, FetchError)
            assert outcome.retryable
            assert "no answer in time" in outcome.reason

    run(source, work)


def test_a_failing_host_is_left_alone_after_a_few_requests(source: GeneratedSource, traffic: Traffic) -> None:
    async def work(here: World) -> None:
        await here.faults({"exchange": "okx", "market": "BTC/USDT", "kind": "html"})
        outcomes = await fetch_all([("okx", "BTC/USDT")], WINDOW, here.hosts, None, Patience(20, 5, 0.001))
        refused = outcomes["okx", "BTC/USDT"]
        assert isinstance(refused, FetchError)
        assert len(traffic.candles()) == DEAD_AFTER
        assert "5 requests in a row failed" in refused.reason

    run(source, work)


def test_windows_of_a_market_end_with_its_first_failure_only(source: GeneratedSource) -> None:
    key = ("binance", "BTC/USDT")

    async def work(here: World) -> None:
        fault = {"exchange": "binance", "market": key[1], "kind": "html"}
        wanted = {key: EARLIER, ("binance", "ETH/USDT"): EARLIER[:2]}
        await here.faults({**fault, "count": 1})
        outcomes = await spot.fetch_all(wanted, here.hosts, None, ONCE)
        (alone,) = outcomes[key]
        assert isinstance(alone, FetchError)
        assert all(isinstance(result, Fetched) for result in outcomes["binance", "ETH/USDT"])
        await here.faults({**fault, "count": 2})
        outcomes = await spot.fetch_all(wanted, here.hosts, None, TWICE)
        (alone,) = outcomes[key]
        # A later window's failure concerns itself alone.
        await here.faults()
        windows = [*EARLIER[:2], Window(NOW - HOUR, NOW), *EARLIER[2:]]
        original = GeneratedSource.candles

        def candles(self: Any, market: Any, step: int, start: int, stop: int, now: int) -> Any:
            found = original(self, market, step, start, stop, now)
            return found.take(found.open_time < (NOW - HOUR).timestamp() * 1000)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(GeneratedSource, "candles", candles)
            results = (await spot.fetch_all({key: windows}, here.hosts, None, ONCE))[key]
        assert len(results) == len(windows)
        assert [result.window for result in results if isinstance(result, Fetched)] == windows

    run(source, work)


def test_seconds_end_the_windows_but_not_the_first(source: GeneratedSource, traffic: Traffic) -> None:
    async def work(here: World) -> None:
        wanted = dict.fromkeys(BINANCE, EARLIER)
        outcomes = await spot.fetch_all(wanted, here.hosts, None, ONCE, seconds=0)
        for results in outcomes.values():
            assert [type(result) for result in results] == [Fetched]
        assert sum("exchangeInfo" in url for url in traffic.urls) == 1
        outcomes = await spot.fetch_all(wanted, here.hosts, None, ONCE, seconds=60)
        for results in outcomes.values():
            assert [result.window for result in results if isinstance(result, Fetched)] == EARLIER

    run(source, work)
