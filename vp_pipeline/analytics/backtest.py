"""What a strategy's weights earn, before and after the costs of trading.

Here belongs putting weights, returns and costs together; each is defined in its own module. How good the
result is, is in `assessment`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from vp_pipeline.analytics.costs import trades, trading_costs
from vp_pipeline.analytics.strategies import strategy_returns


@dataclass(frozen=True, eq=False)
class Backtest:
    """By day: `weights` by symbol, and as fractions of the wealth what was earned, traded and paid.

    `net` is `gross` less `costs`. `turnover` is two-way. After a day on which all is lost, all are 0.
    """

    weights: pd.DataFrame
    gross: pd.Series
    turnover: pd.Series
    costs: pd.Series
    net: pd.Series

    @property
    def exposure(self) -> pd.Series:
        """The part of the wealth that is in the market, long and short, by day."""
        return self.weights.abs().sum(axis=1).rename("exposure")


def backtest(
    weights: pd.DataFrame, returns: pd.DataFrame, cost_bps: float | Mapping[str, float] = 0.0
) -> Backtest:
    """Hold the weights of each row through its returns.

    Args:
        weights: days by symbols; NaN is none.
        returns: the same days and symbols, fractions; NaN where a symbol was not listed, which earns 0.
        cost_bps: fees and slippage of what is bought and sold, by symbol or one for all.

    Raises:
        ValueError: the tables differ, a symbol has no cost, or costs alone take all wealth on some day.
    """
    gross = strategy_returns(returns, weights)
    ruined = np.flatnonzero(gross.to_numpy() <= -1)
    if ruined.size:
        gross.iloc[ruined[0]] = -1.0
        gross.iloc[ruined[0] + 1 :] = 0.0
        weights = weights.copy()
        weights.iloc[ruined[0] + 1 :] = weights.iloc[ruined[0] + 1 :] * 0.0
    traded = trades(weights, returns)
    if ruined.size:
        traded.iloc[ruined[0] + 1 :] = 0.0
    paid = trading_costs(traded, cost_bps).where(gross > -1, 0.0)
    net = gross - paid
    lost = net.index[(net <= -1) & (gross > -1)]
    if len(lost):
        raise ValueError(f"costs take all wealth on {lost[0]}")
    return Backtest(
        weights,
        gross.rename("gross"),
        traded.sum(axis=1).rename("turnover"),
        paid.rename("cost"),
        net.rename("net"),
    )
