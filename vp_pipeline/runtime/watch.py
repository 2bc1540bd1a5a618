"""Watches Dagster's services in one container: `python -IS watch.py NAME=PID...`, the daemon first.

They are its children. When one has ended or this process is told to stop, all end: starting again is the
container engine's. Here belongs nothing but the standard library, since what watches takes memory all day;
`together` begins it.
"""

import os
import signal
import sys
import time
from collections.abc import Iterable

TOLD = {signal.SIGTERM, signal.SIGINT}
LOOKED_AT = {*TOLD, signal.SIGCHLD}
"""Blocked, and waited for in one place."""

# All is over within the ten seconds that container engines wait.
_GRACE_SECONDS = 7.0
# Told to stop together, the daemon would hand a run to a code server that refuses it: seconds it has before.
_FIRST_SECONDS = 2.0
_KILL_SECONDS = 1.0


def main(*children: str) -> int:
    """Wait for the end, and bring it about for all; the exit status."""
    pairs = [child.rsplit("=", 1) for child in children]
    running = {int(pid): name for name, pid in pairs}
    first = next(iter(running))
    status = 0
    while not status and signal.sigwait(LOOKED_AT) not in TOLD:
        for name, how in _ended(running).items():
            print(f"{name} has ended with status {how}: the others end too", flush=True)
            status = 1
    deadline = time.monotonic() + _GRACE_SECONDS
    _tell(signal.SIGTERM, {first} & running.keys())
    _wait(running, {first}, min(deadline, time.monotonic() + _FIRST_SECONDS))
    _tell(signal.SIGTERM, running)
    _wait(running, running, deadline)
    _tell(signal.SIGKILL, running)
    _wait(running, running, deadline + _KILL_SECONDS)
    return status


def _ended(running: dict[int, str]) -> dict[str, int]:
    """Exit status of those that have ended, negative for a signal; they are running no longer."""
    found = {}
    for pid, name in list(running.items()):
        ended, how = os.waitpid(pid, os.WNOHANG)
        if ended:
            del running[pid]
            found[name] = os.waitstatus_to_exitcode(how)
    return found


def _wait(running: dict[int, str], which: Iterable[int], deadline: float) -> None:
    """Until those of `which` have ended, or for so long."""
    waited_for = set(which)
    while True:
        _ended(running)
        left = deadline - time.monotonic()
        if not waited_for & running.keys() or left <= 0:
            return
        signal.sigtimedwait({signal.SIGCHLD}, left)


def _tell(number: signal.Signals, which: Iterable[int]) -> None:
    for pid in which:
        os.kill(pid, number)  # a child that has not been waited for is there


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
