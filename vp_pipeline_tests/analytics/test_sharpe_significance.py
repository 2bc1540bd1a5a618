"""The examples of the two papers, to the digits printed there, and a count of simulated luck."""

import math

import numpy as np
import pandas as pd
import pytest

from vp_pipeline.analytics.performance import sharpe
from vp_pipeline.analytics.sharpe_significance import (
    dsr,
    expected_maximum_sharpe,
    probabilistic_sharpe,
    psr,
    trial_variance,
)


def test_the_papers_hedge_fund_is_less_certain_than_its_sharpe_ratio() -> None:
    monthly = 0.458
    assert probabilistic_sharpe(monthly, 24, 0, 3) == pytest.approx(0.982, abs=5e-4)
    assert probabilistic_sharpe(monthly, 24, -2.448, 10.164) == pytest.approx(0.913, abs=5e-4)


@pytest.mark.parametrize(
    ("trials", "skewness", "kurt", "expected"),
    [(100, -3, 10, 0.9004), (46, -3, 10, 0.9505), (88, 0, 3, 0.9505)],
)
def test_the_papers_deflated_ratios(trials: int, skewness: float, kurt: float, expected: float) -> None:
    daily = 2.5 / math.sqrt(250)
    best = expected_maximum_sharpe(0.5 / 250, trials)
    assert probabilistic_sharpe(daily, 1250, skewness, kurt, best) == pytest.approx(expected, abs=5e-5)


def test_the_papers_expected_maximum() -> None:
    assert expected_maximum_sharpe(0.5 / 250, 100) == pytest.approx(0.1132, abs=5e-5)


def test_the_expected_maximum_is_that_of_simulated_luck() -> None:
    luck = np.random.default_rng(1).normal(0, 0.1, (20_000, 50)).max(axis=1)
    assert expected_maximum_sharpe(0.01, 50) == pytest.approx(luck.mean(), rel=0.02)


def test_one_trial_is_not_deflated_and_more_are_more() -> None:
    returns = pd.Series(np.random.default_rng(2).normal(0.002, 0.03, 500))
    assert dsr(returns, 0.001, 1) == psr(returns)
    values = [dsr(returns, 0.001, trials) for trials in (1, 2, 10, 100)]
    assert values == sorted(values, reverse=True)
    assert len(set(values)) == 4


def test_half_of_worthless_series_are_above_one_half() -> None:
    rng = np.random.default_rng(3)
    values = np.array([psr(pd.Series(rng.normal(0, 0.02, 200))) for _ in range(1000)])
    # Uniform if it is a probability; 0.02 is above three standard errors of a mean of 1000.
    assert values.mean() == pytest.approx(0.5, abs=0.03)
    assert (values > 0.95).mean() == pytest.approx(0.05, abs=0.02)


def test_the_probability_is_one_half_at_the_ratio_itself() -> None:
    returns = pd.Series(np.random.default_rng(4).normal(0.002, 0.03, 500))
    assert psr(returns, sharpe(returns, 1)) == pytest.approx(0.5)


def test_what_has_no_error_has_no_probability() -> None:
    assert math.isnan(psr(pd.Series([0.1, 0.2, 0.3])))
    assert math.isnan(probabilistic_sharpe(1.0, 24, 2.0, 3.0))


def test_the_variance_of_trials() -> None:
    assert trial_variance([0.1, 0.3, math.nan], 100) == pytest.approx(0.02)
    assert trial_variance([0.1], 101) == pytest.approx(0.01)
    with pytest.raises(ValueError, match="needs a trial"):
        expected_maximum_sharpe(0.1, 0)
