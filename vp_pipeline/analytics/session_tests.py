"""Which groups of a session table differ from the rest.

Here belong tests and their correction for being many; intervals are in `session_confidence`.

A group is compared with all other bars of its grouping by the mean of |r|, every day's measured against the
mean of |r| of the seven days around it. Plain variances would not do: returns have such tails, and days such
different levels, that a few wild days decide, and groups without any difference are found to differ far too
often. So a group is found to differ if it is more or less volatile as a rule; not for one wild day.

The statistic is the logarithm of the ratio. Its standard error is from the days' influences on it, so that
bars of one day may depend on each other as they like; days count as independent. It is held against
Student's t, with as many degrees of freedom as the days of the group, or fewer where few of them decide,
less 1. p-values are two-sided and corrected within each grouping by Holm's method, which holds the chance of
any false finding in it.
"""

import numpy as np
import pandas as pd

from vp_pipeline.analytics.multiplicity import holm
from vp_pipeline.analytics.price_rows import Floats
from vp_pipeline.analytics.session_confidence import LEVEL
from vp_pipeline.analytics.session_sums import GROUPINGS, GROUPS, DailySums, daily_groups
from vp_pipeline.analytics.sessions import KEYS

COLUMNS = ("usual_ratio", "p_value", "p_adjusted", "differs")

_WEEK = np.ones(7)


def session_tests(sums: DailySums) -> pd.DataFrame:
    """COLUMNS for each of GROUPS, after the group's grouping, weekday, session and minute.

    `usual_ratio` is the mean of |r| over that of all other bars of the grouping, day by day against the
    level of the time; `differs` says whether `p_adjusted` is below 1 - LEVEL. NaN, and no difference, for
    the group of all bars and for groups of fewer than two days.
    """
    counts = daily_groups(sums.field("returns"), sums.weekday)
    sizes = _against_level(daily_groups(sums.field("absolute"), sums.weekday), counts)
    frame = pd.DataFrame(GROUPS, columns=list(KEYS[:-1]))
    found = np.full((3, len(GROUPS)), np.nan)
    for grouping, place in GROUPINGS.items():
        if grouping != "all":
            ratio, p = _compared(sizes[:, place], counts[:, place])
            found[:, place] = ratio, p, holm(p)
    for name, values in zip(COLUMNS, found, strict=False):
        frame[name] = values
    frame["differs"] = frame["p_adjusted"] < 1 - LEVEL
    return frame


def _against_level(sizes: Floats, counts: Floats) -> Floats:
    """Sums of |r| over the mean of |r| of the seven days around."""
    total, bars = (np.convolve(part[:, 0], _WEEK, "same") for part in _padded(sizes, counts))
    level = np.where(total > 0, total, 1) / np.where(bars > 0, bars, 1)
    # Of a history shorter than a week "same" is the week's length.
    return sizes / level[: len(sizes), None]


def _padded(*parts: Floats) -> list[Floats]:
    missing = max(0, len(_WEEK) - len(parts[0]))
    return [np.pad(part, ((0, missing), (0, 0))) for part in parts]


def _compared(sizes: Floats, counts: Floats) -> tuple[Floats, Floats]:
    """Ratio to the rest and p-value of each column of days x groups."""
    from scipy import special

    rest, rest_counts = (part.sum(axis=1, keepdims=True) - part for part in (sizes, counts))
    a, b, m, n = (part.sum(axis=0) for part in (sizes, rest, counts, rest_counts))
    days = (counts > 0).sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = (a / m) / (b / n)
        influence = sizes / a - counts / m - rest / b + rest_counts / n
        squared = influence**2
        error = np.sqrt(squared.sum(axis=0) * days / (days - 1))
        # Of equal normal influences the number of days; less where a few are larger.
        deciding = 3 * squared.sum(axis=0) ** 2 / (squared**2).sum(axis=0)
        freedom = np.clip(deciding, 2, days) - 1
        p = 2 * special.stdtr(freedom, -np.abs(np.log(ratio)) / error)
    usable = (days > 1) & (a > 0) & (b > 0) & (error > 0)
    return np.where(m > 0, ratio, np.nan), np.where(usable, p, np.nan)
