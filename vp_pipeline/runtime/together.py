"""Dagster's services in one container: `python -m vp_pipeline.runtime.together CODE_PORT OPTION...`.

The options are the webserver's. Apart, each holds a copy of what all of them import. Here belongs forking
them from one process, which then becomes `watch`. Outside of containers `platform` and `guard` do both.
"""

import os
import signal
import sys
from datetime import UTC, datetime

from vp_pipeline.runtime import services, watch, zygote


def main(code_port: str, *webserver: str) -> None:
    """Fork the services, and watch them. A fork becomes its service, and returns when that does."""
    zygote.prepare()
    signal.pthread_sigmask(signal.SIG_BLOCK, watch.LOOKED_AT)
    forks: dict[str, int] = {}
    for name, (module, *arguments) in services.dagsters(int(code_port), webserver, datetime.now(UTC)).items():
        forks[name] = os.fork()
        if forks[name] == 0:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, watch.LOOKED_AT)
            zygote.become(zygote.Request(name, module, arguments))
            return
    children = [f"{name}={forks[name]}" for name in (services.DAEMON, services.CODE, services.WEBSERVER)]
    # What this process has imported is its forks' alone from now on.
    command = [sys.executable, "-IS", str(watch.__file__), *children]
    os.execv(sys.executable, command)  # noqa: S606  # our own command


if __name__ == "__main__":
    main(*sys.argv[1:])
