"""Exchanges' clocks compared with one another, since none of them is compared with ours.

An exchange whose Date runs ahead of the others' would have its open candles taken for closed, and minutes
that have not begun for minutes without a trade.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from statistics import median

from vp_pipeline.exchanges.frames import PROVISIONAL, Fetched, settled
from vp_pipeline.windows import Window

# What a Date in whole seconds and a slow answer explain.
_TOLERATED = timedelta(seconds=5)
_FEWEST = 3


def too_far_ahead(ahead: Mapping[str, timedelta]) -> dict[str, timedelta]:
    """By how much exchanges' clocks run ahead of the median; `ahead` is each one's lead over ours.

    With fewer than three exchanges nobody can tell who is wrong, and none is said to be.
    """
    if len(ahead) < _FEWEST:
        return {}
    middle = timedelta(seconds=median(lead.total_seconds() for lead in ahead.values()))
    return {exchange: lead - middle for exchange, lead in ahead.items() if lead - middle > _TOLERATED}


def set_back(fetched: Fetched, lead: timedelta) -> Fetched:
    """The same answer by a clock that is `lead` behind: what it had closed later is provisional again."""
    moment = fetched.exchange_time - lead
    start, end = fetched.answered.start, min(fetched.answered.end, settled(moment))
    frame = fetched.frame.assign(**{PROVISIONAL: fetched.frame["open_time"] >= end})
    return replace(fetched, frame=frame, answered=Window(start, max(start, end)), exchange_time=moment)
