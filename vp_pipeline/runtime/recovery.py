"""Run once before Dagster's services: make its storage, and end runs that were cut off.

A run whose process was killed says so to nobody. The platform starts with no run process alive, so
that every run that claims to be under way has been cut off; queued ones are left to the daemon.
"""

from dagster import DagsterInstance, DagsterRunStatus, RunsFilter

CUT_OFF = [
    DagsterRunStatus.NOT_STARTED,
    DagsterRunStatus.STARTING,
    DagsterRunStatus.STARTED,
    DagsterRunStatus.CANCELING,
]


def end_interrupted_runs(instance: DagsterInstance) -> list[str]:
    """Mark them failed, with the reason; their ids."""
    runs = instance.get_runs(RunsFilter(statuses=CUT_OFF))
    for run in runs:
        instance.report_run_failed(
            run, "The platform was stopped during this run: materialize again what it missed."
        )
    return [run.run_id for run in runs]


if __name__ == "__main__":
    for run_id in end_interrupted_runs(DagsterInstance.get()):
        print(f"ended interrupted run {run_id}")
