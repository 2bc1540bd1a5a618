"""Strategies that could have been held: from the history before a day to the weights of that day.

Here belongs one function a strategy. Every one ends with `shift(1)` somewhere: what is known at a day's close
is held from the next day on. A symbol without a return on a day has no weight (NaN); what the weights leave
of 1 is cash. Levels by price are in `rolling_levels`. A function imports what it computes with; why is in
`strategy`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vp_pipeline.analytics.strategy import StrategyError, strategy

if TYPE_CHECKING:
    import pandas as pd

    from vp_pipeline.analytics.history import History


@strategy("Inverse volatility")
def inverse_volatility(history: History, days: int = 60) -> pd.DataFrame:
    """Weights in proportion to 1 / volatility of the days before: the calmer symbol has the larger part."""
    _at_least(days, 2, "days")
    volatility = history.returns.rolling(days, min_periods=days).std()
    return _shares((1 / volatility.where(volatility > 0)).shift(1), history)


@strategy("Walk-forward volatility weight")
def walk_forward_volatility(history: History, min_days: int = 60) -> pd.DataFrame:
    """The published volatility weight with the volatility known at the time, over all days before."""
    _at_least(min_days, 2, "min_days")
    volatility = history.returns.expanding(min_periods=min_days).std()
    return _shares(volatility.where(volatility > 0).shift(1), history)


@strategy("Threshold reversion", benchmark="equal_weight")
def threshold_reversion(history: History, fall: float = 0.05, hold_days: int = 3) -> pd.DataFrame:
    """Equal parts of the symbols that fell by a threshold in one of the last few days, else nothing."""
    _at_least(hold_days, 1, "hold_days")
    fell = (history.returns <= -abs(fall)).astype(float)
    held = fell.shift(1).rolling(hold_days, min_periods=1).max()
    return _shares(held.where(held > 0), history)


@strategy("Time-series momentum")
def momentum(history: History, days: int = 90, short: bool = False) -> pd.DataFrame:
    """A slot for each symbol, held while it rose over the days before; in cash (or short) while it fell."""
    import numpy as np

    _at_least(days, 1, "days")
    steps = history.returns.clip(lower=-1 + 1e-9).map(np.log1p)
    rose = steps.rolling(days, min_periods=days).sum().map(np.sign)
    return _slots((rose if short else rose.clip(lower=0)).shift(1), history)


@strategy("Value area reversion")
def value_area_reversion(history: History, days: int = 30, share: float = 0.7) -> pd.DataFrame:
    """A slot for each symbol, bought when it closes below the value area of the days before, and held until
    it closes at their point of control or above.

    Levels are those of the volume by price of the `days` days before the close that is judged.
    """
    import numpy as np
    import pandas as pd

    from vp_pipeline.analytics.rolling_levels import rolling_levels

    _at_least(days, 2, "days")
    if not 0 < share < 1:
        raise StrategyError(f"share is {share}, but has to be between 0 and 1")
    signal = {}
    for symbol in history.close:
        levels = rolling_levels(history, symbol, days, share)
        close = history.close[symbol].to_numpy(dtype=float)
        bought = np.where(close < levels.val, 1.0, np.where(close >= levels.poc, 0.0, np.nan))
        signal[symbol] = pd.Series(bought, history.close.index).ffill().fillna(0)
    held = pd.DataFrame(signal, columns=history.close.columns)
    return _slots(held.shift(1), history)


def _shares(size: pd.DataFrame, history: History) -> pd.DataFrame:
    """Each symbol's part of the sum of the sizes of those listed that day; nothing if there is none."""
    listed = history.returns.notna()
    sizes = size.where(listed).fillna(0)
    total = sizes.sum(axis=1)
    return sizes.div(total.where(total > 0, 1), axis=0).where(listed)


def _slots(position: pd.DataFrame, history: History) -> pd.DataFrame:
    """Positions of -1 to 1 in slots of the same size, one for each symbol listed that day."""
    listed = history.returns.notna()
    slot = 1 / listed.sum(axis=1).clip(lower=1)
    return position.fillna(0).mul(slot, axis=0).where(listed)


def _at_least(value: int, least: int, name: str) -> None:
    if value < least:
        raise StrategyError(f"{name} is {value}, but has to be at least {least}")
