"""One soak from its first tick to the judgement.

Here belongs the order of things: rounds of faults, quiet ticks in which what was missed is healed, and what
is counted meanwhile. Each round's faults are a function of the seed and the round's number alone.
"""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from vp_pipeline.storage import stale
from vp_pipeline.storage.connection import transaction
from vp_pipeline.windows import HOUR, MINUTE, Window, floor
from vp_pipeline_tests.assets.simulated import MARKETS, QUARTER, START
from vp_pipeline_tests.soak import judge, sound, strikes, ticks
from vp_pipeline_tests.soak.faults import OUTAGE, Round, draw
from vp_pipeline_tests.soak.world import PERPETUAL, World, running

# So often all is quiet for some ticks, and what was stored so far is judged: a loss is found near its cause.
_ROUNDS_BETWEEN: Final = 100
# A day of gaps is healed in one tick; changed hours are computed a week a tick.
_MOST_QUIET_TICKS: Final = 16


@dataclass
class Report:
    """What came of a soak. It is good if there are no problems."""

    seed: int
    rounds: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    simulated: timedelta = timedelta()
    checked: int = 0
    unfetchable: int = 0
    early: int = 0
    lost: int = 0
    duplicates: int = 0
    artifacts: int = 0
    longest_unknown: timedelta = timedelta()
    most_quiet_ticks: int = 0
    longest_round: float = 0.0
    notes: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def injected(self) -> int:
        """All faults that met something."""
        return self.faults.total()


def soak(
    home: Path, seed: int, faults: int, days: float, tell: Callable[[str], None] = lambda _: None
) -> Report:
    """Strike until so many faults have met something, or so many days of simulated time are over.

    `home` is an empty folder that the database's user may enter; `tell` gets a line now and then.
    """
    ticks.prepare()
    report = Report(seed)
    with running(home, seed) as world:
        if world.no_disk:
            report.notes.append(f"no disk was filled: {world.no_disk}")
        campaign = _Campaign(world, report, tell)
        try:
            campaign.run(faults, START + timedelta(days=days))
        except strikes.HungError as error:
            report.problems.append(f"round {report.rounds}: {error}; its log is {home}/runs.log")
        report.simulated = campaign.now - START
    return report


class _Campaign:
    def __init__(self, world: World, report: Report, tell: Callable[[str], None]) -> None:
        self._world, self._report, self._tell = world, report, tell
        self._chances: dict[str, list[datetime]] = {market: [] for market in MARKETS}
        self._judged_until = START
        self._history_begun = False
        self.now = START

    def run(self, faults: int, until: datetime) -> None:
        """Rounds, judgements between them, and the judgement of it all."""
        report = self._report
        self._quiet_tick()  # everything is followed from the start
        while report.injected < faults and self.now < until:
            report.rounds += 1
            self._round(draw(report.seed, report.rounds, MARKETS, PERPETUAL))
            if report.rounds % _ROUNDS_BETWEEN == 0:
                self._heal()
                self._judge_candles(Window(self._judged_until, self.now - MINUTE))
                self._add(judge.judge_bars(self._world, Window(self._judged_until, self.now - MINUTE)))
                self._judged_until = self.now - MINUTE
                self._tell(
                    f"round {report.rounds}, {self.now:%Y-%m-%d %H:%M}: {report.injected} faults,"
                    f" {report.lost} minutes lost, {len(report.problems)} problems"
                )
                if report.problems:
                    return
        self._heal()
        self._finish()

    def _round(self, drawn: Round) -> None:
        report, began = self._report, time.monotonic()
        hour = floor(self.now, HOUR)
        self.now += drawn.quarters * QUARTER
        struck = strikes.strike(self._world, self.now, drawn, with_bars=floor(self.now, HOUR) > hour)
        self._count(drawn, struck)
        waited = judge.longest_unknown(self._world, MARKETS, self.now)
        report.longest_unknown = max(report.longest_unknown, waited)
        report.longest_round = max(report.longest_round, time.monotonic() - began)
        self._history_begun |= drawn.strike == "history over a tick"
        if drawn.strike in strikes.PEACEFUL:
            codes = {*struck.codes, ticks.GOOD if struck.bars is None else struck.bars}
            if not codes <= {ticks.GOOD, ticks.TOLD}:
                report.problems.append(
                    f"round {drawn.number} ({drawn.strike}): a run broke off, disturbed by the wire alone"
                )
            self._note_chances({fault["exchange"] for fault in drawn.wire}, struck.codes, drawn.strike)

    def _note_chances(self, disturbed: set[str], codes: tuple[int, ...], strike: str) -> None:
        """Remember who could be fetched in this round without any trouble."""
        if strike != "clock step" and ticks.GOOD in codes:
            for market, moments in self._chances.items():
                if market.split()[0] not in disturbed:
                    moments.append(self.now)

    def _count(self, drawn: Round, struck: strikes.Struck) -> None:
        """Count the wrong answers that were given, and the strike if it met something."""
        faults = self._report.faults
        for fault in drawn.wire:
            if fault.get("body") == OUTAGE:
                faults[OUTAGE] += 1
            else:
                faults[fault["kind"]] += fault["count"]
        for left in self._world.faults_left():
            if left.get("body") != OUTAGE:
                faults[left["kind"]] -= left["count"]
        if struck.hit:
            faults[drawn.strike] += 1
        if struck.bars_killed:
            faults["kill run of bars"] += 1

    def _quiet_tick(self) -> None:
        self.now += QUARTER
        self._world.set_clock(self.now + strikes.LATE)
        self._world.let_bans_end()
        self._world.set_faults([])
        codes = strikes.ended(strikes.tick(self._world, self.now))
        self._note_chances(set(), codes, "")
        if {*codes, *strikes.ended(strikes.bars(self._world, self.now))} != {ticks.GOOD}:
            self._report.problems.append(f"after round {self._report.rounds}: a quiet tick failed")

    def _heal(self) -> None:
        """Quiet ticks until nothing is unknown and nothing waits to be computed."""
        for count in range(1, _MOST_QUIET_TICKS + 1):
            self._quiet_tick()
            if self._report.problems:
                return
            if self._settled():
                self._report.most_quiet_ticks = max(self._report.most_quiet_ticks, count)
                return
        self._report.problems.append(
            f"after round {self._report.rounds}: {_MOST_QUIET_TICKS} quiet ticks did not heal everything"
        )

    def _settled(self) -> bool:
        with transaction(self._world.url) as connection:
            waiting = [
                hour
                for consumer in (stale.AGGREGATE, stale.PROFILE_HOURS)
                for hour in stale.pending(connection, consumer, "BTC")
                if hour not in strikes.MONTH
            ]
        known_to = judge.longest_unknown(self._world, MARKETS, self.now)
        return not waiting and known_to <= MINUTE

    def _judge_candles(self, window: Window, only: tuple[str, ...] = MARKETS) -> None:
        for market in only:
            self._add(judge.judge(self._world, market, window, self._chances[market]))

    def _add(self, verdict: judge.Verdict) -> None:
        self._report.checked += verdict.checked
        self._report.unfetchable += verdict.unfetchable
        self._report.early += verdict.early
        self._report.lost += verdict.lost
        self._report.problems += verdict.problems

    def _finish(self) -> None:
        """Everything that is made of the candles, once in peace; then the judgement of all of it."""
        report, window = self._report, Window(START, self.now - MINUTE)
        if strikes.ended(strikes.profiles(self._world, self.now)) != (ticks.GOOD,):
            report.problems.append("the profiles were not made in peace")
        report.checked = report.unfetchable = report.early = report.lost = 0
        self._judge_candles(window)
        self._add(judge.judge_bars(self._world, window))
        if self._history_begun:
            if strikes.ended(strikes.history(self._world)) != (ticks.GOOD,):
                report.problems.append("the history was not loaded in peace")
            self._judge_candles(strikes.MONTH, (strikes.HISTORY_OF,))
        soundness = sound.examine(self._world, window)
        report.duplicates, report.artifacts = soundness.duplicates, soundness.artifacts
        report.problems += soundness.problems
        if not report.artifacts:
            report.problems.append("there is no artifact to check")
