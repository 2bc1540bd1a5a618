"""Turns at an exchange that processes share, on a real Redis."""

import asyncio
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from redis import Redis

from vp_pipeline.exchanges import pace, spot
from vp_pipeline.exchanges.errors import FetchError
from vp_pipeline.exchanges.frames import Fetched
from vp_pipeline.windows import DAY, Window
from vp_pipeline_tests.cluster.machines import RedisServer

INTERVAL_MS = 40.0
NOBODY = "redis://127.0.0.1:1/0"


@pytest.fixture
def redis(redis_server: RedisServer) -> Iterator["Redis"]:
    with Redis.from_url(redis_server.url) as client:
        client.flushdb()
        yield client


@pytest.mark.usefixtures("redis")
def test_requests_of_all_are_an_interval_apart(redis_server: RedisServer) -> None:
    begun: list[float] = []

    async def process() -> None:
        async with pace.shared(redis_server.url, patient=True) as line:
            assert line is not None
            for _ in range(6):
                await line.turn("kraken", INTERVAL_MS)
                begun.append(time.monotonic())

    async def main() -> None:
        await asyncio.gather(process(), process(), process())

    asyncio.run(main())
    assert max(begun) - min(begun) >= 17 * INTERVAL_MS / 1000 * 0.9
    # Whoever wakes up late does not make the next come sooner than its own place.
    assert sum(after - before < INTERVAL_MS / 1000 / 2 for before, after in pairwise(sorted(begun))) <= 4


@pytest.mark.usefixtures("redis")
def test_a_pause_that_an_exchange_asks_one_for_is_everybodys(redis_server: RedisServer) -> None:
    async def main() -> tuple[float, float]:
        async with (
            pace.shared(redis_server.url, patient=True) as one,
            pace.shared(redis_server.url, patient=False) as other,
        ):
            assert one is not None
            assert other is not None
            await one.hold("kraken", 0.5)
            started = time.monotonic()
            await other.turn("bybit", INTERVAL_MS)
            elsewhere = time.monotonic()
            await other.turn("kraken", INTERVAL_MS)
            return elsewhere - started, time.monotonic() - started

    elsewhere, there = asyncio.run(main())
    assert elsewhere < 0.4
    assert there > 0.4


def test_every_request_of_ccxt_takes_a_turn(sandbox: str, redis: "Redis", redis_server: RedisServer) -> None:
    start = datetime(2024, 3, 1, tzinfo=UTC)
    market = ("bitstamp", "BTC/USD")

    async def main() -> object:
        async with pace.shared(redis_server.url, patient=True) as line:
            wanted, hosts = {market: [Window(start, start + 2 * DAY)]}, {"bitstamp": f"{sandbox}/bitstamp"}
            return (await spot.fetch_all(wanted, hosts, None, pace=line))[market][0]

    before = redis.info("commandstats").get("cmdstat_eval", {"calls": 0})["calls"]
    outcome = asyncio.run(main())
    assert isinstance(outcome, Fetched)
    assert len(outcome.frame) == timedelta(days=2) // timedelta(minutes=1)
    # Three pages, and the list of markets before them.
    assert redis.info("commandstats")["cmdstat_eval"]["calls"] - before >= 4
    assert redis.exists("vp:pace:bitstamp")


def test_without_redis_a_tick_goes_on_and_history_gives_up_after_a_while(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def turns(patient: bool) -> None:
        async with pace.shared(NOBODY, patient=patient) as line:
            assert line is not None
            for _ in range(3):
                await line.turn("kraken", INTERVAL_MS)

    monkeypatch.setattr(pace, "PATIENCE_SECONDS", 0.5)
    asyncio.run(turns(patient=False))
    with pytest.raises(
        FetchError, match="Redis, by which workers share the exchange's limit, is away"
    ) as why:
        asyncio.run(turns(patient=True))
    assert why.value.retryable
