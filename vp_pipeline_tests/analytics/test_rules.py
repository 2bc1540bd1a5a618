"""Each rule by hand on a few days, and all of them on what every strategy has to hold."""

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vp_pipeline.analytics.backtest import backtest
from vp_pipeline.analytics.history import FIELDS, History
from vp_pipeline.analytics.look_ahead import look_ahead
from vp_pipeline.analytics.published import volatility_weight
from vp_pipeline.analytics.rules import (
    inverse_volatility,
    momentum,
    threshold_reversion,
    value_area_reversion,
    walk_forward_volatility,
)
from vp_pipeline.analytics.strategies import STRATEGIES
from vp_pipeline.analytics.strategy import StrategyError, configured
from vp_pipeline_tests.analytics.histories import bars_history

SHORT = {
    "inverse_volatility": {"days": 10},
    "walk_forward_volatility": {"min_days": 10},
    "momentum": {"days": 10},
    "value_area_reversion": {"days": 10},
}


def table(*rows: tuple[float, ...]) -> pd.DataFrame:
    return pd.DataFrame(list(rows), pd.date_range("2024-01-01", periods=len(rows)), list("AB"), dtype=float)


def test_the_calmer_symbol_has_the_larger_part() -> None:
    returns = table((0.01, 0.02), (-0.01, -0.02), (0.5, 0.5), (0, 0))
    weights = inverse_volatility(returns, days=2)
    assert weights[:2].to_numpy().tolist() == [[0, 0], [0, 0]]
    assert weights.iloc[2].tolist() == pytest.approx([2 / 3, 1 / 3])


def test_the_wilder_symbol_has_the_larger_part_of_what_was_known() -> None:
    returns = bars_history().returns
    weights = walk_forward_volatility(returns, min_days=10)
    known = returns[:50].std()
    assert weights.iloc[50].to_numpy() == pytest.approx((known / known.sum()).to_numpy(), nan_ok=True)
    # Known to the end it would be the published weights.
    whole = volatility_weight(returns[:40])
    assert (weights.iloc[40] - whole.iloc[-1]).abs().max() < 1e-12


def test_a_fall_beyond_the_threshold_is_held_for_its_days() -> None:
    returns = table((-0.05, 0), (0, -0.049), (0, -0.06), (0, 0), (0, 0), (0, 0))
    weights = threshold_reversion(returns, fall=0.05, hold_days=2)
    assert weights["A"].tolist() == [0, 1, 1, 0, 0, 0]
    assert weights["B"].tolist() == [0, 0, 0, 1, 1, 0]
    both = threshold_reversion(table((-0.1, -0.1), (0, 0)), fall=0.05, hold_days=1)
    assert both.iloc[1].tolist() == [0.5, 0.5]


def test_what_rose_is_held_and_what_fell_is_cash_or_short() -> None:
    returns = table((0.1, -0.1), (0.1, 0.05), (-0.3, 0.2), (0, 0))
    assert momentum(returns, days=2).to_numpy().tolist() == [[0, 0], [0, 0], [0.5, 0], [0, 0.5]]
    assert momentum(returns, days=2, short=True).iloc[2].tolist() == [0.5, -0.5]


def test_below_the_value_area_is_bought_and_at_its_middle_sold() -> None:
    closes = [100.0] * 12 + [90, 91, 92, 100.5, 100.5, 100.5]
    dates = pd.date_range("2024-01-01", periods=len(closes))
    close = pd.DataFrame({"A": closes}, dates)
    bars = {"close": close, "high": close * 1.01, "low": close * 0.99, "volume": close * 0 + 1}
    weights = value_area_reversion(History.of_bars(close.pct_change().fillna(0), bars), days=10)
    # Bought after the first close below, held on the way back, sold after the close at the point of control.
    assert weights["A"].tolist() == [0.0] * 13 + [1, 1, 1, 0, 0]


@pytest.mark.parametrize("name", STRATEGIES)
def test_symbols_enter_and_leave_at_their_dates_and_poison_nothing(name: str) -> None:
    history = bars_history()
    strategy = configured(name, SHORT.get(name))
    weights = strategy.weights(history)
    assert weights.isna().equals(history.returns.isna())
    tested = backtest(weights, history.returns, 7)
    assert tested.net.notna().all()
    assert tested.gross.abs().sum() > 0, "it holds something"
    # After the delisting the weights are those of a history that never had the symbol.
    bars = {field: getattr(history, field)[["A", "B", "D"]] for field in FIELDS}
    without = strategy.weights(History.of_bars(history.returns[["A", "B", "D"]], bars))
    if name != "volatility_weight":  # which leaves a missing symbol's weight uninvested
        left = weights.index[-30:]
        assert weights.loc[left, ["A", "B", "D"]].to_numpy() == pytest.approx(without.loc[left].to_numpy())


@pytest.mark.parametrize("name", [name for name, one in STRATEGIES.items() if not one.looks_ahead])
def test_no_day_to_come_is_known(name: str) -> None:
    found = look_ahead(configured(name, SHORT.get(name)).weights, bars_history(days=60))
    assert (found.days, found.tested) == ((), 60)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 10_000), st.sampled_from([name for name in STRATEGIES if name != "mean_reversion"]))
def test_no_more_than_the_wealth_is_held(seed: int, name: str) -> None:
    weights = configured(name, SHORT.get(name)).weights(bars_history(days=45, seed=seed))
    held = weights.fillna(0)
    assert (held.sum(axis=1) <= 1 + 1e-12).all()
    assert (held >= 0).all(axis=None)


@pytest.mark.parametrize(
    ("name", "parameters", "said"),
    [
        ("momentum", {"days": 0}, "days is 0, but has to be at least 1"),
        ("momentum", {"months": 3}, "has no parameter 'months'; there are days, short"),
        ("momentum", {"days": 1.5}, "days is 1.5, but has to be a whole number"),
        ("momentum", {"days": True}, "days is True, but has to be a whole number"),
        ("equal_weight", {"days": 3}, "there are none"),
        ("value_area_reversion", {"share": 1}, "share is 1.0, but has to be between 0 and 1"),
        ("hodl", {}, "there is no strategy 'hodl'; there are equal_weight"),
        ("nowhere:rule", {}, "cannot be imported"),
    ],
)
def test_what_cannot_be_configured_is_said(name: str, parameters: dict[str, float], said: str) -> None:
    with pytest.raises(StrategyError, match=said.replace("(", r"\(")):
        configured(name, parameters).weights(bars_history())


def half_in_the_first(history: History, part: float = 0.5) -> pd.DataFrame:
    """Some of the first symbol.

    And more that nobody needs to read.
    """
    weights = history.returns * 0.0
    weights.iloc[:, 0] = part
    return weights


def test_a_function_of_ones_own_is_a_strategy() -> None:
    found = configured(f"{__name__}:half_in_the_first", {"part": 1}, title="Mine", benchmark="A")
    assert (found.title, found.description, found.benchmark) == ("Mine", "Some of the first symbol.", "A")
    assert found.parameters == {"part": 1.0}
    assert (found.weights(bars_history())["A"] == 1).all()
    assert found.weights(bars_history())["D"].isna().iloc[0]
