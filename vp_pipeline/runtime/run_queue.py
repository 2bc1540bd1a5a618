"""Dagster's run queue, which knows where a run's work is done.

Here belongs the tag by which `dagster.yaml` counts: one run at a time on the platform's machine, and beside
it those that only wait for workers. Jobs bring the tag along; a run that a person put together has none.
"""

from dagster import DagsterRun, QueuedRunCoordinator, SubmitRunContext

from vp_pipeline.assets.keys import PLACE, PLATFORM


class RunQueue(QueuedRunCoordinator):
    """Runs without a place are the platform's."""

    def submit_run(self, context: SubmitRunContext) -> DagsterRun:
        """Put a run into the queue."""
        run = context.dagster_run
        if PLACE not in run.tags:
            self._instance.add_run_tags(run.run_id, {PLACE: PLATFORM})
        return super().submit_run(context)
