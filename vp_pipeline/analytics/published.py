"""The three strategies of the published document.

Here belongs nothing that the document does not have: what is better than they are is in `rules`. The first
and third are as it has them. The second weighs by the volatility of daily returns, the document by that of
intraday bars; the weights that it came to can be given. A function imports what it computes with: see
`strategy`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vp_pipeline.analytics.strategy import StrategyError, strategy

if TYPE_CHECKING:
    import pandas as pd

    from vp_pipeline.analytics.history import History


@strategy("Equal weight", benchmark="BTCUSDT", published=True)
def equal_weight(history: History) -> pd.DataFrame:
    """Every listed symbol at the same weight, rebalanced daily."""
    listed = history.returns.notna()
    return listed.astype(float).div(listed.sum(axis=1).clip(lower=1), axis=0).where(listed)


@strategy("Volatility weight", benchmark="equal_weight", looks_ahead=True, published=True)
def volatility_weight(history: History, weights: str = "") -> pd.DataFrame:
    """Weights in proportion to full-sample volatility, vol / sum(vol): known only in hindsight.

    As published it gives the wilder symbol the larger weight, and knows the volatility of days to come. Days
    before a listing leave that symbol's weight uninvested; a symbol with fewer than two returns has none.
    `weights`, such as "BTCUSDT 0.6, ETHUSDT 0.4", are taken instead of those of the daily returns.

    Raises:
        StrategyError: `weights` cannot be read, or a symbol has none.
    """
    if weights:
        try:
            return weighted(history.returns, _given(weights))
        except ValueError as error:
            raise StrategyError(f"weights: {error}") from error
    volatility = history.returns.std(ddof=1).fillna(0)
    total = volatility.sum()
    return weighted(history.returns, volatility / total if total > 0 else volatility)


@strategy("Mean reversion", benchmark="volatility_weight", published=True)
def mean_reversion(history: History) -> pd.DataFrame:
    """Equal parts of the symbols that fell the day before, else nothing.

    As published the first day, which has no day before, is the plain sum: weight 1 for every symbol.
    """
    returns = history.returns
    listed = returns.notna()
    held = (returns.shift(1) < 0) & listed
    weights = held.astype(float).div(held.sum(axis=1).clip(lower=1), axis=0)
    weights.iloc[:1] = 1.0
    return weights.where(listed)


def _given(weights: str) -> pd.Series:
    import pandas as pd

    found: dict[str, float] = {}
    for part in weights.split(","):
        symbol, _, number = part.strip().partition(" ")
        try:
            found[symbol] = float(number)
        except ValueError:
            raise ValueError(f"{part.strip()!r} is no symbol with its weight, such as BTCUSDT 0.6") from None
    return pd.Series(found)


def weighted(returns: pd.DataFrame, weights_vector: pd.Series) -> pd.DataFrame:
    """The same weights every day, by symbol.

    Raises:
        ValueError: a symbol has no weight.
    """
    import numpy as np
    import pandas as pd

    absent = returns.columns.difference(weights_vector.dropna().index)
    if len(absent):
        raise ValueError(f"no weight for {', '.join(map(str, absent))}")
    row = weights_vector[returns.columns].to_numpy(dtype=float)
    constant = pd.DataFrame(np.tile(row, (len(returns), 1)), index=returns.index, columns=returns.columns)
    return constant.where(returns.notna())
