"""Buying and selling by price: which side the takers were on.

Here belongs parting a candle's volume into bought and sold; where it goes on the price axis is `price_rows`'.

Where the wire gives the volume that takers bought, that is bought and the rest sold. Where it does not, the
direction of the candle stands in for it: all bought if it closed above its open, all sold if below, half and
half if neither. That is a guess, so each result says how much of its volume rests on which.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from vp_pipeline.analytics.price_rows import Floats, Placement, PriceRows, volume_by_price

Source = Literal["taker", "direction", "mixed"]


@dataclass(frozen=True, eq=False)
class Delta:
    """Volume bought and sold by takers, on one grid; `taker_share` of it is known, the rest guessed."""

    bought: PriceRows
    sold: PriceRows
    taker_share: float

    @property
    def source(self) -> Source:
        """`taker` if all of it is known, `direction` if none is."""
        if self.taker_share >= 1:
            return "taker"
        return "direction" if self.taker_share <= 0 else "mixed"

    @property
    def delta(self) -> Floats:
        """Bought minus sold, for each row."""
        return self.bought.volume - self.sold.volume


def delta_by_price(candles: pd.DataFrame, row_size: float, placement: Placement = "uniform") -> Delta:
    """Bought and sold volume of each price row.

    Args:
        candles: as `volume_by_price` needs them; taker_buy_volume where known (NaN or no such column where
            not), open and close for the others.
        row_size: as there.
        placement: as there.

    Raises:
        ValueError: as there; or a taker-buy volume is negative or above the candle's volume.
    """
    volume = candles["volume"].to_numpy(dtype=np.float64)
    taker = np.full(len(candles), np.nan)
    if "taker_buy_volume" in candles:
        taker = candles["taker_buy_volume"].to_numpy(dtype=np.float64, na_value=np.nan)
    known = np.isfinite(taker)
    wrong = known & ((taker < 0) | (taker > volume * (1 + 1e-9)))
    if wrong.any():
        raise ValueError(f"{int(wrong.sum())} candles have a taker-buy volume below 0 or above their volume")
    bought = np.minimum(np.where(known, taker, volume * _direction(candles, known)), volume)
    of_bought = volume_by_price(candles.assign(volume=bought), row_size, placement)
    of_sold = volume_by_price(candles.assign(volume=volume - bought), row_size, placement)
    total = float(volume.sum())
    return Delta(of_bought, of_sold, float(volume[known].sum()) / total if total > 0 else 0.0)


def _direction(candles: pd.DataFrame, known: "np.ndarray[tuple[int], np.dtype[np.bool_]]") -> Floats:
    if known.all():
        return np.zeros(len(candles))
    opened, closed = (candles[name].to_numpy(dtype=np.float64, na_value=np.nan) for name in ("open", "close"))
    return np.asarray((np.sign(closed - opened) + 1) / 2, dtype=np.float64)
