"""Rounds of requests through every kind of trouble: late perhaps, but never wrong."""

import random
from typing import Any

import pytest

from vp_pipeline.exchanges import spot
from vp_pipeline.exchanges.errors import FetchError
from vp_pipeline.exchanges.frames import Fetched
from vp_pipeline.exchanges.patience import Patience
from vp_pipeline.sandbox.generator import GeneratedSource
from vp_pipeline.windows import HOUR, Window
from vp_pipeline_tests.exchanges.test_content import assert_complete
from vp_pipeline_tests.exchanges.worlds import WINDOW, World, one_market_each, run

TROUBLE: list[dict[str, Any]] = [
    {"kind": "status", "status": 429},
    {"kind": "status", "status": 429, "retry_after": 0},
    {"kind": "status", "status": 429, "retry_after": 3600},
    {"kind": "status", "status": 418, "retry_after": 3600},
    {"kind": "status", "status": 418},
    {"kind": "status", "status": 451},
    {"kind": "status", "status": 500, "body": "[]"},
    {"kind": "status", "status": 503, "body": "{}"},
    {"kind": "status", "status": 524, "body": "<html>"},
    {"kind": "reset"},
    {"kind": "truncated"},
    {"kind": "truncated", "connection": "kept"},
    {"kind": "drip", "seconds": 20},
    {"kind": "html"},
    {"kind": "empty_body"},
    {"kind": "empty_list"},
    {"kind": "short"},
    {"kind": "reordered"},
    {"kind": "duplicated"},
    {"kind": "garbage_rows"},
    {"kind": "revised", "minutes": 0.7},
    {"kind": "skew", "seconds": 30},
]


@pytest.mark.parametrize("seed", range(3))
def test_whatever_happens_what_is_answered_is_true(seed: int, source: GeneratedSource) -> None:
    chance = random.Random(seed)
    windows = [WINDOW, *(Window(WINDOW.start - k * HOUR, WINDOW.end - k * HOUR) for k in range(1, 6))]

    async def work(here: World) -> None:
        pending = {key: list(windows) for key in one_market_each(here)}
        for round_ in range(7):
            faults = [
                {"exchange": exchange, **chance.choice(TROUBLE), "count": chance.randint(1, 2)}
                for exchange, _ in pending
                for _ in range(2)
            ]
            await here.faults(*(faults if round_ < 6 else []))
            # No pause is long enough to wait for, and no memory outlives a round.
            outcomes = await spot.fetch_all(pending, here.hosts, None, Patience(3, 0.6, 0.001))
            for key, results in outcomes.items():
                for outcome in results:
                    if isinstance(outcome, FetchError):
                        assert outcome.reason
                        continue
                    assert_complete(here, key, outcome)
                    assert isinstance(outcome, Fetched)
                    assert outcome.answered == outcome.window
                    pending[key].remove(outcome.window)
            pending = {key: left for key, left in pending.items() if left}
            if not pending:
                return
        raise AssertionError(f"still not answered: {pending}")

    run(source, work)
