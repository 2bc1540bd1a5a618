import numpy as np
import pandas as pd
import pytest

from vp_pipeline.analytics.backtest import backtest
from vp_pipeline.analytics.costs import trading_costs
from vp_pipeline.analytics.published import equal_weight
from vp_pipeline.analytics.strategies import strategy_returns


def table(*rows: tuple[float, ...]) -> pd.DataFrame:
    return pd.DataFrame(list(rows), pd.date_range("2024-01-01", periods=len(rows)), list("AB"), dtype=float)


def test_each_symbol_pays_its_own_costs() -> None:
    weights, returns = table((1, 0), (0, 1), (0, 0)), table((0.1, 0), (0, -0.1), (0, 0))
    tested = backtest(weights, returns, {"A": 10, "B": 30})
    assert tested.turnover.tolist() == pytest.approx([1, 2, 1])
    assert tested.costs.tolist() == pytest.approx([0.001, 0.004, 0.003])
    assert tested.net.tolist() == pytest.approx([0.099, -0.104, -0.003])
    assert tested.exposure.tolist() == [1, 1, 0]


def test_without_costs_net_is_gross() -> None:
    returns = table(*np.random.default_rng(1).normal(0, 0.05, (50, 2)).tolist())
    tested = backtest(equal_weight(returns), returns)
    assert (
        tested.net.tolist()
        == tested.gross.tolist()
        == strategy_returns(returns, equal_weight(returns)).tolist()
    )


def test_a_delisted_symbol_is_sold_at_its_last_close() -> None:
    returns = table((0.1, 0.1), (0.1, np.nan), (0.1, np.nan))
    tested = backtest(equal_weight(returns), returns, 10)
    # Half the wealth of B is sold and of A bought.
    assert tested.turnover.tolist() == pytest.approx([1, 1, 0])
    assert tested.net.notna().all()


def test_who_loses_everything_stays_out() -> None:
    weights, returns = table((2, 0), (1, 0), (1, 0)), table((-0.5, 0), (0.5, 0), (0.5, 0))
    tested = backtest(weights, returns, 10)
    assert tested.net.tolist() == [-1, 0, 0]
    assert tested.turnover.tolist() == [2, 0, 0]
    assert tested.weights["A"].tolist() == [2, 0, 0]


def test_what_cannot_be_is_refused() -> None:
    one = table((1, 0), (0, 1))
    with pytest.raises(ValueError, match="costs take all wealth on 2024-01-01"):
        backtest(one, one * 0, 10_000)
    with pytest.raises(ValueError, match="B: a cost from 0 bps is needed, got nan"):
        trading_costs(one, {"A": 1})
    with pytest.raises(ValueError, match="A: a cost from 0 bps is needed, got -1"):
        trading_costs(one, -1)
