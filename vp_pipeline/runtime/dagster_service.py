"""Dagster's webserver and daemon as the platform starts them: imported while the code server still loads.

`python -m vp_pipeline.runtime.dagster_service CODE_PORT MODULE ARGUMENT...` imports the module, waits
for the code server and calls the module's `main`. With `--end-runs-before MOMENT` ahead of CODE_PORT it
first looks after the runs that were cut off: a run whose process was killed says so to nobody. The platform
names a moment before which no run process that still lives was started. Queued runs are left to the daemon.
"""

import sys
import time
from datetime import datetime

from dagster import (
    DagsterEvent,
    DagsterEventType,
    DagsterInstance,
    DagsterRun,
    DagsterRunStatus,
    RunsFilter,
)

from vp_pipeline.runtime.plain import command
from vp_pipeline.runtime.ports import listens

NOT_BEGUN = (DagsterRunStatus.NOT_STARTED, DagsterRunStatus.STARTING)
CUT_OFF = [*NOT_BEGUN, DagsterRunStatus.STARTED, DagsterRunStatus.CANCELING]
# A run may be what ends the platform: so often it goes back into the queue, and no more.
QUEUED_AGAIN = 3
END_RUNS = "--end-runs-before"
PATIENCE_SECONDS = 120


def settle_interrupted_runs(instance: DagsterInstance, before: datetime) -> list[str]:
    """Settle what was made before this moment and claims to be under way; a line for each run.

    A run that had not begun goes back into the queue, and any other is marked failed.
    """
    told = []
    for run in instance.get_runs(RunsFilter(statuses=CUT_OFF, created_before=before)):
        if run.status in NOT_BEGUN and run.remote_job_origin and _queued(instance, run) <= QUEUED_AGAIN:
            instance.report_dagster_event(DagsterEvent.job_enqueue(run), run.run_id)
            told.append(f"run {run.run_id} had not begun and is in the queue again")
        else:
            instance.report_run_failed(
                run, "The platform was stopped during this run: materialize again what it missed."
            )
            told.append(f"run {run.run_id} was interrupted and is ended")
    return told


def _queued(instance: DagsterInstance, run: DagsterRun) -> int:
    """How often a run was put into the queue."""
    return len(instance.get_records_for_run(run.run_id, of_type=DagsterEventType.RUN_ENQUEUED).records)


def main(arguments: list[str]) -> None:
    """Become the service once the code server listens."""
    before = None
    if arguments[0] == END_RUNS:
        before, arguments = datetime.fromisoformat(arguments[1]), arguments[2:]
    port, module, *own = arguments
    service = command(module)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not listens(int(port)):
        if time.monotonic() > deadline:
            sys.exit(f"the code server does not listen on port {port} after {PATIENCE_SECONDS} s")
        time.sleep(0.05)
    if before is not None:
        with DagsterInstance.get() as instance:
            for line in settle_interrupted_runs(instance, before):
                print(line, flush=True)
    sys.argv = [module, *own]
    service.main()


if __name__ == "__main__":
    main(sys.argv[1:])
