"""What the exchanges' answers leave behind: candles, the ledger, and a mark on every hour that changed.

Here belongs what an answer says about each minute. Which windows are asked for is in `healing`; what
Dagster is told in `candles_run`.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import median_low
from typing import TYPE_CHECKING, TypeAlias

import pandas as pd

from vp_pipeline.catalog import Market
from vp_pipeline.exchanges.frames import GRACE, Fetched
from vp_pipeline.exchanges.traits import traits_of
from vp_pipeline.storage import candles, ledger, stale
from vp_pipeline.storage.candles import Stored
from vp_pipeline.storage.connection import Connection
from vp_pipeline.storage.ledger import Finding
from vp_pipeline.storage.markets import lock
from vp_pipeline.windows import EPOCH, MINUTE, Window, floor, minus

if TYPE_CHECKING:
    from vp_pipeline.exchanges.errors import FetchError

Outcome: TypeAlias = "Fetched | FetchError"
BEHIND = "had not closed by the exchange's own clock"
SO_FAR_NONE = "the exchange has no candle so far: it will be asked again"


@dataclass(frozen=True)
class Answers:
    """One market's windows, and the outcomes in their order: fewer where there was no time for all."""

    market: Market
    windows: Sequence[Window]
    outcomes: Sequence[Outcome]

    @property
    def failure(self) -> "FetchError | None":
        """Why the market could not be fetched at all; None if it could."""
        first = self.outcomes[0]
        return None if isinstance(first, Fetched) else first

    @property
    def fetched(self) -> Iterator[Fetched]:
        """The windows that were answered."""
        return (outcome for outcome in self.outcomes if isinstance(outcome, Fetched))


def exchange_time(answers: Iterable[Answers]) -> datetime:
    """What time most exchanges say it is, each with one voice; ours if none says.

    One whose clock is off cannot move it as long as two others answer.
    """
    times: dict[str, datetime] = {}
    for answer in answers:
        for fetched in answer.fetched:
            said = times.get(answer.market.exchange, fetched.exchange_time)
            times[answer.market.exchange] = min(said, fetched.exchange_time)
    return median_low(times.values()) if times else datetime.now(UTC)


def keep(
    connection: Connection, answers: Mapping[int, Answers], now: datetime, *, final: bool = False
) -> dict[int, Stored]:
    """Store candles and findings of all markets, by number; what was stored.

    `final` says that an exchange will not answer otherwise later: a recording.
    """
    # All at once and in one order, those that failed too: runs side by side would otherwise hold some each,
    # and wait for the other's.
    lock(connection, list(answers))
    frames = {number: _frame(answer) for number, answer in answers.items() if answer.failure is None}
    stored = candles.store(connection, frames)
    findings = [f for number, answer in answers.items() for f in _findings(number, answer, now, final)]
    ledger.record(connection, findings)
    changed: defaultdict[str, set[datetime]] = defaultdict(set)
    for number, done in stored.items():
        changed[answers[number].market.base].update(done.changed_hours)
    for base in sorted(changed):
        stale.mark(connection, stale.AGGREGATE, base, changed[base])
    return stored


def in_base(frame: pd.DataFrame, market: Market) -> pd.DataFrame:
    """The candles with their volume in the base asset."""
    if market.volume_unit == "base":
        return frame
    turnover = frame["quote_volume"].fillna(frame["volume"])
    return frame.assign(volume=frame["volume"] / frame["close"], quote_volume=turnover)


def _frame(answer: Answers) -> pd.DataFrame:
    """All candles of a market; of a minute answered twice, the first asked: that is the run's own window."""
    frame = pd.concat([fetched.frame for fetched in answer.fetched], ignore_index=True)
    frame = frame.drop_duplicates("open_time", keep="first").sort_values("open_time", ignore_index=True)
    return in_base(frame, answer.market)


def _findings(number: int, answer: Answers, now: datetime, final: bool) -> list[Finding]:
    """What the outcomes say about minutes that closed long enough ago."""
    settled = floor(now - GRACE, MINUTE)
    findings: list[Finding] = []
    for window, outcome in zip(answer.windows, answer.outcomes, strict=False):
        closed = Window(window.start, max(window.start, min(window.end, settled)))
        if isinstance(outcome, Fetched):
            findings += _of_answer(number, answer.market, closed, outcome, now, final)
        else:
            findings.append(Finding(number, closed, "unknown", outcome.reason))
    return [finding for finding in findings if finding.window]


def _of_answer(
    number: int, market: Market, closed: Window, fetched: Fetched, now: datetime, final: bool
) -> Iterator[Finding]:
    """Before what was answered the exchange serves nothing or was not asked; after it, its clock is late."""
    start = closed.start
    depth = traits_of(market.exchange).depth
    # Not by its own clock: one that is ahead would have forgotten minutes that it still serves, one that is
    # behind would have had no candle in those that it has forgotten.
    oldest = None if depth is None else floor(now, MINUTE) - depth
    if oldest is not None and oldest > start:
        lost = Window(start, max(start, min(oldest, closed.end)))
        reason = f"{market.exchange} serves no minutes before {oldest:%Y-%m-%d %H:%M} UTC"
        yield Finding(number, lost, "unfetchable", reason)
        start = lost.end
    end = fetched.answered.end
    answered = Window(min(max(start, fetched.answered.start), end), end)
    if start < answered.start:
        unasked = Window(start, max(start, min(answered.start, closed.end)))
        yield Finding(number, unasked, "unknown", fetched.note)
    # After the last candle an exchange may have none, or not have written it yet.
    young = floor(min(now, fetched.exchange_time) - traits_of(market.exchange).doubted, MINUTE)
    believed = [Window(EPOCH, max(EPOCH, young)), *minus(answered, [] if final else fetched.silent)]
    for waiting in minus(answered, believed):
        yield Finding(number, waiting, "unknown", SO_FAR_NONE)
    for window in believed:
        yield Finding(number, window.intersect(answered), "answered")
    if end < closed.end:
        late = Window(max(end, start), closed.end)
        yield Finding(number, late, "unknown", BEHIND)
