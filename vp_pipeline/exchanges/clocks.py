"""Exchanges' clocks compared with one another, since none of them is compared with ours.

An exchange whose Date runs ahead of the others' would have its open candles taken for closed, and minutes
that have not begun for minutes without a trade.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from statistics import median

from vp_pipeline.exchanges.frames import PROVISIONAL, Fetched, settled
from vp_pipeline.windows import Window

# What a Date in whole seconds and a slow answer explain.
_TOLERATED = timedelta(seconds=5)
_FEWEST = 3


def usual_lead(ahead: Iterable[timedelta]) -> timedelta | None:
    """How far the exchanges' clocks are ahead of ours, in the middle of each one's.

    None with fewer than three exchanges: nobody can tell who is wrong.
    """
    leads = [lead.total_seconds() for lead in ahead]
    return None if len(leads) < _FEWEST else timedelta(seconds=median(leads))


def set_back(fetched: Fetched, usual: timedelta) -> Fetched:
    """The same answer by the clock of most exchanges, if its own is ahead of it: what had closed by its own
    alone is provisional again.

    Each answer is judged by itself, since behind one address there may be servers whose clocks differ.
    """
    lead = fetched.ahead - usual
    if lead <= _TOLERATED:
        return fetched
    moment = fetched.exchange_time - lead
    start, end = fetched.answered.start, min(fetched.answered.end, settled(moment))
    frame = fetched.frame.assign(**{PROVISIONAL: fetched.frame["open_time"] >= end})
    answered = Window(start, max(start, end))
    return replace(fetched, frame=frame, answered=answered, exchange_time=moment)
