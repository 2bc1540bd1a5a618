"""Does a strategy know the future?

Here belongs a test by experiment, for any function from a history to weights: change a day and all that
follow, and see whether weights change that were set before. What a strategy says of itself
(`strategy.Strategy.looks_ahead`) is held against it.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from vp_pipeline.analytics.history import History, history_of
from vp_pipeline.analytics.performance import Floats

_TOLERANCE = 1e-9
"""Weights closer than this are the same: a sum may be added up in another order."""


@dataclass(frozen=True)
class LookAhead:
    """`days` are those whose weights use their own or a later day; `tested` of `rows` days were changed."""

    days: tuple[pd.Timestamp, ...]
    tested: int
    rows: int

    @property
    def found(self) -> bool:
        """Whether any weight knew the future."""
        return bool(self.days)


def peeks(
    strategy_weights: Callable[..., pd.DataFrame], known: History | pd.DataFrame, seed: int = 0
) -> list[pd.Timestamp]:
    """The dates whose weights use their own or a later day; empty if none does. See `look_ahead`.

    Args:
        strategy_weights: as `strategy.Strategy.weights`; what it is given is what `known` is.
        known: a history, or returns: dates by symbols, fractions.
        seed: of the random returns.
    """
    return list(look_ahead(strategy_weights, known, seed).days)


def look_ahead(
    strategy_weights: Callable[..., pd.DataFrame],
    known: History | pd.DataFrame,
    seed: int = 0,
    days: int | None = None,
) -> LookAhead:
    """Change the future of every day, and compare the weights up to that day.

    Weights on row t are held through the returns of row t, so they may use rows up to t - 1. For every t the
    rows from t on are replaced by those of another world (`History.changed`), and the weights up to row t
    compared. Which returns are missing is left as it is: a listing is announced.

    A strategy that looks ahead only in rare cases may stay unseen with one seed; one that draws random
    numbers of its own is taken for one that looks ahead. It costs a call of the function for each row.

    Args:
        strategy_weights: as in `peeks`.
        known: as in `peeks`.
        seed: of the random returns.
        days: stop after so many rows, which are taken in random order, the last one first of all.

    Raises:
        ValueError: the weights have other dates or symbols than the returns.
    """
    history = history_of(known)
    other = history.changed(seed)
    index = history.returns.index
    plain = not isinstance(known, History)
    before = _weights(strategy_weights, history, plain)
    rows = np.arange(len(index))[::-1]
    np.random.default_rng(seed).shuffle(rows[1:])
    seen = np.zeros(len(index), dtype=bool)
    for row in rows[:days]:
        after = _weights(strategy_weights, history.until(int(row), other), plain)
        same = np.isclose(
            after[: row + 1], before[: row + 1], rtol=_TOLERANCE, atol=_TOLERANCE, equal_nan=True
        )
        seen[: row + 1] |= ~same.all(axis=1)
    return LookAhead(tuple(index[seen]), len(rows[:days]), len(index))


def _weights(strategy_weights: Callable[..., pd.DataFrame], history: History, plain: bool) -> Floats:
    returns = history.returns
    weights = strategy_weights(returns.copy() if plain else history)
    if not (weights.index.equals(returns.index) and weights.columns.equals(returns.columns)):
        raise ValueError("a strategy's weights must have the dates and symbols of the returns")
    return weights.to_numpy(dtype=float)
