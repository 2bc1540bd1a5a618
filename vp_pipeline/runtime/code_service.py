"""The code server on its own: `python -m vp_pipeline.runtime.code_service HOST PORT`.

Every run is a process beside this server. When it starts anew, as after a power failure, no earlier run can
be alive any more: those that claim to be are settled first, since one that is under way lets no other begin.
Then this process becomes Dagster's server.
"""

import os
import sys
from datetime import UTC, datetime

from dagster import DagsterInstance

from vp_pipeline.runtime.dagster_service import settle_interrupted_runs


def main(host: str, port: str) -> None:
    """Settle the runs that were cut off, then serve."""
    with DagsterInstance.get() as instance:
        for line in settle_interrupted_runs(instance, datetime.now(UTC)):
            print(line, flush=True)
    command = [sys.executable, "-m", "vp_pipeline.runtime.code_server", host, port]
    os.execv(sys.executable, command)  # noqa: S606  # our own command


if __name__ == "__main__":
    main(*sys.argv[1:])
