"""Carrying out what was drawn: a tick, and what strikes it.

Here belongs how each strike is done, and whether it really hit something: only that is counted.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from multiprocessing.context import ForkServerProcess
from typing import Final

from vp_pipeline.assets.keys import (
    DAY_FORMAT,
    HISTORY_JOB,
    HOUR_FORMAT,
    MONTH_FORMAT,
    PROFILES_JOB,
    TICK_JOB,
    klines_job_name,
    range_tags,
)
from vp_pipeline.storage import migrate, roles
from vp_pipeline.windows import HOUR, Window
from vp_pipeline_tests.assets.simulated import QUARTER
from vp_pipeline_tests.soak import database, ticks
from vp_pipeline_tests.soak.faults import Round
from vp_pipeline_tests.soak.world import World

# The schedule starts a tick some seconds after its moment.
LATE = timedelta(seconds=5)
# A tick of five markets takes a second or two; crash recovery and a busy machine are allowed for.
HUNG = 120.0
HISTORY_OF: Final = "binance BTC/USDT"
HISTORY_ASSETS: Final = ("history/binance/btc_usdt", "history/coverage", "history/aggregate/btc")
MONTH: Final = Window(datetime(2025, 2, 1, tzinfo=UTC), datetime(2025, 3, 1, tzinfo=UTC))


class HungError(RuntimeError):
    """A run does not end."""


@dataclass(frozen=True)
class Struck:
    """Exit codes of the runs, and whether the strike hit something; of a run of bars beside them its code,
    None if there was none or it was killed, and whether it was killed at work.
    """

    codes: tuple[int, ...]
    hit: bool
    bars: int | None = None
    bars_killed: bool = False


def tick(world: World, now: datetime) -> ForkServerProcess:
    """The scheduled run of this moment."""
    tags = range_tags(now - QUARTER, now, HOUR_FORMAT)
    return ticks.start(world.settings, TICK_JOB, tags, world.home / "runs.log")


def backfill(world: World, start: datetime, end: datetime) -> ForkServerProcess:
    """The hours from `start` to that of `end` once more, as a person may ask Dagster for."""
    tags = range_tags(start, end, HOUR_FORMAT)
    return ticks.start(world.settings, TICK_JOB, tags, world.home / "runs.log")


def history(world: World) -> ForkServerProcess:
    """The month before the live hours, of the market that has an archive."""
    tags = range_tags(MONTH.start, MONTH.start, MONTH_FORMAT)
    return ticks.start(world.settings, HISTORY_JOB, tags, world.home / "runs.log", HISTORY_ASSETS)


def profiles(world: World, now: datetime) -> ForkServerProcess:
    """The profiles of the day of the hour that has ended, and of the open day."""
    tags = range_tags(now - HOUR, now, DAY_FORMAT)
    return ticks.start(world.settings, PROFILES_JOB, tags, world.home / "runs.log")


def ended(*processes: ForkServerProcess) -> tuple[int, ...]:
    """Wait for the runs; their exit codes.

    Raises:
        HungError: one does not end.
    """
    codes = []
    for process in processes:
        process.join(HUNG)
        if process.exitcode is None:
            process.kill()
            raise HungError(f"a run did not end within {HUNG:.0f} s")
        codes.append(process.exitcode)
    return tuple(codes)


def bars(world: World, now: datetime) -> ForkServerProcess:
    """The bars of the hour that has ended and of the open one, as every hour."""
    tags = range_tags(now - HOUR, now, HOUR_FORMAT)
    return ticks.start(world.settings, klines_job_name("1m"), tags, world.home / "runs.log")


def strike(world: World, now: datetime, drawn: Round, with_bars: bool) -> Struck:
    """One tick with its strike; beside it, if so asked, a run of the perpetual's bars."""
    world.set_clock(now + LATE)
    world.let_bans_end()
    world.set_faults(list(drawn.wire))
    if not with_bars:
        return _STRIKES[drawn.strike](world, now, drawn)
    fetching, killed = bars(world, now), False
    if drawn.bars_killed:
        fetching.join(drawn.seconds)
        killed = fetching.is_alive()
        fetching.kill()
    struck = _STRIKES[drawn.strike](world, now, drawn)
    (code,) = ended(fetching)
    return replace(struck, bars=None if killed else code, bars_killed=killed)


def _plain(world: World, now: datetime, drawn: Round) -> Struck:
    return Struck(ended(tick(world, now)), drawn.quarters > 1)


def _kill_run(world: World, now: datetime, drawn: Round) -> Struck:
    process = tick(world, now)
    process.join(drawn.seconds)
    hit = process.is_alive()
    process.kill()
    return Struck(ended(process), hit)


def _cut(world: World, now: datetime, drawn: Round) -> Struck:
    process = tick(world, now)
    process.join(drawn.seconds)
    # Until it is met with a connection open: it has none while it asks the exchanges.
    cut = 0
    while process.is_alive() and not cut:
        cut = database.terminate(world, "SELECT pid FROM pg_stat_activity WHERE application_name = 'vp'")
    return Struck(ended(process), cut > 0)


def _kill_postgres(world: World, now: datetime, drawn: Round) -> Struck:
    process = tick(world, now)
    process.join(drawn.seconds)
    hit = process.is_alive()
    database.kill_server(world)
    world.start_postgres()
    return Struck(ended(process), hit)


def _two(world: World, now: datetime, drawn: Round) -> Struck:
    first = tick(world, now)
    first.join(drawn.seconds / 3)
    hit = first.is_alive()
    return Struck(ended(first, tick(world, now)), hit)


def _step(world: World, now: datetime, drawn: Round) -> Struck:
    """This machine's clock goes wrong: before the tick, which asks for other hours then, or during it."""
    wrong = now + drawn.step if drawn.hours % 2 else now
    tags = range_tags(wrong - QUARTER, wrong, HOUR_FORMAT)
    process = ticks.start(world.settings, TICK_JOB, tags, world.home / "runs.log", step=drawn.step)
    return Struck(ended(process), True)


def _migrate(world: World, now: datetime, drawn: Round) -> Struck:
    process = tick(world, now)
    process.join(drawn.seconds)
    hit = process.is_alive()
    database.again(lambda: database.downgrade(world.url))
    database.again(lambda: migrate.upgrade(world.url))
    database.again(lambda: roles.grant(world.url))
    return Struck(ended(process), hit)


def _full_disk(world: World, now: datetime, drawn: Round) -> Struck:
    """Fill the disk while the tick works; once there is room again the server may have to start anew."""
    process = tick(world, now)
    process.join(drawn.seconds / 2)
    hit = process.is_alive()
    with database.full_disk(world.folder):
        process.join(HUNG)
    world.start_postgres()
    return Struck(ended(process), hit)


def _backfill(world: World, now: datetime, drawn: Round) -> Struck:
    """Hours of the past once more, while the tick works."""
    hours = backfill(world, now - timedelta(hours=drawn.hours), now - timedelta(hours=1))
    hours.join(drawn.seconds / 2)
    hit = hours.is_alive()
    return Struck(ended(hours, tick(world, now)), hit)


def _history(world: World, now: datetime, drawn: Round) -> Struck:
    """A month of history while the tick works; in half of the cases it is cut off."""
    loading = history(world)
    ticking = tick(world, now)
    hit = loading.is_alive() and ticking.is_alive()
    loading.join(4 * drawn.seconds)
    if drawn.hours % 2:
        loading.kill()
    ended(loading)
    return Struck(ended(ticking), hit)


def _kill_profiles(world: World, now: datetime, drawn: Round) -> Struck:
    codes = ended(tick(world, now))
    making = profiles(world, now)
    making.join(4 * drawn.seconds)
    hit = making.is_alive()
    making.kill()
    ended(making)
    return Struck(codes, hit)


def _in_copy(
    then: Callable[[World, ForkServerProcess], object],
) -> Callable[[World, datetime, Round], Struck]:
    def struck(world: World, now: datetime, _: Round) -> Struck:
        with database.held(world):
            process = tick(world, now)
            hit = database.waits_in_copy(world, process)
            if hit:
                then(world, process)
        return Struck(ended(process), hit)

    return struck


# What leaves every run alone: one that fails all the same is a finding.
PEACEFUL: Final = (
    "none",
    "platform off",
    "two ticks",
    "clock step",
    "backfill of hours",
    "history over a tick",
    "kill profiles",
)

_STRIKES: dict[str, Callable[[World, datetime, Round], Struck]] = {
    "none": _plain,
    "platform off": _plain,
    "kill run": _kill_run,
    "kill run in COPY": _in_copy(lambda _, process: process.kill()),
    "cut connections": _cut,
    "cut connection in COPY": _in_copy(lambda world, _: database.terminate(world, database.IN_COPY)),
    "kill postgres": _kill_postgres,
    "kill postgres in COPY": _in_copy(lambda world, _: database.kill_server(world)),
    "two ticks": _two,
    "clock step": _step,
    "migration": _migrate,
    "full disk": _full_disk,
    "backfill of hours": _backfill,
    "history over a tick": _history,
    "kill profiles": _kill_profiles,
}
