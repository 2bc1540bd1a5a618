"""Dagster's services in one container: `python -m vp_pipeline.runtime.together CODE_PORT OPTION...`.

The options are the webserver's. Apart, each holds a copy of what all of them import. Here belongs forking
them from one process and ending all when one has ended: starting again is the container engine's. Outside of
containers `platform` and `guard` do both.
"""

import os
import signal
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from subprocess import TimeoutExpired

from vp_pipeline.runtime import services, zygote
from vp_pipeline.runtime.forked import Forked
from vp_pipeline.runtime.kin import GRACE_SECONDS

_TOLD = {signal.SIGTERM, signal.SIGINT}
_LOOKED_AT = {*_TOLD, signal.SIGCHLD}
# Told to stop together, the daemon would hand a run to a code server that refuses it: seconds it has before.
_DAEMON_SECONDS = 2.0


def main(code_port: str, *webserver: str) -> int:
    """Fork the services, and end them when one has ended or this process is told to; the exit status.

    A fork becomes its service, and returns when that does.
    """
    zygote.prepare()
    # Waited for in one place: a handler would interrupt what a fork does before it is its service.
    signal.pthread_sigmask(signal.SIG_BLOCK, _LOOKED_AT)
    forks: dict[str, Forked] = {}
    for name, (module, *arguments) in services.dagsters(int(code_port), webserver, datetime.now(UTC)).items():
        pid = os.fork()
        if pid == 0:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _LOOKED_AT)
            zygote.become(zygote.Request(name, module, arguments))
            return 0
        forks[name] = Forked()
        forks[name].adopt(pid)
    status = _watch(forks)
    _end(forks)
    return status


def _watch(forks: Mapping[str, Forked]) -> int:
    """Wait until one ends or all are told to stop; the exit status."""
    while signal.sigwait(_LOOKED_AT) not in _TOLD:
        for name, fork in forks.items():
            if fork.poll() is not None:
                print(f"{name} has ended with status {fork.poll()}: the others end too", flush=True)
                return 1
    return 0


def _end(forks: Mapping[str, Forked]) -> None:
    deadline = time.monotonic() + GRACE_SECONDS
    forks[services.DAEMON].terminate()
    with suppress(TimeoutExpired):
        forks[services.DAEMON].wait(_DAEMON_SECONDS)
    for fork in forks.values():
        fork.terminate()
    for fork in forks.values():
        try:
            fork.wait(max(deadline - time.monotonic(), 0))
        except TimeoutExpired:
            fork.kill()
            fork.wait()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
