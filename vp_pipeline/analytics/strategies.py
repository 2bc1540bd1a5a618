"""Daily strategies: all there are, returns to begin with, and what weights earn before costs.

Here belongs what every user of strategies needs; the strategies themselves are in `published` and `rules`,
costs in `costs`, key figures in `performance`, all of it together in `backtest`.

Returns are close to close, as fractions, in a table of days by symbols, NaN where a symbol was not listed.
Weights have the same shape and apply to the returns of their own row; NaN where there is no return.
"""

import pandas as pd

# By these names importers of strategies know them; importing the modules lists what they hold, in this order.
from vp_pipeline.analytics import published as published
from vp_pipeline.analytics import rules as rules
from vp_pipeline.analytics.performance import DAYS_PER_YEAR as DAYS_PER_YEAR
from vp_pipeline.analytics.performance import Performance as Performance
from vp_pipeline.analytics.performance import performance as performance
from vp_pipeline.analytics.published import equal_weight as equal_weight
from vp_pipeline.analytics.published import mean_reversion as mean_reversion
from vp_pipeline.analytics.published import volatility_weight as volatility_weight
from vp_pipeline.analytics.published import weighted as weighted
from vp_pipeline.analytics.strategy import STRATEGIES as STRATEGIES
from vp_pipeline.analytics.strategy import Strategy as Strategy
from vp_pipeline.analytics.strategy import StrategyError as StrategyError
from vp_pipeline.analytics.strategy import configured as configured


def daily_returns(opened: pd.Series, close: pd.Series) -> pd.Series:
    """Close-to-close returns of one symbol, the first from its open, as fractions."""
    returns = close.pct_change(fill_method=None)
    if len(returns):
        returns.iloc[0] = close.iloc[0] / opened.iloc[0] - 1
    return returns


def strategy_returns(returns: pd.DataFrame, weights: pd.DataFrame) -> pd.Series:
    """Each day's sum of weight times return; a symbol without a return adds nothing.

    Raises:
        ValueError: the tables differ in days or symbols.
    """
    if not (returns.index.equals(weights.index) and returns.columns.equals(weights.columns)):
        raise ValueError("returns and weights must have the same days and symbols in the same order")
    return (returns * weights).sum(axis=1)
