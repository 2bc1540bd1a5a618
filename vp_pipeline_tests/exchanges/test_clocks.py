"""Clocks that run ahead: noticed among others, and never a reason to take an open candle for closed."""

from datetime import timedelta

import pytest

from vp_pipeline.exchanges import spot
from vp_pipeline.exchanges.clocks import usual_lead
from vp_pipeline.exchanges.frames import Fetched, settled
from vp_pipeline.sandbox.generator import GeneratedSource
from vp_pipeline.windows import HOUR, MINUTE, Window, floor
from vp_pipeline_tests.exchanges.conftest import ONCE
from vp_pipeline_tests.exchanges.test_content import assert_complete
from vp_pipeline_tests.exchanges.worlds import NOW, World, run

KEYS = [("binance", "BTC/USDT"), ("kraken", "BTC/USD"), ("coinbaseexchange", "BTC/USD"), ("okx", "BTC/USDT")]


def test_what_most_clocks_say() -> None:
    def leads(*seconds: float) -> list[timedelta]:
        return [timedelta(seconds=lead) for lead in seconds]

    assert usual_lead(leads(100, 103, 160)) == timedelta(seconds=103)
    assert usual_lead(leads(0, 0, -500, 4)) == timedelta(0)
    assert usual_lead(leads(0, 500)) is None
    assert usual_lead([]) is None


def test_one_wrong_answer_of_an_exchange_is_noticed_and_its_others_are_believed(
    source: GeneratedSource,
) -> None:
    end = floor(NOW, MINUTE)
    windows = [Window(end - HOUR, end + HOUR), Window(end - 3 * HOUR, end - 2 * HOUR)]

    async def work(here: World) -> None:
        await here.faults(
            {"exchange": "okx", "market": "BTC/USDT", "kind": "skew", "seconds": 7200, "count": 1}
        )
        outcomes = await spot.fetch_all(dict.fromkeys(KEYS, windows), here.hosts, None, ONCE)
        open_one, old = outcomes["okx", "BTC/USDT"]
        assert isinstance(open_one, Fetched)
        assert isinstance(old, Fetched)
        assert settled(NOW - 5 * timedelta(seconds=1)) <= open_one.answered.end <= settled(NOW)
        assert old.answered == windows[1]

    run(source, work)


@pytest.mark.parametrize("seconds", [40, 600, -600])
def test_a_clock_that_is_wrong_makes_no_candle_final_too_early(seconds: int, source: GeneratedSource) -> None:
    window = Window(floor(NOW, MINUTE) - HOUR, floor(NOW, MINUTE) + HOUR)

    async def work(here: World) -> None:
        await here.faults({"exchange": "binance", "kind": "skew", "seconds": seconds})
        outcomes = await spot.fetch_all({key: [window] for key in KEYS}, here.hosts, None, ONCE)
        for key, (outcome,) in outcomes.items():
            assert_complete(here, key, outcome)
            assert isinstance(outcome, Fetched)
            late = timedelta(seconds=min(seconds, 0)) if key[0] == "binance" else timedelta(0)
            # The other clocks tell the time to the second and its way to us.
            assert (
                settled(NOW + late - 5 * timedelta(seconds=1)) <= outcome.answered.end <= settled(NOW + late)
            )
            assert outcome.frame["provisional"].any() or late

    run(source, work)
