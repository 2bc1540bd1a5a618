"""The first document's recipe: markets added row by row, without regard to time.

Here belongs the recipe as published, to compare with; `aggregate` matches candles by their open time.
"""

import numpy as np
import pandas as pd

from vp_pipeline.analytics.grid import PRICES


def positional_sum(candles: pd.DataFrame, lead: int) -> pd.DataFrame:
    """The first candle of each market plus the first of the others, the second plus the second, and so on.

    A market that lacks a minute is shifted against the others from there on: its volume lands in other
    minutes. Where a market has fewer rows than another, the sum of the last rows is NaN.

    Args:
        candles: market_id, open_time, open, high, low, close, volume (base asset), in any order.
        lead: the market whose times and prices the rows carry.

    Returns:
        open_time, open, high, low, close, volume and alignment, which says "position" in every row; a row
        for each of the lead.
    """
    ordered = candles.sort_values(["market_id", "open_time"], kind="stable")
    led = ordered.loc[ordered["market_id"] == lead, ["open_time", *PRICES]].reset_index(drop=True)
    volume = np.zeros(len(led))
    for _, market in ordered.groupby("market_id"):
        own = np.full(len(led), np.nan)
        rows = market["volume"].to_numpy()[: len(led)]
        own[: len(rows)] = rows
        volume += own
    return led.assign(volume=volume, alignment=pd.Series(["position"] * len(led), dtype="str"))
