"""Daily strategies: from returns to weights, and from weights to a strategy's return.

Here belong the strategies and their registry; key figures are in `performance`, drawing a tearsheet is for
`figures.tearsheet`.

Returns are close to close, as fractions, in a table of days by symbols, NaN where a symbol was not listed.
Weights have the same shape and apply to the returns of their own row; NaN where there is no return.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import pandas as pd

# By these names importers of strategies know them.
from vp_pipeline.analytics.performance import DAYS_PER_YEAR as DAYS_PER_YEAR
from vp_pipeline.analytics.performance import Performance as Performance
from vp_pipeline.analytics.performance import performance as performance


@dataclass(frozen=True)
class Strategy:
    """`weights` maps returns to weights; `benchmark` names another strategy or a symbol.

    `looks_ahead` says that weights use returns of their own or later days: nobody could have held them.
    """

    title: str
    description: str
    weights: Callable[[pd.DataFrame], pd.DataFrame]
    looks_ahead: bool
    benchmark: str


def daily_returns(opened: pd.Series, close: pd.Series) -> pd.Series:
    """Close-to-close returns of one symbol, the first from its open, as fractions."""
    returns = close.pct_change(fill_method=None)
    if len(returns):
        returns.iloc[0] = close.iloc[0] / opened.iloc[0] - 1
    return returns


def equal_weight(returns: pd.DataFrame) -> pd.DataFrame:
    """The same weight for every symbol that has a return that day."""
    listed = returns.notna()
    return listed.astype(float).div(listed.sum(axis=1), axis=0).where(listed)


def volatility_weight(returns: pd.DataFrame) -> pd.DataFrame:
    """Weights in proportion to each symbol's volatility, vol / sum(vol), over the whole of `returns`.

    As published it gives the wilder symbol the larger weight, and knows the volatility of days to come. Days
    before a listing leave that symbol's weight uninvested.
    """
    volatility = returns.std(ddof=1)
    return weighted(returns, volatility / volatility.sum())


def mean_reversion(returns: pd.DataFrame) -> pd.DataFrame:
    """The mean of the symbols that fell the day before; nothing if none fell.

    As published the first day, which has no day before, is the plain sum: weight 1 for every symbol.
    """
    listed = returns.notna()
    held = (returns.shift(1) < 0) & listed
    weights = held.astype(float).div(held.sum(axis=1).clip(lower=1), axis=0)
    weights.iloc[:1] = 1.0
    return weights.where(listed)


def weighted(returns: pd.DataFrame, weights_vector: pd.Series) -> pd.DataFrame:
    """The same weights every day, by symbol.

    Raises:
        ValueError: a symbol has no weight.
    """
    absent = returns.columns.difference(weights_vector.dropna().index)
    if len(absent):
        raise ValueError(f"no weight for {', '.join(map(str, absent))}")
    row = weights_vector[returns.columns].to_numpy(dtype=float)
    constant = pd.DataFrame(np.tile(row, (len(returns), 1)), index=returns.index, columns=returns.columns)
    return constant.where(returns.notna())


def strategy_returns(returns: pd.DataFrame, weights: pd.DataFrame) -> pd.Series:
    """Each day's sum of weight times return; a symbol without a return adds nothing.

    Raises:
        ValueError: the tables differ in days or symbols.
    """
    if not (returns.index.equals(weights.index) and returns.columns.equals(weights.columns)):
        raise ValueError("returns and weights must have the same days and symbols in the same order")
    return (returns * weights).sum(axis=1)


STRATEGIES: Mapping[str, Strategy] = MappingProxyType(
    {
        "equal_weight": Strategy(
            "Equal weight",
            "Every listed symbol at the same weight, rebalanced daily.",
            equal_weight,
            looks_ahead=False,
            benchmark="BTCUSDT",
        ),
        "volatility_weight": Strategy(
            "Volatility weight",
            "Weights in proportion to full-sample volatility: known only in hindsight.",
            volatility_weight,
            looks_ahead=True,
            benchmark="equal_weight",
        ),
        "mean_reversion": Strategy(
            "Mean reversion",
            "Equal parts of the symbols that fell the day before, else nothing.",
            mean_reversion,
            looks_ahead=False,
            benchmark="volatility_weight",
        ),
    }
)
