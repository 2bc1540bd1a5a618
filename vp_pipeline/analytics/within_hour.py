"""Volatility and volume by the minute of the hour at which a bar opens.

Here belongs the pattern at the bars' own resolution: 60 groups of minute bars, 12 of five-minute bars. The
four quarters of an hour, with their intervals, are a grouping of `sessions`.
"""

import numpy as np
import pandas as pd

from vp_pipeline.analytics.bar_returns import BarReturns
from vp_pipeline.analytics.sessions import ratio, variance

COLUMNS = (
    "minute",
    "bars",
    "returns",
    "volatility_pct",
    "relative",
    "mean_volume",
    "taker_share",
    "variance_share",
)


def within_hour(returns: BarReturns) -> pd.DataFrame:
    """COLUMNS, a row for each minute at which bars open, ascending.

    Volatility in percent for one bar, `relative` to that of all bars; volumes in base units of one bar;
    `variance_share` adds up to 1. Empty for bars of an hour and longer, which open at one minute only.
    """
    if returns.bar >= pd.Timedelta(hours=1):
        return pd.DataFrame({name: pd.Series(dtype=np.float64) for name in COLUMNS})
    minute = returns.open_time.minute.to_numpy()[~returns.outlier]
    r, volume, taker = (
        getattr(returns, name)[~returns.outlier] for name in ("return_pct", "volume", "taker_buy_volume")
    )
    minutes = np.flatnonzero(np.bincount(minute, minlength=60))

    def total(values: np.ndarray) -> np.ndarray:
        known = np.isfinite(values)
        return np.bincount(minute[known], values[known], minlength=60)[minutes]

    centred = r - np.nanmean(r) if np.isfinite(r).any() else r
    moments = [total(np.where(np.isfinite(r), 1.0, np.nan)), total(centred), total(centred**2)]
    of_all = variance(*(np.array([part.sum()]) for part in moments))
    of_minute = variance(*moments)
    squares, both = total(r**2), np.where(np.isfinite(taker), volume, np.nan)
    return pd.DataFrame(
        {
            "minute": minutes,
            "bars": np.bincount(minute, minlength=60)[minutes],
            "returns": moments[0].astype(np.int64),
            "volatility_pct": np.sqrt(of_minute),
            "relative": np.sqrt(ratio(of_minute, of_all)),
            "mean_volume": ratio(total(volume), total(np.where(np.isfinite(volume), 1.0, np.nan))),
            "taker_share": ratio(total(np.where(np.isfinite(volume), taker, np.nan)), total(both)),
            "variance_share": ratio(squares, squares.sum()),
        }
    )
