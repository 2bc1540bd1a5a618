"""The soak of the whole platform: its processes are killed at work, and it must come back by itself.

Here belong rounds on a platform that is started as `vp demo` starts it, but on simulated time: its schedules
are stopped, since they go by this machine's clock, and the ticks are launched through Dagster's API.
"""

import random
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import psutil
import psycopg
import requests

from vp_pipeline.assets.keys import DAY_FORMAT, HOUR_FORMAT, PROFILES_JOB, TICK_JOB, range_tags
from vp_pipeline.runtime import platform, services
from vp_pipeline.runtime.dagster_api import DagsterApi, DagsterError
from vp_pipeline.runtime.guard import POSTGRES
from vp_pipeline.runtime.kin import processes_of
from vp_pipeline.runtime.platform import Options, Platform
from vp_pipeline.sandbox.generator import GeneratedSource
from vp_pipeline.settings import Settings
from vp_pipeline.storage import embedded
from vp_pipeline.windows import MINUTE, Window
from vp_pipeline_tests.assets.simulated import MARKETS, MARKETS_FILE, QUARTER, START
from vp_pipeline_tests.runtime.command import is_run, left_behind, postgres_of
from vp_pipeline_tests.soak import database, judge, sound
from vp_pipeline_tests.soak.strikes import LATE
from vp_pipeline_tests.soak.world import World, small_disk

RUN: Final = "run"
DISK: Final = "disk"
"""The database's, which is filled for a moment."""
TARGETS: Final = (RUN, services.CODE, services.DAEMON, services.WEBSERVER, services.SITE, POSTGRES, DISK)
# The guard gives up what ends six times in five minutes: no process is killed twice in so many seconds.
_SPARED: Final = 65.0
_PATIENCE: Final = 180.0
_FULL_SECONDS: Final = 3.0
# A run that has not begun by then waits for what else was killed.
_BEGUN: Final = 8.0
_STOP = "mutation ($id: String!) { stopRunningSchedule(id: $id) { __typename } }"
_SCHEDULES = """{
  schedulesOrError(repositorySelector:
      {repositoryLocationName: "vp_pipeline", repositoryName: "__repository__"}) {
    ... on Schedules { results { name scheduleState { id } } } }
}"""


@dataclass(frozen=True)
class Blow:
    """What is struck in a round, in the order and with the seconds to wait before each."""

    targets: tuple[tuple[str, float], ...]
    quarters: int


@dataclass
class WholeReport:
    """What came of it; good if there are no problems."""

    seed: int
    rounds: int = 0
    kills: Counter[str] = field(default_factory=Counter)
    runs: Counter[str] = field(default_factory=Counter)
    checked: int = 0
    lost: int = 0
    unfetchable: int = 0
    early: int = 0
    duplicates: int = 0
    artifacts: int = 0
    longest_recovery: float = 0.0
    notes: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def draw(seed: int, number: int) -> Blow:
    """What is killed in a round, the same for the same seed; in two rounds every target has its turn."""
    chance = random.Random(f"whole {seed} {(number - 1) // 2}")
    order = list(TARGETS)
    chance.shuffle(order)
    half = order[: len(order) // 2] if number % 2 else order[len(order) // 2 :]
    chance = random.Random(f"whole {seed} {number}")
    targets = tuple((target, chance.uniform(0.0, 4.0)) for target in half)
    return Blow(targets, chance.choice((1, 1, 2, 5)))


def soak_whole(
    home: Path, seed: int, rounds: int, tell: Callable[[str], None] = lambda _: None
) -> WholeReport:
    """Strike a platform in a new folder so many times, then judge what it has stored and left behind."""
    report = WholeReport(seed)
    with ExitStack() as stack:
        folder = home / "postgres"
        folder.mkdir()
        no_disk = stack.enter_context(small_disk(folder))
        if no_disk:
            report.notes.append(f"no disk was filled: {no_disk}")
        _soak(home, no_disk, rounds, report, tell)
    return report


def _soak(home: Path, no_disk: str, rounds: int, report: WholeReport, tell: Callable[[str], None]) -> None:
    markets = home / "markets.toml"
    markets.write_text(MARKETS_FILE)
    options = Options(home, "sandbox", markets, first_hour="2025-03-01T00:00:00+00:00", polls=False)
    told: list[str] = []
    with platform.running(options, told.append) as running:
        world = _world(home, running, no_disk)
        soak = _Whole(world, running, report)
        soak.run(rounds, tell)
        world.session.close()
    if any("given up" in line for line in told):
        report.problems.append(f"the platform gave up: {told[-1]}")
    report.problems += [f"left behind: {process}" for process in left_behind(home)]
    server = embedded.start(world.folder)
    try:
        soundness = sound.examine(world, Window(START, soak.now - MINUTE))
        report.duplicates, report.artifacts = soundness.duplicates, soundness.artifacts
        report.problems += soundness.problems
    finally:
        server.stop()


def _world(home: Path, running: Platform, no_disk: str) -> World:
    """The platform's parts as the judges know them; the sandbox's seed is the usual one."""
    variables = {
        name.removeprefix("VP_").lower(): value
        for name, value in running.processes.environment.items()
        if name.startswith("VP_")
    }
    known = {name: value for name, value in variables.items() if name in Settings.model_fields}
    settings = Settings.model_validate(known)
    server = embedded.start(home / "postgres")
    sandbox = str(running.addresses.sandbox_url)
    world = World(home, settings, server.url("vp"), sandbox, GeneratedSource(0), no_disk)
    world.session.trust_env = False
    return world


class _Whole:
    def __init__(self, world: World, running: Platform, report: WholeReport) -> None:
        self._world, self._running, self._report = world, running, report
        self._dagster = DagsterApi(running.addresses.dagster_url)
        self._killed: dict[str, float] = {}
        self.now: datetime = START

    def run(self, rounds: int, tell: Callable[[str], None]) -> None:
        """All rounds, then ticks in peace and the judgement of the candles."""
        self._stop_schedules()
        self._quiet_tick()
        for number in range(1, rounds + 1):
            self._round(draw(self._report.seed, number), TICK_JOB if number % 3 else PROFILES_JOB)
            self._report.rounds = number
            tell(f"round {number}: {self._report.kills.total()} kills, {len(self._report.problems)} problems")
            if self._report.problems:
                return
        self._quiet_tick()
        window = Window(START, self.now - MINUTE)
        for market in MARKETS:
            verdict = judge.judge(self._world, market, window)
            self._report.checked += verdict.checked
            self._report.lost += verdict.lost
            self._report.unfetchable += verdict.unfetchable
            self._report.early += verdict.early
            self._report.problems += verdict.problems
        self._no_run_is_stuck()

    def _round(self, blow: Blow, job: str) -> None:
        """A run that is struck; then all must answer, and the run must have come to an end."""
        self._advance(blow.quarters * QUARTER)
        run = self._launch(job)
        began = time.monotonic()
        for target, seconds in blow.targets:
            time.sleep(seconds)
            if self._strike(target):
                self._report.kills[target] += 1
                began = time.monotonic()
        ended = self._end_of(run)
        self._report.runs["succeeded" if ended is None else "failed"] += 1
        self._all_answer()
        self._report.longest_recovery = max(self._report.longest_recovery, time.monotonic() - began)

    def _quiet_tick(self) -> None:
        self._advance(QUARTER)
        why = self._end_of(self._launch(TICK_JOB))
        if why is not None:
            self._report.problems.append(f"a tick failed in peace: {why}")

    def _advance(self, step: timedelta) -> None:
        self.now += step
        self._world.set_clock(self.now + LATE)

    def _launch(self, job: str) -> str:
        """Start the run of this moment, as soon as there is somebody to start it."""
        key = HOUR_FORMAT if job == TICK_JOB else DAY_FORMAT
        tags = range_tags(self.now - QUARTER, self.now, key)
        deadline = time.monotonic() + _PATIENCE
        while True:
            try:
                return self._dagster.launch(job, tags)
            except DagsterError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.5)

    def _end_of(self, run: str) -> str | None:
        """Wait for the end of a run; why it failed, None if it did not.

        Raises:
            TimeoutError: it does not end.
        """
        deadline = time.monotonic() + _PATIENCE

        def going_on(_: int) -> None:
            if time.monotonic() > deadline:
                raise TimeoutError(f"run {run} does not end within {_PATIENCE:.0f} s: it is stuck")

        try:
            self._dagster.follow(run, going_on)
        except DagsterError as error:
            return str(error)
        return None

    def _strike(self, target: str) -> bool:
        """Kill it at once, or fill the disk; whether there was something to strike."""
        now = time.monotonic()
        if now - self._killed.get(target, -_SPARED) < _SPARED and target != RUN:
            return False
        if target == DISK:
            return self._fill_disk()
        victim = self._victim(target)
        if victim is None:
            return False
        try:
            victim.kill()
        except psutil.NoSuchProcess:
            return False
        self._killed[target] = now
        return True

    def _fill_disk(self) -> bool:
        """Leave no room for some seconds; the database may stop, and is started again when there is some."""
        if self._world.no_disk:
            return False
        with database.full_disk(self._world.folder):
            time.sleep(_FULL_SECONDS)
        self._killed[DISK] = time.monotonic()
        return True

    def _victim(self, target: str) -> psutil.Process | None:
        if target == POSTGRES:
            return next(postgres_of(self._world.home), None)
        if target == RUN:
            return self._run_process()
        child = self._running.processes.children[target]
        return psutil.Process(child.process.pid) if child.alive else None

    def _run_process(self) -> psutil.Process | None:
        """The process of the run, as soon as there is one; None if none begins."""
        deadline = time.monotonic() + _BEGUN
        while time.monotonic() < deadline:
            for process in processes_of(self._world.home):
                try:
                    if is_run(process):
                        return process
                except psutil.NoSuchProcess:
                    continue  # gone meanwhile
            time.sleep(0.05)
        return None

    def _all_answer(self) -> None:
        """Wait until everything that was killed is back.

        Raises:
            TimeoutError: something is not.
        """
        addresses, deadline = self._running.addresses, time.monotonic() + _PATIENCE
        left = {f"{addresses.dagster_url}/server_info", f"{addresses.site_url}/healthz"}
        while left or not all(child.alive for child in self._running.processes.children.values()):
            if time.monotonic() > deadline:
                raise TimeoutError(f"not back after {_PATIENCE:.0f} s: {', '.join(left) or 'a process'}")
            self._running.guard.check()
            left = {url for url in left if not self._ok(url)}
            time.sleep(0.1)

    def _ok(self, url: str) -> bool:
        try:
            return self._world.session.get(url, timeout=5).ok
        except requests.RequestException:
            return False

    def _stop_schedules(self) -> None:
        for schedule in self._ask(_SCHEDULES)["schedulesOrError"]["results"]:
            self._ask(_STOP, id=schedule["scheduleState"]["id"])

    def _ask(self, document: str, **variables: str) -> dict[str, Any]:
        url = f"{self._running.addresses.dagster_url}/graphql"
        answer = self._world.session.post(
            url, json={"query": document, "variables": variables}, timeout=60
        ).json()
        if answer.get("errors"):
            raise DagsterError(answer["errors"][0]["message"])
        data: dict[str, Any] = answer["data"]
        return data

    def _no_run_is_stuck(self) -> None:
        server = embedded.start(self._world.folder)
        with psycopg.connect(server.url("dagster")) as connection:
            rows = connection.execute("SELECT status, count(*) FROM runs GROUP BY status").fetchall()
        stuck = {status: count for status, count in rows if status not in ("SUCCESS", "FAILURE", "CANCELED")}
        if stuck:
            self._report.problems.append(f"runs are stuck: {stuck}")
