"""Many markets' candles added into one series.

Here belongs the alignment by open time; where the candles come from and go to does not.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

PRICES = ("open", "high", "low", "close")


def aggregate(candles: pd.DataFrame, markets: Mapping[int, str], lead: int) -> pd.DataFrame:
    """One row for each minute in which at least one market has a candle.

    Args:
        candles: columns market_id, open_time, open, high, low, close, volume (base asset), at most one
            row for a market and time, in any order.
        markets: names by market id, of every market that could report.
        lead: id of the market whose prices the rows carry.

    Returns:
        open_time, open, high, low, close (of the lead market; NaN in a minute it lacks), volume (sum, in
        the base asset, added in the order of `markets`), markets (how many reported) and missing (names of
        the others, comma separated), ordered by open_time.

    Raises:
        ValueError: a candle's market is none of `markets`.
    """
    row, times = pd.factorize(candles["open_time"], sort=True)
    column_of = {number: column for column, number in enumerate(markets)}
    found = candles["market_id"].map(column_of)
    if found.isna().any():
        stranger = candles.loc[found.isna(), "market_id"].iloc[0]
        raise ValueError(f"market {stranger} is none of {', '.join(map(str, markets))}")
    column = found.to_numpy(dtype=np.int64)
    volume = np.zeros((len(times), len(markets)))
    reported = np.zeros((len(times), len(markets)), dtype=bool)
    volume[row, column] = candles["volume"].to_numpy()
    reported[row, column] = True

    led = candles["market_id"].to_numpy() == lead
    prices = np.full((len(times), len(PRICES)), np.nan)
    prices[row[led]] = candles.loc[led, list(PRICES)].to_numpy()

    # Minutes with the same absent markets are many, distinct patterns few: each is named once.
    patterns, which = np.unique(reported, axis=0, return_inverse=True)
    names = np.array(list(markets.values()), dtype=object)
    missing = np.array([", ".join(names[~pattern]) for pattern in patterns], dtype=object)
    return pd.DataFrame(
        {
            "open_time": times,
            **{name: prices[:, i] for i, name in enumerate(PRICES)},
            "volume": volume.sum(axis=1),
            "markets": reported.sum(axis=1),
            "missing": pd.Series(missing[which.reshape(-1)], dtype="str"),
        }
    )
