"""Profiles of parts of a window: days, sessions, venues, and any of them together.

Here belongs cutting candles into parts, each with a profile on the same grid; a sum of them is the profile of
the whole (`composite`), as rows add up.
"""

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from vp_pipeline.analytics.price_rows import Placement, PriceRows, volume_by_price
from vp_pipeline.analytics.session_hours import SESSIONS, Preset, session_codes
from vp_pipeline.analytics.value_area import Rule, ValueArea, value_area


@dataclass(frozen=True, eq=False)
class Part:
    """One part's rows, and its levels, None if it has no volume."""

    rows: PriceRows
    area: ValueArea | None


def composite(profiles: Iterable[PriceRows]) -> PriceRows:
    """The profile of all together: of weeks, months, venues, any.

    Raises:
        ValueError: there is none, or the row sizes differ.
    """
    return PriceRows.sum_of(profiles)


def between_dates(
    days: Mapping[pd.Timestamp, PriceRows], first: pd.Timestamp, last: pd.Timestamp
) -> PriceRows:
    """The composite of the days from `first` to `last`, both included.

    Raises:
        ValueError: no day is stored between them.
    """
    held = [rows for day, rows in days.items() if first <= day <= last]
    if not held:
        raise ValueError(f"no profile of a day from {first:%Y-%m-%d} to {last:%Y-%m-%d}: choose other dates")
    return composite(held)


def profiles_by(
    candles: pd.DataFrame,
    labels: pd.Series,
    row_size: float,
    placement: Placement = "uniform",
    share: float = 0.70,
    rule: Rule = "two-row",
) -> dict[Hashable, Part]:
    """A profile for each label, in the order of first appearance; candles without a label are in none.

    Args:
        candles: as `volume_by_price` needs them.
        labels: one for each candle, with the same index: days, sessions, venues.
        row_size: as there.
        placement: as there.
        share: as `value_area` has it.
        rule: as `value_area` has it.
    """
    parts: dict[Hashable, Part] = {}
    for label, of_label in candles.groupby(labels, sort=False, observed=True):
        rows = volume_by_price(of_label, row_size, placement)
        parts[label] = Part(rows, value_area(rows, share, rule) if rows.total > 0 else None)
    return parts


def daily_profiles(
    candles: pd.DataFrame, row_size: float, placement: Placement = "uniform"
) -> dict[Hashable, Part]:
    """A profile for each UTC day, by its midnight."""
    return profiles_by(candles, candles["open_time"].dt.floor("D"), row_size, placement)


def session_profiles(
    candles: pd.DataFrame, row_size: float, preset: Preset = "document", placement: Placement = "uniform"
) -> dict[Hashable, Part]:
    """A profile for each session of the window, its days together; sessions as in `session_hours`."""
    names = np.array(list(SESSIONS))[session_codes(pd.DatetimeIndex(candles["open_time"]), preset)]
    return profiles_by(candles, pd.Series(names, index=candles.index), row_size, placement)
