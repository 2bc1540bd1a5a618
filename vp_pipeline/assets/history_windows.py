"""Windows of minutes that are missing, and in which pieces an exchange is asked for them.

Here belongs arithmetic on windows and frames that knows no source and no ledger.
"""

from collections.abc import Sequence
from datetime import timedelta

import numpy as np
import pandas as pd

from vp_pipeline.windows import MINUTE, Window

# An answer that is stored or missed as a whole: enough pages to be quick, few enough to be had on a bad line.
_PAGES = 5


def gathered(windows: Sequence[Window], page: int) -> list[Window]:
    """Windows so close to each other that one request of `page` minutes serves them, made one."""
    joined: list[Window] = []
    for window in windows:
        if joined and joined[-1].hull(window).count(MINUTE) <= page:
            joined[-1] = joined[-1].hull(window)
        else:
            joined.append(window)
    return joined


def pieces(windows: Sequence[Window], page: int, most: timedelta, count: int | None = None) -> list[Window]:
    """The first windows, cut into some pages each, until they hold `most` or are `count`; at least one."""
    chosen: list[Window] = []
    left = most
    for window in windows:
        for piece in window.split(min(_PAGES * page * MINUTE, most)):
            if chosen and (left <= timedelta(0) or len(chosen) == count):
                return chosen
            chosen.append(piece)
            left -= piece.end - piece.start
    return chosen


def clipped_to(frame: pd.DataFrame, windows: Sequence[Window]) -> pd.DataFrame:
    """The candles that open in one of the windows."""
    times = frame["open_time"]
    inside = np.zeros(len(frame), dtype=bool)
    for window in windows:
        first, last = (
            times.searchsorted(pd.Timestamp(window.start)),
            times.searchsorted(pd.Timestamp(window.end)),
        )
        inside[first:last] = True
    return frame[inside]
