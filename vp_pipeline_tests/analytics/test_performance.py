"""quantstats 0.0.86 is asked itself; empyrical's figures are those of its own published tests."""

from dataclasses import astuple
from typing import Any

import numpy as np
import pandas as pd
import pytest
from quantstats import stats as quantstats_stats

from vp_pipeline.analytics.benchmark import compare
from vp_pipeline.analytics.errors import NotEnoughData
from vp_pipeline.analytics.performance import (
    cagr,
    calmar,
    drawdown,
    kurtosis,
    performance,
    sharpe,
    skew,
    sortino,
    underwater,
    volatility,
)
from vp_pipeline.analytics.sharpe_significance import psr

SAME = 1e-9

stats: Any = quantstats_stats
"""quantstats annotates only some of its functions."""


def series(*percent: float) -> pd.Series:
    return pd.Series(np.array(percent) / 100, pd.date_range("2000-01-30", periods=len(percent)))


MIXED = series(np.nan, 1, 10, -4, 2, 3, 2, 1, -10)
NEGATIVE = series(0, -6, -7, -1, -9, -2, -6, -8, -5)


def random_returns(seed: int, n: int = 700) -> pd.Series:
    """Skewed, with fat tails, and losing at first."""
    rng = np.random.default_rng(seed)
    values = 0.002 + 0.02 * rng.standard_t(5, n) + 0.01 * (rng.exponential(1, n) - 1)
    values[0] = -0.03
    return pd.Series(values.clip(-0.9), pd.date_range("2021-01-01", periods=n))


@pytest.mark.parametrize("seed", range(5))
def test_quantstats_says_the_same(seed: int) -> None:
    returns = random_returns(seed)
    ours = {
        "cagr": cagr(returns),
        "volatility": volatility(returns),
        "sharpe": sharpe(returns),
        "sortino": sortino(returns),
        "max_drawdown": drawdown(returns).depth,
        "calmar": calmar(returns),
        "skew": skew(returns),
        "kurtosis": kurtosis(returns) - 3,
        "psr": psr(returns),
    }
    theirs = {
        "cagr": stats.cagr(returns, periods=365),
        "volatility": stats.volatility(returns, periods=365),
        "sharpe": stats.sharpe(returns, periods=365),
        "sortino": stats.sortino(returns, periods=365),
        "max_drawdown": stats.max_drawdown(returns),
        "calmar": stats.calmar(returns, periods=365),
        "skew": stats.skew(returns),
        "kurtosis": stats.kurtosis(returns),
        "psr": stats.probabilistic_sharpe_ratio(returns, periods=365),
    }
    assert ours == pytest.approx(theirs, rel=SAME)
    assert underwater(returns).to_numpy() == pytest.approx(
        stats.to_drawdown_series(returns).to_numpy(), abs=SAME
    )


def test_quantstats_says_the_same_of_a_benchmark() -> None:
    returns, benchmark = random_returns(8), random_returns(9)
    benchmark = 0.5 * benchmark + 0.5 * returns
    ours = compare(returns, benchmark)
    greeks = stats.greeks(returns, benchmark, periods=365)
    assert (ours.beta, ours.alpha) == pytest.approx((greeks["beta"], greeks["alpha"]), rel=SAME)
    # quantstats leaves the information ratio of one period as it is.
    ratio = stats.information_ratio(returns, benchmark) * np.sqrt(365)
    assert ours.information_ratio == pytest.approx(ratio, rel=SAME)
    assert ours.correlation == pytest.approx(np.corrcoef(returns, benchmark)[0, 1])
    assert ours.excess_cagr == pytest.approx(cagr(returns) - cagr(benchmark))


def test_what_empyrical_publishes() -> None:
    assert cagr(MIXED.fillna(0), 252) == pytest.approx(1.9135925373194231, abs=1e-8)
    assert volatility(MIXED, 252) == pytest.approx(0.9136465399704637, abs=1e-8)
    assert sharpe(MIXED, 252) == pytest.approx(1.7238613961706866, abs=1e-8)
    assert sharpe(NEGATIVE, 252) == pytest.approx(-24.406808633910085, abs=1e-8)
    assert sortino(MIXED, 252) == pytest.approx(2.605531251673693, abs=1e-8)
    assert sortino(NEGATIVE, 252) == pytest.approx(-13.532743075043401, abs=1e-8)
    assert drawdown(MIXED).depth == pytest.approx(-0.1, abs=1e-8)
    assert calmar(MIXED.fillna(0), 252) == pytest.approx(19.135925373194233, abs=1e-7)
    assert compare(MIXED, NEGATIVE[1:], 252).beta == pytest.approx(-0.71296296296296313, abs=1e-8)


def test_a_benchmark_is_compared_where_both_have_returns() -> None:
    own, other = series(1, 2, np.nan, 4, -1), series(2, 1, 5, np.nan, -2)[:4]
    assert compare(own, other).correlation == pytest.approx(-1)
    assert compare(own, own).beta == pytest.approx(1)
    assert np.isnan(compare(own, own * 0).beta)
    assert np.isnan(compare(own, own).information_ratio)
    with pytest.raises(NotEnoughData):
        compare(own, other[3:])


def test_365_rows_that_double_are_100_percent_a_year_whatever_their_dates() -> None:
    returns = pd.Series(np.full(365, 2 ** (1 / 365) - 1), pd.bdate_range("2021-01-01", periods=365))
    assert cagr(returns) == pytest.approx(1, abs=1e-12)
    assert cagr(returns, 252) == pytest.approx(0.6137, abs=5e-5)


def test_a_drawdown_with_its_dates() -> None:
    days = pd.date_range("2024-01-01", periods=8)
    found = drawdown(pd.Series([0.1, 0.1, -0.1, -0.2, 0.1, 0.5, -0.05, 0.2], days))
    assert found.depth == pytest.approx(0.9 * 0.8 - 1)
    assert (found.peak, found.trough, found.recovery) == (days[1], days[3], days[5])
    assert found.length == 4


def test_a_drawdown_from_the_start_and_not_over() -> None:
    days = pd.date_range("2024-01-01", periods=4)
    found = drawdown(pd.Series([-0.1, -0.1, 0.05, 0.01], days))
    assert found.depth == pytest.approx(-0.19)
    assert (found.peak, found.trough, found.recovery, found.length) == (None, days[1], None, 4)


def test_without_a_loss_there_is_no_drawdown_and_no_ratio_to_it() -> None:
    rising = series(1, 0, 2)
    assert astuple(drawdown(rising)) == (0, None, None, None, 0)
    assert np.isnan(calmar(rising))
    assert underwater(rising).tolist() == [0, 0, 0]


def test_a_total_loss_stays_one() -> None:
    ruined = series(10, -100, 50)
    assert cagr(ruined) == -1
    assert drawdown(ruined).depth == -1
    assert underwater(ruined).tolist() == [0, -1, -1]


def test_returns_that_are_all_the_same_have_no_sharpe_ratio() -> None:
    steady = series(*[0.1] * 30)
    assert steady.std() > 0  # by rounding alone
    assert np.isnan([sharpe(steady), sortino(steady), psr(steady)]).all()
    assert performance(steady).volatility == 0


def test_few_returns_have_no_shape() -> None:
    assert np.isnan(skew(series(1, 2)))
    assert np.isnan(kurtosis(series(1, 2, 4)))
    with pytest.raises(NotEnoughData, match="needs two returns, got 1"):
        skew(series(1, np.nan))
