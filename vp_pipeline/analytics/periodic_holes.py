"""Minutes missing at a regular distance.

Here belongs the search on a row of minutes; what is told about it belongs to `candle_checks`.
"""

from dataclasses import dataclass

import numpy as np

from vp_pipeline.analytics.grid import Bools

LONGEST = 1500
FEWEST_PLACES = 6
SHARE = 0.9
# Chance that such a pattern arises among holes at random, over all periods and phases tried.
CHANCE = 1e-6


@dataclass(frozen=True)
class PeriodicHole:
    """Every `period` minutes from `first` on there are `places`, of which `holes` are missing."""

    period: int
    first: int
    places: int
    holes: int


def periodic_hole(present: Bools) -> PeriodicHole | None:
    """The shortest distance at which minutes are missing again and again, None if there is none.

    A distance counts if at least 90 % of the minutes at it, six or more, are missing, and as many holes at
    random places would hardly ever make such a pattern.

    Args:
        present: whether there is a candle, minute by minute.
    """
    holes = np.flatnonzero(~present)
    rate = len(holes) / max(len(present), 1)
    if not 0 < rate < 1:
        return None
    for period in range(2, min(LONGEST, len(present) // FEWEST_PLACES) + 1):
        phases = np.arange(period)
        places = (len(present) - 1 - phases) // period + 1
        found = np.bincount(holes % period, minlength=period)
        phase = int(np.argmax(found / places))
        here, out_of = int(found[phase]), int(places[phase])
        if here < SHARE * out_of:
            continue
        if _log_chance(here, out_of, rate) + np.log(period * LONGEST) < np.log(CHANCE):
            return PeriodicHole(period, phase, out_of, here)
    return None


def _log_chance(holes: int, places: int, rate: float) -> float:
    """Bound of Chernoff: the logarithm of the chance of so many holes or more at a rate."""
    share = holes / places
    if share <= rate:
        return 0.0
    rest = (1 - share) * np.log((1 - share) / (1 - rate)) if share < 1 else 0.0
    return float(-places * (share * np.log(share / rate) + rest))
