"""Rounds of the poller: real clients, simulated exchanges, a real Postgres."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta

import psycopg
import pytest

from vp_pipeline.exchanges.answer import Answer
from vp_pipeline.exchanges.breaker import Breaker
from vp_pipeline.exchanges.errors import FetchError
from vp_pipeline.poller.service import Poller
from vp_pipeline.storage.connection import transaction
from vp_pipeline.windows import MINUTE, Window, floor, to_ms
from vp_pipeline_tests.poller.installation import RATE, Installed

DOWN = {"kind": "status", "status": 503, "exchange": "binance"}


def polling(here: Installed, work: Callable[[Poller], Awaitable[None]]) -> None:
    """Let a poller do the work."""

    async def main() -> None:
        poller = Poller(here.settings)
        try:
            await work(poller)
        finally:
            await poller.close()

    asyncio.run(main())


def rounds(here: Installed, count: int = 1) -> None:
    async def work(poller: Poller) -> None:
        for _ in range(count):
            await poller.round()

    polling(here, work)


@pytest.mark.parametrize("second", [0, 59])
def test_the_minutes_after_the_aggregate_are_there(here: Installed, second: int) -> None:
    here.stand_still(here.now.replace(second=second))
    here.list_markets()
    rounds(here)
    for base, market, usd in (("BTC", "kraken BTC/USD", 1.0), ("ETH", "binance ETH/USDT", RATE)):
        found = here.read(base)
        truth = here.truth(market, Window(here.end, floor(here.now, MINUTE) + MINUTE))
        assert (found.market, found.trouble) == (market, "")
        assert found.read_at is not None
        assert [to_ms(one.open_time) for one in found.minutes] == truth["open_time"].tolist()
        for name in ("open", "high", "low", "close"):
            prices = [getattr(one, name) for one in found.minutes]
            assert prices == pytest.approx((truth[name] * usd).tolist(), rel=1e-9)
        assert [one.volume for one in found.minutes] == pytest.approx(truth["volume"].tolist(), rel=1e-6)
        open_minute = floor(here.now, MINUTE)
        assert all(one.closed == (one.open_time < open_minute) for one in found.minutes)


def test_what_no_sum_knows_tells_readers_once_and_changes_nothing_else(here: Installed) -> None:
    here.list_markets()
    with psycopg.connect(here.url, autocommit=True) as connection:
        before = connection.execute("SELECT * FROM site.change ORDER BY base").fetchall()
        connection.execute("LISTEN vp_change")
        rounds(here)
        read_at = here.read("BTC").read_at
        rounds(here)
        told = [one.payload for one in connection.notifies(timeout=1)]
        assert sorted(told) == ["fresh BTC", "fresh ETH"]
        assert connection.execute("SELECT * FROM site.change ORDER BY base").fetchall() == before
        assert connection.execute("SELECT count(*) FROM candle").fetchone() == (0,)
    later = here.read("BTC").read_at
    assert read_at is not None
    assert later is not None
    assert later > read_at


def test_a_minute_vanishes_when_the_aggregate_has_it(here: Installed) -> None:
    here.list_markets()
    rounds(here)
    end = here.end + 3 * MINUTE
    here.aggregated("BTC", end)
    assert here.read("BTC").minutes[0].open_time >= end
    assert here.read("ETH").minutes[0].open_time == here.end
    rounds(here)
    with transaction(here.url) as connection:
        query = "SELECT min(open_time) FROM site.lead_minute WHERE base = 'BTC'"
        assert connection.execute(query).fetchone() == (here.read("BTC").minutes[0].open_time,)


def test_an_outage_is_said_once_and_leaves_what_was_read(
    here: Installed, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    here.list_markets()

    async def work(poller: Poller) -> None:
        await poller.round()
        before = here.read("ETH")
        here.faults(DOWN)
        for _ in range(3):
            await poller.round()
            poller._asking._not_before.clear()  # the pause, which grows, is over
        during = here.read("ETH")
        assert "503" in during.trouble
        assert (during.read_at, during.minutes) == (before.read_at, before.minutes)
        assert here.read("BTC").trouble == ""
        here.faults()
        await poller.round()
        assert here.read("ETH").trouble == ""

    polling(here, work)
    said = [one.getMessage() for one in caplog.records if "binance ETH/USDT" in one.getMessage()]
    assert len(said) == 2
    assert "503" in said[0]
    assert said[1] == "binance ETH/USDT: answers again"


def test_an_exchange_in_trouble_is_left_alone_for_longer_and_longer(here: Installed) -> None:
    here.list_markets()
    here.faults(DOWN)

    async def work(poller: Poller) -> None:
        pauses = []
        loop = asyncio.get_running_loop()
        for _ in range(3):
            await poller.round()
            pauses.append(poller._asking._not_before["binance"] - loop.time())
            here.faults()  # it would answer, if it were asked
            await poller.round()
            assert "503" in here.read("ETH").trouble
            here.faults(DOWN)
            poller._asking._not_before.clear()
        assert pauses == pytest.approx([5, 10, 20], abs=2)

    polling(here, work)


def test_a_ban_that_another_process_met_is_respected(here: Installed) -> None:
    here.list_markets()

    async def work(poller: Poller) -> None:
        await poller.round()
        before = here.read("ETH")
        other = Breaker(here.settings.listings_folder, "binance", here.settings.exchange_host("binance"))
        banned = Answer(status=418, stay_away_until=here.now + timedelta(hours=1))
        other.failed(FetchError("binance BTC/USDT", "banned (HTTP 418)"), banned, 0)
        await poller.round()
        after = here.read("ETH")
        assert "banned (HTTP 418); not asked before" in after.trouble
        assert after.read_at == before.read_at
        assert here.read("BTC").trouble == ""

    polling(here, work)


def test_no_exchange_is_asked_for_all_its_markets(here: Installed) -> None:
    rounds(here)
    assert here.read("ETH").trouble == "not known yet whether the exchange lists it: a tick asks"
    assert not list(here.settings.listings_folder.glob("*"))


def test_without_a_rate_no_price_is_made_up(here: Installed) -> None:
    here.list_markets()
    with psycopg.connect(here.url) as connection:
        connection.execute("UPDATE quote_rate SET open_time = open_time - interval '2 hours'")
    rounds(here)
    assert here.read("ETH").minutes == ()
    assert here.read("ETH").trouble == "what USDT is worth in US dollars is not known for this hour"
    assert here.read("BTC").minutes
