"""Clocks that run ahead: noticed among others, and never a reason to take an open candle for closed."""

from datetime import timedelta

import pytest

from vp_pipeline.exchanges import spot
from vp_pipeline.exchanges.clocks import too_far_ahead
from vp_pipeline.exchanges.frames import Fetched, settled
from vp_pipeline.sandbox.generator import GeneratedSource
from vp_pipeline.windows import HOUR, MINUTE, Window, floor
from vp_pipeline_tests.exchanges.conftest import ONCE
from vp_pipeline_tests.exchanges.test_content import assert_complete
from vp_pipeline_tests.exchanges.worlds import NOW, World, run

KEYS = [("binance", "BTC/USDT"), ("kraken", "BTC/USD"), ("coinbaseexchange", "BTC/USD"), ("okx", "BTC/USDT")]


def test_who_is_ahead_of_the_others() -> None:
    def leads(**seconds: float) -> dict[str, timedelta]:
        return {name: timedelta(seconds=lead) for name, lead in seconds.items()}

    assert too_far_ahead(leads(a=100, b=103, c=160)) == leads(c=57)
    assert too_far_ahead(leads(a=0, b=0, c=-500, d=4)) == {}
    assert too_far_ahead(leads(a=0, b=500)) == {}
    assert too_far_ahead({}) == {}


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
