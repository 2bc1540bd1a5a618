"""Daily strategies: all there are, returns to begin with, and what weights earn before costs.

Here belongs what every user of strategies needs; the strategies themselves are in `published` and `rules`,
costs in `costs`, key figures in `performance`, all of it together in `backtest`.

Returns are close to close, as fractions, in a table of days by symbols, NaN where a symbol was not listed.
Weights have the same shape and apply to the returns of their own row; NaN where there is no return.
"""

import pandas as pd

# Unused here: the list is empty until these are imported, and has their strategies in this order.
from vp_pipeline.analytics import published, rules  # noqa: F401
from vp_pipeline.analytics.strategy import STRATEGIES

__all__ = ["STRATEGIES", "daily_returns", "strategy_returns"]


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
