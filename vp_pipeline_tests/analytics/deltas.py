"""Delta of candles in the plainest way, for the tests."""

import numpy as np
import pandas as pd

from vp_pipeline.analytics.delta import Delta
from vp_pipeline.analytics.price_rows import volume_by_price


def delta_by_price(candles: pd.DataFrame, row_size: float) -> Delta:
    """What takers bought where it is known, else by the direction of the candle."""
    taker = candles.get("taker_buy_volume", pd.Series(np.nan, candles.index))
    direction = (np.sign(candles["close"] - candles["open"]) + 1) / 2
    bought = taker.fillna(candles["volume"] * direction)
    known = float(candles.loc[taker.notna(), "volume"].sum())
    return Delta(
        volume_by_price(candles.assign(volume=bought), row_size),
        volume_by_price(candles.assign(volume=candles["volume"] - bought), row_size),
        known / float(candles["volume"].sum()),
    )
