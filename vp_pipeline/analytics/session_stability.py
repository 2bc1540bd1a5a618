"""Whether groups keep their place over time: volatility in windows that move on day by day.

Here belong rolling windows over days; what one window holds is in `sessions`. A group's `relative`
volatility in a window is over that of all bars of the same window: it is 1 if the group is like all others,
whatever the level of the time.
"""

import numpy as np
import pandas as pd

from vp_pipeline.analytics.bar_returns import WEEKDAYS
from vp_pipeline.analytics.price_rows import Floats
from vp_pipeline.analytics.session_sums import GROUPS, DailySums, of_cells
from vp_pipeline.analytics.sessions import KEYS, ratio, variance

LONG, SHORT = 30, 7
"""Days of a rolling window: the long one if the history has three of them."""

COLUMNS = (
    "rolling_days",
    "rolling_windows",
    "rolling_low",
    "rolling_median",
    "rolling_high",
    "rolling_above",
)


def rolling_relative(sums: DailySums, length: int) -> pd.DataFrame:
    """Relative volatility of each of GROUPS in every window of `length` days.

    Returns:
        A row for each window, indexed by its last day (UTC); columns are places in GROUPS; NaN where a group
        has fewer than two returns in a window.

    Raises:
        ValueError: a window shorter than a day.
    """
    if length < 1:
        raise ValueError(f"a window needs a day or more, got {length}")
    ends = np.arange(length, sums.days + 1)
    moments = []
    for name in ("returns", "sum", "squares"):
        values = sums.field(name)
        by_weekday = np.zeros((sums.days + 1, len(WEEKDAYS), *values.shape[1:]))
        by_weekday[np.arange(1, sums.days + 1), sums.weekday] = values
        running = by_weekday.cumsum(axis=0)
        moments.append(
            of_cells(running[ends] - running[ends - length]) if len(ends) else np.empty((0, len(GROUPS)))
        )
    of_group = variance(*moments)
    relative = np.sqrt(ratio(of_group, of_group[:, :1]))
    days = pd.DatetimeIndex((sums.first_day + ends - 1).astype("datetime64[D]").astype("datetime64[s]"))
    return pd.DataFrame(relative, index=days)


def rolling_length(days: int) -> int:
    """Days of a rolling window for a history of so many days; 0 if it is too short for any."""
    return LONG if days >= 3 * LONG else SHORT if days >= 2 * SHORT else 0


def session_stability(sums: DailySums) -> pd.DataFrame:
    """COLUMNS for each of GROUPS, after the group's grouping, weekday, session and minute.

    The least, median and greatest relative volatility over `rolling_windows` windows of `rolling_days`
    days, and the share of them in which it was above 1; NaN if the history is too short.
    """
    length = rolling_length(sums.days)
    values = rolling_relative(sums, length).to_numpy() if length else np.empty((0, len(GROUPS)))
    frame = pd.DataFrame(GROUPS, columns=list(KEYS[:-1]))
    known = np.isfinite(values)
    frame["rolling_days"], frame["rolling_windows"] = length, known.sum(axis=0)
    for name in COLUMNS[2:]:
        frame[name] = np.nan
    for place in np.flatnonzero(known.any(axis=0)):
        column: Floats = values[known[:, place], place]
        frame.loc[place, list(COLUMNS[2:])] = [
            *np.quantile(column, [0, 0.5, 1]),
            float((column > 1).mean()),
        ]
    return frame
