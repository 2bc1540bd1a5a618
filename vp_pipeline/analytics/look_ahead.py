"""Does a strategy know the future?

Here belongs a test by experiment, for any function from returns to weights: change the returns of a day and
of all that follow, and see whether weights change that were set before. What a strategy says of itself
(`strategies.Strategy.looks_ahead`) is held against it.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd

from vp_pipeline.analytics.performance import Floats

_TOLERANCE = 1e-9
"""Weights closer than this are the same: a sum may be added up in another order."""


def peeks(
    strategy_weights: Callable[[pd.DataFrame], pd.DataFrame], returns: pd.DataFrame, seed: int = 0
) -> list[pd.Timestamp]:
    """The dates whose weights use returns of their own or a later day; empty if none does.

    Weights on row t are held through the returns of row t, so they may use returns up to row t - 1. For
    every t the returns of row t and later are replaced by random ones of the other sign, and the weights up
    to row t compared. Which returns are missing is left as it is: a listing is announced.

    A strategy that looks ahead only in rare cases may stay unseen with one seed; one that draws random
    numbers of its own is taken for one that looks ahead. It costs a call of the function for each row.

    Args:
        strategy_weights: from returns to weights of the same shape, as `strategies.Strategy.weights`.
        returns: dates by symbols, fractions.
        seed: of the random returns.

    Raises:
        ValueError: the weights have other dates or symbols than the returns.
    """
    before = _weights(strategy_weights, returns)
    changed = _changed(returns, np.random.default_rng(seed))
    seen = np.zeros(len(returns), dtype=bool)
    for row in range(len(returns)):
        mixed = returns.copy()
        mixed.iloc[row:] = changed[row:]
        after = _weights(strategy_weights, mixed)[: row + 1]
        same = np.isclose(after, before[: row + 1], rtol=_TOLERANCE, atol=_TOLERANCE, equal_nan=True)
        seen[: row + 1] |= ~same.all(axis=1)
    return list(returns.index[seen])


def _weights(strategy_weights: Callable[[pd.DataFrame], pd.DataFrame], returns: pd.DataFrame) -> Floats:
    weights = strategy_weights(returns)
    if not (weights.index.equals(returns.index) and weights.columns.equals(returns.columns)):
        raise ValueError("a strategy's weights must have the dates and symbols of the returns")
    return weights.to_numpy(dtype=float)


def _changed(returns: pd.DataFrame, rng: np.random.Generator) -> Floats:
    """Other returns, gains for losses, none of -1 or below: the logarithm is turned round and scaled."""
    values = returns.to_numpy(dtype=float)
    size = rng.uniform(0.5, 2, values.shape)
    still = np.where(values == 0, rng.normal(0, 0.05, values.shape), 0)
    return np.asarray(np.expm1(-np.log1p(np.maximum(values, -0.99)) * size + still))
