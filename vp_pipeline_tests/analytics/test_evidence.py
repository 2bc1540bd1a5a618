from dataclasses import replace
from typing import Any

import pytest

from vp_pipeline.analytics.evidence import Findings, evidence

GOOD = Findings(
    days=1000,
    looks_ahead=False,
    sharpe=1.5,
    sharpe_low=0.4,
    psr=0.999,
    dsr=0.97,
    trials=8,
    out_of_sample_sharpe=1.1,
    excess_cagr=0.1,
    benchmark="BTCUSDT",
)


def test_strong_is_what_nothing_speaks_against() -> None:
    found = evidence(GOOD)
    assert (found.level, found.against) == ("strong", ())
    assert len(found.favour) == 6


@pytest.mark.parametrize(
    ("change", "level", "said"),
    [
        ({"dsr": 0.9}, "moderate", "no better than the best of 8 variants that are worth nothing"),
        ({"excess_cagr": -0.1}, "moderate", "did not grow more than BTCUSDT"),
        ({"days": 500}, "moderate", "rests on 500 days only"),
        ({"days": 300}, "weak", "rests on 300 days only"),
        ({"sharpe_low": -0.1}, "weak", "may be luck"),
        ({"psr": 0.9, "dsr": 0.5}, "weak", "deflated Sharpe ratio 50%"),
        ({"out_of_sample_sharpe": -0.2}, "weak", "did not gain out of sample"),
        ({"out_of_sample_sharpe": float("nan")}, "weak", "did not gain out of sample"),
        ({"sharpe": -0.1}, "none", "It lost after costs"),
        ({"sharpe": float("nan")}, "none", "never move"),
        ({"looks_ahead": True}, "none", "nobody could have held them"),
        ({"dsr": float("nan"), "psr": float("nan")}, "weak", "undefined"),
    ],
)
def test_each_doubt_is_said_and_counts(change: dict[str, Any], level: str, said: str) -> None:
    found = evidence(replace(GOOD, **change))
    assert found.level == level
    assert any(said in reason for reason in found.against)


def test_without_a_benchmark_there_is_nothing_to_beat() -> None:
    found = evidence(replace(GOOD, benchmark=None, excess_cagr=float("nan"), trials=1))
    assert found.level == "strong"
    assert not any("grow" in reason for reason in found.favour)
    assert any("better than luck" in reason for reason in found.favour)
