"""Runs of the platform's jobs in processes of their own, which may be killed at any instant.

Here belongs what such a process does. It is forked from a server that has imported everything, so that a run
costs what it works and not what it imports.
"""

import asyncio
import itertools
import multiprocessing
import os
import sys
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any, Final
from unittest import mock

from dagster import AssetKey, DagsterInstance, ExecuteInProcessResult

from vp_pipeline.assets import clocks
from vp_pipeline.assets.build import build_defs
from vp_pipeline.exchanges import futures, spot
from vp_pipeline.exchanges.patience import Patience
from vp_pipeline.settings import Settings
from vp_pipeline.storage.io_manager import PostgresIOManager
from vp_pipeline_tests.assets.simulated import MARKETS

GOOD: Final = 0
TOLD: Final = 3
"""Exit code of a run that failed with a message of its own, as when no exchange answers."""

# As patient as a client may be to whom seconds are minutes: what is missed is healed by a later tick.
_IMPATIENT = Patience(attempts=3, timeout_seconds=0.6, pause_seconds=0.01)

_context = multiprocessing.get_context("forkserver")


def prepare() -> None:
    """Have the server import what every run needs."""
    clients = [f"ccxt.async_support.{market.split()[0]}" for market in MARKETS]
    _context.set_forkserver_preload([__name__, "vp_pipeline.exchanges.spot_client", *clients])


def start(
    settings: Settings,
    job: str,
    tags: dict[str, str],
    log: Path,
    only: Sequence[str] = (),
    step: timedelta | None = None,
) -> ForkServerProcess:
    """Start a run of a job, of the assets `only` if any are named (a/b/c); `step`: this machine's clock is
    wrong by so much after the run has looked at it once.
    """
    process = _context.Process(target=_run, args=(settings, job, tags, log, only, step), daemon=True)
    process.start()
    return process


def _run(
    settings: Settings,
    job: str,
    tags: dict[str, str],
    log: Path,
    only: Sequence[str],
    step: timedelta | None,
) -> None:
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(output, 1)
    os.dup2(output, 2)
    _hurry()
    if step is not None:
        _step_clock(step)
    url = settings.database_url.get_secret_value()
    definitions = build_defs(settings, PostgresIOManager(database_url=url))
    with DagsterInstance.ephemeral() as instance:
        result = definitions.resolve_job_def(job).execute_in_process(
            instance=instance,
            tags=tags,
            asset_selection=[AssetKey(name.split("/")) for name in only] or None,
            raise_on_error=False,
        )
    sys.exit(GOOD if result.success else TOLD if _told(result) else 1)


def _hurry() -> None:
    """Requests need not be a second apart where a quarter of an hour takes a second."""
    from ccxt.async_support.base.exchange import Exchange

    async def at_once(*_: Any) -> None:
        await asyncio.sleep(0)

    Exchange.throttle = at_once
    Exchange.timeout_on_exit = 0
    spot.fetch_all = partial(spot.fetch_all, patience=_IMPATIENT)
    impatient = partial(futures.FuturesClient, patience=_IMPATIENT)
    mock.patch.object(futures, "FuturesClient", impatient).start()


def _step_clock(step: timedelta) -> None:
    """The run's own clock, which in the sandbox is that of the exchanges, goes wrong after the first look."""
    true, looks = clocks.now, itertools.count()

    def stepped(settings: Settings) -> datetime:
        return true(settings) + (step if next(looks) else timedelta(0))

    clocks.now = stepped


def _told(result: ExecuteInProcessResult) -> bool:
    """Whether each step that failed did so with a message for people, and not by an accident."""
    failures = [event.step_failure_data for event in result.all_events if event.is_step_failure]
    return bool(failures) and all(failure.user_failure_data is not None for failure in failures)
