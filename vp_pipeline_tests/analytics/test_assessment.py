"""What our page says is what quantstats says of the same returns, to 1e-9 where both say it."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from quantstats import stats as quantstats_stats

from vp_pipeline.analytics.assessment import Assessment, assess, costs_at
from vp_pipeline.analytics.backtest import Backtest, backtest
from vp_pipeline.analytics.errors import NotEnoughData
from vp_pipeline.analytics.performance import performance
from vp_pipeline.analytics.sharpe_significance import Trials, dsr, psr
from vp_pipeline.analytics.strategies import STRATEGIES
from vp_pipeline_tests.analytics.histories import bars_history

SAME = 1e-9
stats: Any = quantstats_stats
"""quantstats annotates only some of its functions."""


@pytest.fixture(scope="module")
def whole() -> tuple[Backtest, pd.Series, Trials, Assessment]:
    history = bars_history(900, seed=4)
    runs = {key: backtest(one.weights(history), history.returns, 7) for key, one in STRATEGIES.items()}
    tested, benchmark = runs["mean_reversion"], runs["equal_weight"].net.rename("equal_weight")
    trials = Trials.among(one.net for one in runs.values())
    return tested, benchmark, trials, assess(tested, benchmark, trials)


def test_quantstats_says_the_same(whole: tuple[Backtest, pd.Series, Trials, Assessment]) -> None:
    tested, benchmark, _, found = whole
    for returns, ours in (
        (tested.net, found.net),
        (tested.gross, found.gross),
        (benchmark, found.benchmark),
        (tested.net[:600], found.in_sample.net),
        (tested.net[600:], found.out_of_sample.net),
    ):
        assert ours is not None
        theirs = {
            "cagr": stats.cagr(returns, periods=365),
            "volatility": stats.volatility(returns, periods=365),
            "sharpe": stats.sharpe(returns, periods=365),
            "sortino": stats.sortino(returns, periods=365),
            "max_drawdown": stats.max_drawdown(returns),
        }
        assert vars(ours) == pytest.approx(theirs, rel=SAME)
    greeks = stats.greeks(tested.net, benchmark, periods=365)
    assert found.calmar == pytest.approx(stats.calmar(tested.net, periods=365), rel=SAME)
    assert found.skew == pytest.approx(stats.skew(tested.net), rel=SAME)
    assert found.kurtosis - 3 == pytest.approx(stats.kurtosis(tested.net), rel=SAME)
    assert found.psr == pytest.approx(stats.probabilistic_sharpe_ratio(tested.net, periods=365), rel=SAME)
    assert found.comparison.beta == pytest.approx(greeks["beta"], rel=SAME)
    assert found.comparison.alpha == pytest.approx(greeks["alpha"], rel=SAME)


def test_figures_of_luck_and_trading(whole: tuple[Backtest, pd.Series, Trials, Assessment]) -> None:
    tested, _, trials, found = whole
    assert (found.trials, found.days) == (len(STRATEGIES), 900)
    assert found.psr == psr(tested.net)
    assert found.dsr == dsr(tested.net, trials.sharpe_variance, trials.count) < found.psr
    # The ratio that luck gives is the one at which one half is left.
    assert psr(tested.net, found.luck / np.sqrt(365)) == found.dsr
    assert found.turnover == tested.turnover.mean()
    assert found.costs == pytest.approx(tested.turnover.mean() * 7e-4 * 365)
    at_break_even = tested.gross - tested.turnover * found.break_even_bps / 1e4
    assert at_break_even.mean() == pytest.approx(0, abs=1e-15)


def test_a_day_splits_the_samples(whole: tuple[Backtest, pd.Series, Trials, Assessment]) -> None:
    tested, benchmark, trials, _ = whole
    split = tested.net.index[700]
    found = assess(tested, benchmark, trials, split=split)
    assert (found.in_sample.days, found.out_of_sample.days) == (700, 200)
    assert found.out_of_sample.first == split
    assert found.out_of_sample.net == performance(tested.net[700:])
    after = assess(tested, benchmark, trials, split=pd.Timestamp("2099-01-01"))
    assert (after.in_sample.days, after.out_of_sample.days, after.out_of_sample.net) == (900, 0, None)
    assert np.isnan(after.out_of_sample.sharpe)


def test_costs_are_multiplied(whole: tuple[Backtest, pd.Series, Trials, Assessment]) -> None:
    tested, _, _, found = whole
    at = costs_at(tested, (0.0, 1.0, 3.0), 365)
    assert at["cagr"].iloc[0] == found.gross.cagr
    assert at["sharpe"].iloc[1] == pytest.approx(found.net.sharpe)
    assert at["cagr"].is_monotonic_decreasing


@pytest.mark.parametrize(
    "returns",
    [[0.0] * 9, [0.01] * 9, [0.01, 0.02, 0.01], [-1.0, 0.0, 0.0, 0.0], [0.1, np.nan, -0.1, 0.2], [0.0, 0.1]],
    ids=["zero", "constant", "all positive", "all is lost", "one missing", "two"],
)
def test_what_is_undefined_is_nan_and_raises_nothing(returns: list[float]) -> None:
    frame = pd.DataFrame({"A": returns}, pd.date_range("2024-01-01", periods=len(returns)))
    weights = pd.DataFrame({"A": 1.0}, frame.index)
    tested = backtest(weights, frame)
    found = assess(tested, frame["A"].rename("A"), Trials.among([tested.net]))
    assert found.evidence.level in ("none", "weak")
    assert -1 <= found.net.max_drawdown <= 0
    if np.ptp(tested.net) == 0:
        assert np.isnan([found.net.sharpe, found.psr, found.dsr]).all()


def test_one_day_is_not_enough() -> None:
    frame = pd.DataFrame({"A": [0.1]}, pd.date_range("2024-01-01", periods=1))
    tested = backtest(frame * 0 + 1, frame)
    with pytest.raises(NotEnoughData):
        assess(tested, frame["A"], Trials(1, 0.0))
