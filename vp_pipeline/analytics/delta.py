"""Buying and selling by price: which side the takers were on.

Here belongs what is said of volume that is parted into bought and sold; `venue_profiles` parts it.

Where the wire gives the volume that takers bought, that is bought and the rest sold. Where it does not, the
direction of the candle stands in for it: all bought if it closed above its open, all sold if below, half and
half if neither. That is a guess, so each result says how much of its volume rests on which.
"""

from dataclasses import dataclass
from typing import Literal

from vp_pipeline.analytics.price_rows import Floats, PriceRows

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
