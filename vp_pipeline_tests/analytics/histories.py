"""Made-up histories of daily bars, with symbols that enter late and leave early."""

import numpy as np
import pandas as pd

from vp_pipeline.analytics.history import History


def bars_history(days: int = 120, symbols: int = 4, seed: int = 1) -> History:
    """The last symbol is listed after a third of the days, the second last delisted after two thirds."""
    rng = np.random.default_rng(seed)
    dates = pd.date_range("2024-01-01", periods=days)
    names = list("ABCDEFGH"[:symbols])
    returns = pd.DataFrame(rng.normal(0.001, 0.04, (days, symbols)), dates, columns=names)
    returns.iloc[: days // 3, -1] = np.nan
    returns.iloc[2 * days // 3 :, -2] = np.nan
    close: pd.DataFrame = returns.add(1).cumprod().mul(100)
    spread = rng.uniform(1, 1.03, (days, symbols))
    bars: dict[str, pd.DataFrame] = {
        "close": close,
        "high": close.mul(spread),
        "low": close.div(spread),
        "volume": pd.DataFrame(rng.uniform(1, 9, (days, symbols)), dates, names).where(close.notna()),
    }
    return History.of_bars(returns, bars)
