"""Turnover is counted by hand, and by a broker of coins and cash that knows nothing of weights."""

import numpy as np
import pandas as pd
import pytest

from vp_pipeline.analytics.costs import break_even_bps, net_returns, trades
from vp_pipeline.analytics.published import equal_weight, mean_reversion
from vp_pipeline.analytics.strategies import strategy_returns


def table(*rows: tuple[float, ...]) -> pd.DataFrame:
    return pd.DataFrame(list(rows), pd.date_range("2024-01-01", periods=len(rows)), dtype=float)


def test_from_cash_to_one_symbol_to_the_other() -> None:
    weights = table((1, 0), (0, 1), (0, 1), (0, 0))
    returns = table((0.1, 0), (0, 0.5), (0, -0.5), (0.3, 0.3))
    assert trades(weights, returns).sum(axis=1).tolist() == pytest.approx([1, 2, 0, 1])


def test_what_drifts_is_traded_back() -> None:
    weights = table((0.5, 0.5), (0.5, 0.5))
    # 0.5 doubled beside 0.5: two thirds and one third, of which a sixth changes hands, sold and bought.
    assert trades(weights, table((1, 0), (0, 0))).sum(axis=1).tolist() == pytest.approx([1, 1 / 3])


def test_a_delisted_symbol_is_sold_and_a_missing_weight_is_none() -> None:
    weights = table((0.5, 0.5), (1, np.nan))
    assert trades(weights, table((0, 0), (0.1, np.nan))).sum(axis=1).tolist() == pytest.approx([1, 1])


@pytest.mark.parametrize("strategy", [equal_weight, mean_reversion])
def test_a_broker_counts_the_same(strategy: object) -> None:
    rng = np.random.default_rng(1)
    returns = pd.DataFrame(rng.normal(0, 0.05, (40, 3)))
    returns.iloc[0] = np.nan
    weights = strategy(returns)  # type: ignore[operator]  # one of the two functions
    prices = (1 + returns.fillna(0)).cumprod()
    cash, coins, traded = 1.0, np.zeros(3), []
    for day in range(1, 40):
        price = prices.iloc[day - 1].to_numpy()
        worth = cash + coins @ price
        wanted = weights.iloc[day].to_numpy() * worth / price
        traded.append(np.abs(wanted - coins) @ price / worth)
        cash, coins = worth - wanted @ price, wanted
    assert trades(weights, returns).sum(axis=1).to_numpy()[1:] == pytest.approx(traded)
    assert cash + coins @ prices.iloc[-1] == pytest.approx(np.prod(1 + strategy_returns(returns, weights)))


def test_at_the_break_even_cost_nothing_is_earned() -> None:
    rng = np.random.default_rng(2)
    gross, traded = pd.Series(rng.normal(0.002, 0.02, 300)), pd.Series(rng.uniform(0, 2, 300))
    cost = break_even_bps(gross, traded)
    assert net_returns(gross, traded, cost).mean() == pytest.approx(0, abs=1e-15)
    assert net_returns(gross, traded, cost / 2).mean() == pytest.approx(gross.mean() / 2)
    assert net_returns(gross, traded, 0).equals(gross)


def test_ten_basis_points_of_a_double_turnover() -> None:
    assert net_returns(pd.Series([0.01]), pd.Series([2.0]), 10).tolist() == pytest.approx([0.008])


def test_who_never_trades_has_no_break_even_and_who_loses_a_negative_one() -> None:
    assert np.isnan(break_even_bps(pd.Series([0.0, 0.0]), pd.Series([0.0, 0.0])))
    assert break_even_bps(pd.Series([-0.01, 0.0]), pd.Series([1.0, 1.0])) == pytest.approx(-50)


def test_what_cannot_be_is_refused() -> None:
    weights = table((2, 0), (1, 0))
    with pytest.raises(ValueError, match="all wealth is lost on 2024-01-01"):
        trades(weights, table((-0.5, 0), (0, 0)))
    with pytest.raises(ValueError, match="same days and symbols"):
        trades(weights, weights[1:])
    with pytest.raises(ValueError, match="cannot be negative, got -1 bps"):
        net_returns(pd.Series([0.1]), pd.Series([1.0]), -1)
    with pytest.raises(ValueError, match="10000 bps takes all wealth on 0"):
        net_returns(pd.Series([0.0]), pd.Series([1.0]), 10_000)
