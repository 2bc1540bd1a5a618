"""Which points of control were naked when each day began, from the ranges of the days alone.

Here belongs following many days; the touch itself, to the minute, is in `naked_levels`.
"""

from dataclasses import dataclass

import pandas as pd

from vp_pipeline.analytics.naked_levels import Level, Touch, first_touches


@dataclass(frozen=True)
class NakedDay:
    """The midnight of a day and the levels that were naked then, the oldest first."""

    day: pd.Timestamp
    naked: tuple[Level, ...]


def naked_by_day(days: pd.DataFrame, row_size: float, end: pd.Timestamp) -> list[NakedDay]:
    """For each day, and for that which begins at `end`, the levels that no day between has touched.

    Args:
        days: day (midnight UTC, ascending), poc, low and high of the day's prices.
        row_size: of the profiles.
        end: the midnight after the last day that counts.
    """
    naked: list[Level] = []
    found = []
    values = days[["poc", "low", "high"]].to_numpy(dtype=float).tolist()
    for day, (poc, low, high) in zip(days["day"], values, strict=True):
        found.append(NakedDay(day, tuple(naked)))
        naked = [one for one in naked if not (low < one.price + row_size and high >= one.price)]
        naked.append(Level(f"{day:%Y-%m-%d}", poc, row_size, day + pd.Timedelta(days=1)))
    found.append(NakedDay(end, tuple(naked)))
    return found


def touches_of_day(naked: NakedDay, prices: pd.DataFrame, until: pd.Timestamp) -> list[Touch]:
    """When the levels that were naked as the day began were touched on it; columns as `first_touches`."""
    return first_touches(list(naked.naked), prices, until)
