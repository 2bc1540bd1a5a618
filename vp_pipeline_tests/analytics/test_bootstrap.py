"""A bootstrap is right if its intervals hold the truth as often as they say, which is counted here."""

import numpy as np
import pandas as pd
import pytest

from vp_pipeline.analytics.bootstrap import bootstrap_intervals, stationary_rows
from vp_pipeline.analytics.errors import NotEnoughData
from vp_pipeline.analytics.performance import performance


def returns_of(seed: int, n: int = 400) -> pd.Series:
    return pd.Series(np.random.default_rng(seed).normal(0.001, 0.02, n))


def test_the_same_seed_is_the_same_interval_and_another_is_not() -> None:
    returns = returns_of(1)
    assert bootstrap_intervals(returns) == bootstrap_intervals(returns)
    assert bootstrap_intervals(returns) != bootstrap_intervals(returns, seed=1)


def test_the_figures_themselves_are_inside() -> None:
    returns = returns_of(2)
    figures, found = performance(returns), bootstrap_intervals(returns)
    for name in ("sharpe", "cagr", "max_drawdown"):
        low, high = getattr(found, name)
        assert low < getattr(figures, name) < high


def test_intervals_hold_the_true_sharpe_ratio_as_often_as_they_say() -> None:
    truth = 0.001 / 0.02
    held = 0
    for seed in range(200):
        low, high = bootstrap_intervals(returns_of(seed, 300), 1, level=0.9, samples=200, seed=seed).sharpe
        held += low <= truth <= high
    # 180 are expected; 166 is three standard errors fewer, and resampling is known to be a little narrow.
    assert 164 <= held <= 194


def test_blocks_keep_what_follows_what() -> None:
    rows = stationary_rows(1_000, 400, 10, np.random.default_rng(3))
    follows = np.diff(rows, axis=1) % 1_000 == 1
    assert follows.mean() == pytest.approx(0.9, abs=0.005)
    assert np.bincount(rows.ravel(), minlength=1_000) == pytest.approx(np.full(1_000, 400), abs=200)
    alone = stationary_rows(1_000, 50, 1, np.random.default_rng(3))
    assert (np.diff(alone, axis=1) % 1_000 == 1).mean() < 0.01


def test_one_block_of_everything_is_the_series_itself() -> None:
    returns = returns_of(4, 50)
    found = bootstrap_intervals(returns, mean_block=1e12, samples=50)
    assert found.sharpe == pytest.approx([performance(returns).sharpe] * 2)
    assert found.cagr == pytest.approx([performance(returns).cagr] * 2)


def test_losses_that_come_together_make_the_interval_wider_than_losses_alone() -> None:
    rng = np.random.default_rng(5)
    regimes = pd.Series(np.repeat(rng.choice([-0.01, 0.012], 60), 20) + rng.normal(0, 0.005, 1200))
    blocks = bootstrap_intervals(regimes, mean_block=40).sharpe
    alone = bootstrap_intervals(regimes, mean_block=1).sharpe
    assert blocks[1] - blocks[0] > 2 * (alone[1] - alone[0])


def test_returns_that_are_all_the_same_have_no_interval_of_the_sharpe_ratio() -> None:
    found = bootstrap_intervals(pd.Series([0.1] * 10))
    assert np.isnan(found.sharpe).all()
    assert found.cagr == pytest.approx([1.1**365 - 1] * 2)
    assert found.max_drawdown == (0, 0)


def test_what_cannot_be_drawn_is_refused() -> None:
    with pytest.raises(NotEnoughData):
        bootstrap_intervals(pd.Series([0.1]))
    for wrong in ({"level": 1.0}, {"samples": 0}, {"mean_block": 0.5}):
        with pytest.raises(ValueError, match="cannot draw"):
            bootstrap_intervals(returns_of(6), **wrong)
