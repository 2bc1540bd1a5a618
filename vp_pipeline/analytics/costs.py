"""What trading takes from a strategy's returns.

Here belong turnover, returns after costs, and the cost a strategy can bear. Weights and returns are tables
of dates by symbols as in `strategies`: a row's weights are held through that row's returns, so that they
are traded at the end of the row before. What the weights leave of 1 is cash, which earns and costs nothing.

Costs are in basis points (1 bp = 0.0001) of what is traded: fees and slippage together. They count buying
and selling each: going from one symbol to another with everything trades twice the wealth, a turnover of 2.
This is called two-way turnover; the one-way turnover some tables print is half of it.
"""

import numpy as np
import pandas as pd

from vp_pipeline.analytics.performance import ratio

BPS = 10_000


def turnover(weights: pd.DataFrame, returns: pd.DataFrame) -> pd.Series:
    """What is bought and sold for each row's weights, as a fraction of the wealth: sum of |w - drifted w|.

    Weights drift with the returns of their row: w (1 + r) / (1 + sum of w r). The first row is bought from
    cash; the last is not sold. A missing weight or return is 0.

    Raises:
        ValueError: the tables differ in dates or symbols, or a row before the last loses all wealth.
    """
    if not (returns.index.equals(weights.index) and returns.columns.equals(weights.columns)):
        raise ValueError("returns and weights must have the same days and symbols in the same order")
    held = weights.fillna(0).to_numpy(dtype=float)
    earned = returns.fillna(0).to_numpy(dtype=float)
    growth = 1 + (held * earned).sum(axis=1)
    ruined = np.flatnonzero(growth[:-1] <= 0)
    if ruined.size:
        raise ValueError(f"all wealth is lost on {returns.index[ruined[0]]}: nothing is left to trade with")
    drifted = np.zeros_like(held)
    drifted[1:] = held[:-1] * (1 + earned[:-1]) / growth[:-1, np.newaxis]
    return pd.Series(np.abs(held - drifted).sum(axis=1), index=weights.index, name="turnover")


def net_returns(gross: pd.Series, traded: pd.Series, cost_bps: float) -> pd.Series:
    """Each row's return less its turnover times the cost: gross - traded * cost_bps / 10,000.

    Raises:
        ValueError: a negative cost, or one that takes all wealth on some row.
    """
    if not cost_bps >= 0:
        raise ValueError(f"a cost cannot be negative, got {cost_bps} bps")
    net = gross - traded * cost_bps / BPS
    ruined = net.index[net.le(-1)]
    if cost_bps and len(ruined):
        raise ValueError(f"a cost of {cost_bps:g} bps takes all wealth on {ruined[0]}")
    return net


def break_even_bps(gross: pd.Series, traded: pd.Series) -> float:
    """The cost at which the mean net return is 0: sum of returns / sum of turnover, in basis points.

    Negative if the strategy loses before costs; NaN if it never trades.
    """
    return ratio(float(gross.sum()), float(traded.sum())) * BPS
