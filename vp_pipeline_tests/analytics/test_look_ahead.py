"""Every registered strategy, and planted ones that look ahead in the ways people's strategies do."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from vp_pipeline.analytics.history import History
from vp_pipeline.analytics.look_ahead import look_ahead, peeks
from vp_pipeline.analytics.strategies import STRATEGIES
from vp_pipeline_tests.analytics.histories import bars_history

Weights = Callable[[pd.DataFrame], pd.DataFrame]


def random_returns(days: int = 40) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    frame = pd.DataFrame(
        rng.normal(0, 0.04, (days, 3)), pd.date_range("2024-01-01", periods=days), columns=list("ABC")
    )
    frame.iloc[:6, 2] = np.nan
    frame.iloc[20, 0] = 0
    return frame


def buys_what_rises_today(returns: pd.DataFrame) -> pd.DataFrame:
    return (returns > 0).astype(float)


def buys_what_rises_tomorrow(returns: pd.DataFrame) -> pd.DataFrame:
    return (returns.shift(-1) > 0).astype(float)


def centred_mean(returns: pd.DataFrame) -> pd.DataFrame:
    return returns.rolling(5, center=True).mean()


def scaled_by_the_best_day(returns: pd.DataFrame) -> pd.DataFrame:
    return returns.shift(1) / returns.max()


def trailing_mean(returns: pd.DataFrame) -> pd.DataFrame:
    return returns.rolling(5).mean().shift(1)


def one_peek(returns: pd.DataFrame) -> pd.DataFrame:
    weights = trailing_mean(returns)
    weights.loc[returns.index[25], "A"] = returns["A"].iloc[30]
    return weights


@pytest.mark.parametrize("key", STRATEGIES)
def test_what_a_strategy_says_of_itself_is_true(key: str) -> None:
    strategy = STRATEGIES[key]
    assert bool(peeks(strategy.weights, random_returns(), seed=0)) is strategy.looks_ahead


def test_full_sample_volatility_is_seen_on_every_day() -> None:
    returns = random_returns()
    assert peeks(STRATEGIES["volatility_weight"].weights, returns, seed=0) == list(returns.index)


@pytest.mark.parametrize(
    "planted", [buys_what_rises_today, buys_what_rises_tomorrow, centred_mean, scaled_by_the_best_day]
)
@pytest.mark.parametrize("seed", range(3))
def test_planted_ones_are_caught(planted: Weights, seed: int) -> None:
    assert len(peeks(planted, random_returns(), seed)) > 20


def test_use_of_the_rows_own_return_is_seen_on_that_row() -> None:
    returns = random_returns()
    # The last row has no later one to know.
    assert returns.index[-1] in peeks(buys_what_rises_today, returns, seed=0)
    assert returns.index[-1] not in peeks(buys_what_rises_tomorrow, returns, seed=0)


def test_the_past_may_be_used() -> None:
    assert peeks(trailing_mean, random_returns(), seed=0) == []


def test_a_single_peek_is_dated() -> None:
    returns = random_returns()
    assert peeks(one_peek, returns, seed=0) == [returns.index[25]]


def test_the_returns_are_left_as_they_were() -> None:
    returns = random_returns()
    before = returns.copy()
    peeks(trailing_mean, returns, seed=0)
    assert returns.equals(before)


def test_weights_of_other_dates_are_refused() -> None:
    with pytest.raises(ValueError, match="dates and symbols of the returns"):
        peeks(lambda returns: returns.iloc[1:], random_returns(), seed=0)


def buys_before_a_high_volume(history: History) -> pd.DataFrame:
    return (history.volume.shift(-1) > history.volume).astype(float)


def buys_below_the_days_own_low(history: History) -> pd.DataFrame:
    return (history.low < history.close.shift(1)).astype(float)


def of_the_last_close(history: History) -> pd.DataFrame:
    return history.close / history.close.ffill().iloc[-1]


@pytest.mark.parametrize(
    "planted", [buys_before_a_high_volume, buys_below_the_days_own_low, of_the_last_close]
)
def test_bars_to_come_are_as_forbidden_as_returns(planted: Callable[[History], pd.DataFrame]) -> None:
    found = look_ahead(planted, bars_history(days=60))
    assert found.found
    assert (found.tested, found.rows) == (60, 60)
    assert len(found.days) > 20


def test_a_test_of_one_day_is_of_the_last() -> None:
    returns = bars_history(days=60).returns
    found = look_ahead(lambda known: known, returns, days=1)
    assert (found.tested, found.days) == (1, (returns.index[-1],))
