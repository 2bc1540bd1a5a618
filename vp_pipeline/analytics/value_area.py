"""Point of control and value area of a profile.

Here belongs what is read from price rows; how volume comes onto them is in `price_rows`.

There is no single definition of the value area. `one-row` is the text of the Chicago Board of Trade: from
the point of control, add the larger of the two adjacent rows. `two-row` is Dalton's and TradingView's:
compare the sums of the two rows above and the two below, add the larger pair. `both-sides` adds one row
above and one below at a time. Ties go up.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from vp_pipeline.analytics.errors import NotEnoughData
from vp_pipeline.analytics.price_rows import Floats, PriceRows

Rule = Literal["two-row", "one-row", "both-sides"]

_EQUAL = 1e-9
"""Volumes closer than this share of the largest row are a tie: sums of the same parts differ by rounding."""


@dataclass(frozen=True)
class ValueArea:
    """Rows are named by their low edge: the area covers the prices [val, vah + row size).

    `share` is the share that was asked for, `volume` what the area holds, at least that share of all.
    """

    poc: float
    val: float
    vah: float
    share: float
    volume: float


def point_of_control(rows: PriceRows) -> float:
    """The row with the most volume; on a tie the one nearest the middle of the profile, then the lower one.

    The middle is halfway between the lowest and the highest row that have volume.

    Raises:
        NotEnoughData: no row has volume.
    """
    return rows.prices_of([_poc(rows.volume)])[0]


def value_area(rows: PriceRows, share: float = 0.70, rule: Rule = "two-row") -> ValueArea:
    """The adjacent rows around the point of control that hold at least `share` of the volume.

    Raises:
        ValueError: `share` is not within (0, 1], or `rule` is unknown.
        NotEnoughData: no row has volume.
    """
    if not 0 < share <= 1:
        raise ValueError(f"share of the value area must be above 0 and at most 1, got {share}")
    if rule not in ("two-row", "one-row", "both-sides"):
        raise ValueError(f"unknown value area rule {rule!r}: use two-row, one-row or both-sides")
    poc = _poc(rows.volume)
    # Numbers of Python: taking them one by one out of an array would be what costs most here.
    below = [0.0, *np.cumsum(rows.volume).tolist()]
    target = share * below[-1] * (1 - 1e-12)
    tie = _EQUAL * float(rows.volume[poc])
    step = 2 if rule == "two-row" else 1
    size, bottom, top = len(rows.volume), poc, poc + 1  # half-open
    while below[top] - below[bottom] < target:
        lower, higher = max(bottom - step, 0), min(top + step, size)
        if rule == "both-sides":
            bottom, top = lower, higher
            continue
        gain_above, gain_below = below[higher] - below[top], below[bottom] - below[lower]
        if higher > top and (gain_above >= gain_below - tie or lower == bottom):
            top = higher
        else:
            bottom = lower
    price, val, vah = rows.prices_of([poc, bottom, top - 1])
    return ValueArea(price, val, vah, share, float(rows.volume[bottom:top].sum()))


def _poc(volume: Floats) -> int:
    filled = np.flatnonzero(volume > 0)
    if len(filled) == 0:
        raise NotEnoughData("the profile has no volume")
    most = np.flatnonzero(volume >= volume.max() * (1 - _EQUAL))
    middle = (filled[0] + filled[-1]) / 2
    return int(most[np.argmin(np.abs(most - middle))])
