"""The processes of a platform, however they were started: found by a mark that all of them carry, and ended.

Here belongs what does not need to have started them; starting is in `processes`.
"""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

# Every child carries the folder of its platform here, and so do the processes it starts in turn:
# what a killed supervisor left running is found by it.
MARKER = "VP_CHILD_OF"
# All is over within 10 seconds: this, as much as `_KILL_SECONDS` after it, and the database's stop.
GRACE_SECONDS = 5.0
_KILL_SECONDS = 2.0


class StartError(RuntimeError):
    """A process did not start; the message says which, why and where its log is."""


def end_all(home: Path, grace: float | None = None) -> None:
    """End every process of the platform of this folder, those included that an earlier one left running.

    Those that have not ended by themselves after `grace` seconds are killed.

    Raises:
        StartError: a process does not end.
    """
    grace = GRACE_SECONDS if grace is None else grace
    for number, seconds in ((signal.SIGTERM, grace), (signal.SIGKILL, _KILL_SECONDS)):
        told: set[int] = set()
        deadline = time.monotonic() + seconds
        while found := list(processes_of(home)):
            # Looked for again and again: one of them may just have started another.
            for process in found:
                if process.pid not in told:
                    told.add(process.pid)
                    _send(process, number)
            if time.monotonic() > deadline:
                break
            time.sleep(0.05)
    if found := list(processes_of(home)):
        numbers = ", ".join(str(process.pid) for process in found)
        raise StartError(f"processes {numbers} of the platform on {home} do not end: end them by hand")


def processes_of(home: Path) -> Iterator[psutil.Process]:
    """The running processes that belong to the platform of this folder, however they were started."""
    return (process for process in psutil.process_iter() if child_of(process) == str(home))


def child_of(process: psutil.Process) -> str | None:
    """The folder of the platform that a process belongs to; None if to none, or if it is gone."""
    try:
        return None if process.pid == os.getpid() else process.environ().get(MARKER)
    except psutil.Error:  # gone meanwhile, or somebody else's
        return None


def _send(process: psutil.Process, number: signal.Signals) -> None:
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return  # it ended meanwhile, as it should
