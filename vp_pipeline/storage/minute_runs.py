"""Runs of minutes: what is known of a market's minutes, as few stretches as there can be.

Here belongs the algebra of runs, without a database: which statement wins where two speak of the same
minute, and that the result is disjoint and as long as it can be. Where runs are kept is for `ledger`.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import pairwise, zip_longest
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from vp_pipeline.windows import EPOCH, MINUTE, Window

State = Literal["unknown", "unfetchable", "exchange-empty", "got"]

# A later one is the stronger: it is never replaced by what stands before it.
_STRENGTH: dict[State, int] = {state: rank for rank, state in enumerate(get_args(State))}

YOUNG = 5 * MINUTE
"""For so long after a minute's close an exchange may still revise its numbers."""
NOT_ASKED_AGAIN = "its numbers may be early, asking again was of no use"


@dataclass(frozen=True)
class Run:
    """The minutes m with start <= m < end, all of them in one state for one reason."""

    start: datetime
    end: datetime
    state: State
    reason: str = ""


def found(
    window: Window, present: npt.NDArray[np.datetime64], otherwise: State, reason: str = ""
) -> list[Run]:
    """Runs of a window: got where a minute is among `present` (ascending, UTC), `otherwise` elsewhere.

    Raises:
        ValueError: the window does not begin and end on whole minutes.
    """
    first, last = _minute(window.start), _minute(window.end)
    minutes = present.astype("datetime64[m]").astype(np.int64)
    minutes = minutes[np.searchsorted(minutes, first) : np.searchsorted(minutes, last)]
    breaks = np.flatnonzero(np.diff(minutes) > 1)
    starts = minutes[np.concatenate(([0], breaks + 1))].tolist() if len(minutes) else []
    ends = (minutes[np.concatenate((breaks, [-1]))] + 1).tolist() if len(minutes) else []
    runs, reached = [], first
    for start, end in [*zip(starts, ends, strict=True), (last, last)]:
        if reached < start:
            runs.append(Run(_moment(reached), _moment(start), otherwise, reason))
        if start < end:
            runs.append(Run(_moment(start), _moment(end), "got"))
        reached = end
    return runs


def doubted(runs: Sequence[Run]) -> list[Run]:
    """The same where each got run that an unfetchable one follows ends with a part that says for what reason
    it may be early: YOUNG minutes at most, which were young when they were fetched, and forgotten when they
    were to be asked for again.
    """
    result: list[Run] = []
    for run, after in zip_longest(runs, runs[1:]):
        if run.state != "got" or after is None or after.state != "unfetchable":
            result.append(run)
            continue
        start = max(run.start, run.end - YOUNG)
        if run.start < start:
            result.append(replace(run, end=start))
        result.append(replace(run, start=start, reason=f"{NOT_ASKED_AGAIN}: {after.reason}"))
    return result


def lay(runs: Sequence[Run], newer: Sequence[Run]) -> list[Run]:
    """The runs after learning `newer`; both are disjoint and in order of time, and so is the result.

    The stronger statement wins: got, then exchange-empty, then unfetchable, then unknown. Of two that
    are equally strong the older stays, but for unknown, where the newer reason counts, and for got, where
    one with a reason does.
    """
    return list(join(_overlaid(runs, newer)))


def join(runs: Iterable[Run]) -> Iterator[Run]:
    """The same with neighbours joined that say the same."""
    last: Run | None = None
    for run in runs:
        if last is not None and (last.end, last.state, last.reason) == (run.start, run.state, run.reason):
            last = replace(last, end=run.end)
            continue
        if last is not None:
            yield last
        last = run
    if last is not None:
        yield last


def _overlaid(runs: Sequence[Run], newer: Sequence[Run]) -> Iterator[Run]:
    edges = sorted({moment for run in (*runs, *newer) for moment in (run.start, run.end)})
    olds, news = iter(runs), iter(newer)
    old, new = next(olds, None), next(news, None)
    for start, end in pairwise(edges):
        while old is not None and old.end <= start:
            old = next(olds, None)
        while new is not None and new.end <= start:
            new = next(news, None)
        said = _stronger(
            old if old is not None and old.start <= start else None,
            new if new is not None and new.start <= start else None,
        )
        if said is not None:
            yield replace(said, start=start, end=end)


def _stronger(old: Run | None, new: Run | None) -> Run | None:
    if old is None or new is None:
        return old or new
    if old.state == new.state:
        return new if new.state == "unknown" or (new.state == "got" and not old.reason) else old
    return max(old, new, key=lambda run: _STRENGTH[run.state])


def _minute(moment: datetime) -> int:
    count, rest = divmod(moment - EPOCH, MINUTE)
    if rest:
        raise ValueError(f"the ledger counts whole minutes, and {moment} is none")
    return count


def _moment(minute: int) -> datetime:
    return EPOCH + minute * MINUTE
