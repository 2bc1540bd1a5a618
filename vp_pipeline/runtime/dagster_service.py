"""Dagster's webserver and daemon as the platform starts them: imported while the code server still loads.

`python -m vp_pipeline.runtime.dagster_service CODE_PORT MODULE ARGUMENT...` imports the module, waits
for the code server and calls the module's `main`. With `--end-runs-before MOMENT` ahead of CODE_PORT it
first ends the runs that were cut off: a run whose process was killed says so to nobody. The platform
names a moment before which no run process that still lives was started. Queued runs are left to the daemon.
"""

import sys
import time
from datetime import datetime

from dagster import DagsterInstance, DagsterRunStatus, RunsFilter

from vp_pipeline.runtime.plain import without_colours
from vp_pipeline.runtime.ports import listens

CUT_OFF = [
    DagsterRunStatus.NOT_STARTED,
    DagsterRunStatus.STARTING,
    DagsterRunStatus.STARTED,
    DagsterRunStatus.CANCELING,
]
END_RUNS = "--end-runs-before"
PATIENCE_SECONDS = 120


def end_interrupted_runs(instance: DagsterInstance, before: datetime) -> list[str]:
    """Mark runs failed that were made before this moment and claim to be under way; their ids."""
    runs = instance.get_runs(RunsFilter(statuses=CUT_OFF, created_before=before))
    for run in runs:
        instance.report_run_failed(
            run, "The platform was stopped during this run: materialize again what it missed."
        )
    return [run.run_id for run in runs]


def main(arguments: list[str]) -> None:
    """Become the service once the code server listens."""
    before = None
    if arguments[0] == END_RUNS:
        before, arguments = datetime.fromisoformat(arguments[1]), arguments[2:]
    port, module, *own = arguments
    service = without_colours(module)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not listens(int(port)):
        if time.monotonic() > deadline:
            sys.exit(f"the code server does not listen on port {port} after {PATIENCE_SECONDS} s")
        time.sleep(0.05)
    if before is not None:
        with DagsterInstance.get() as instance:
            for run_id in end_interrupted_runs(instance, before):
                print(f"ended interrupted run {run_id}", flush=True)
    sys.argv = [module, *own]
    service.main()


if __name__ == "__main__":
    main(sys.argv[1:])
