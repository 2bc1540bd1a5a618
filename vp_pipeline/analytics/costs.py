"""What trading takes from a strategy's returns.

Here belong trades, returns after costs, and the cost a strategy can bear. Weights and returns are
tables of dates by symbols as in `strategies`: a row's weights are held through that row's returns, so that
they are traded at the end of the row before. What the weights leave of 1 is cash, which earns and costs
nothing.

Costs are in basis points (1 bp = 0.0001) of what is traded: fees and slippage together. They count buying
and selling each: going from one symbol to another with everything trades twice the wealth, a turnover of 2.
This is called two-way turnover; the one-way turnover some tables print is half of it.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from vp_pipeline.analytics.performance import ratio

BPS = 10_000


def trades(weights: pd.DataFrame, returns: pd.DataFrame) -> pd.DataFrame:
    """What is bought and sold of each symbol for each row's weights, in parts of the wealth: |w - drifted w|.

    Weights drift with the returns of their row: w (1 + r) / (1 + sum of w r). The first row is bought from
    cash; the last is not sold. A missing weight or return is 0, so that a delisted symbol is sold.

    Raises:
        ValueError: the tables differ in dates or symbols, or a row loses all wealth and later ones trade.
    """
    if not (returns.index.equals(weights.index) and returns.columns.equals(weights.columns)):
        raise ValueError("returns and weights must have the same days and symbols in the same order")
    held = weights.fillna(0).to_numpy(dtype=float)
    earned = returns.fillna(0).to_numpy(dtype=float)
    growth = 1 + (held * earned).sum(axis=1)
    ruined = np.flatnonzero(growth[:-1] <= 0)
    if ruined.size and held[ruined[0] + 1 :].any():
        raise ValueError(f"all wealth is lost on {returns.index[ruined[0]]}: nothing is left to trade with")
    left = np.where(growth > 0, growth, np.inf)
    drifted = np.zeros_like(held)
    drifted[1:] = held[:-1] * (1 + earned[:-1]) / left[:-1, np.newaxis]
    return pd.DataFrame(np.abs(held - drifted), weights.index, weights.columns)


def trading_costs(traded: pd.DataFrame, cost_bps: float | Mapping[str, float]) -> pd.Series:
    """What each row's trades cost, as a fraction of the wealth; costs by symbol, or one for all.

    Raises:
        ValueError: a symbol has no cost, or a negative one.
    """
    by_symbol = [
        cost_bps.get(str(symbol), np.nan) if isinstance(cost_bps, Mapping) else cost_bps for symbol in traded
    ]
    for symbol, cost in zip(traded, by_symbol, strict=True):
        if not cost >= 0:
            raise ValueError(f"{symbol}: a cost from 0 bps is needed, got {cost}")
    return (traded * by_symbol).sum(axis=1).rename("cost") / BPS


def net_returns(gross: pd.Series, traded: pd.Series, cost_bps: float) -> pd.Series:
    """Each row's return less its turnover times the cost: gross - traded * cost_bps / 10,000.

    Raises:
        ValueError: a negative cost, or one that takes all wealth on some row.
    """
    if not cost_bps >= 0:
        raise ValueError(f"a cost cannot be negative, got {cost_bps} bps")
    # Who has lost everything pays nothing more.
    net = (gross - traded * cost_bps / BPS).where(gross > -1, gross)
    ruined = net.index[net.le(-1) & gross.gt(-1)]
    if len(ruined):
        raise ValueError(f"a cost of {cost_bps:g} bps takes all wealth on {ruined[0]}")
    return net


def break_even_bps(gross: pd.Series, traded: pd.Series) -> float:
    """The cost at which the mean net return is 0: sum of returns / sum of turnover, in basis points.

    Negative if the strategy loses before costs; NaN if it never trades.
    """
    return ratio(float(gross.sum()), float(traded.sum())) * BPS
