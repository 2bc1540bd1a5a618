"""Dagster's queue: one run at a time on this machine, and beside it those that wait for workers."""

from pathlib import Path
from unittest.mock import sentinel

from dagster import DagsterInstance, DagsterRun, SubmitRunContext

# The choice of Dagster's daemon, without the daemon.
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin
from dagster._daemon.run_coordinator.queued_run_coordinator_daemon import QueuedRunCoordinatorDaemon

from vp_pipeline.assets.build import build_defs
from vp_pipeline.assets.keys import HISTORY_JOB, HISTORY_KLINES_JOB, TICK_JOB
from vp_pipeline.settings import Settings
from vp_pipeline.storage import embedded
from vp_pipeline.storage.io_manager import PostgresIOManager
from vp_pipeline_tests.assets.test_schedules import SHIPPED
from vp_pipeline_tests.upkeep.dagster_home import instance_on

BROKER = "redis://127.0.0.1:1/0"
REPOSITORY = RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("vp_pipeline"), "__repository__")


def tags_of(job: str, broker: str | None = None) -> dict[str, str]:
    """What a job's runs have on them."""
    settings = Settings.model_validate({**SHIPPED, "broker_url": broker})
    definitions = build_defs(settings, PostgresIOManager(database_url="unused"))
    return dict(definitions.resolve_job_def(job).tags)


def chosen(instance: DagsterInstance, *jobs: dict[str, str]) -> list[int]:
    """Which of the runs with these tags, submitted in this order, would be started at once."""
    queue = instance.run_coordinator
    assert queue is not None
    numbers = {}
    for number, tags in enumerate(jobs):
        run = instance.add_run(
            DagsterRun("any", tags=tags, remote_job_origin=RemoteJobOrigin(REPOSITORY, "any"))
        )
        queue.submit_run(SubmitRunContext(run, sentinel.workspace))
        numbers[run.run_id] = number
    daemon = QueuedRunCoordinatorDaemon(interval_seconds=1)
    runs = daemon._get_runs_to_dequeue(instance, instance.get_concurrency_config(), None)
    for run_id in numbers:
        instance.delete_run(run_id)
    return sorted(numbers[run.run_id] for run in runs)


def test_months_that_workers_load_stand_beside_one_run_of_this_machine(
    postgres_server: embedded.EmbeddedPostgres, tmp_path: Path
) -> None:
    by_hand: dict[str, str] = {}
    tick, here, there = tags_of(TICK_JOB), tags_of(HISTORY_JOB), tags_of(HISTORY_JOB, BROKER)
    assert there == tags_of(HISTORY_KLINES_JOB, BROKER)
    with instance_on(postgres_server.url("run_queue"), tmp_path) as instance:
        assert chosen(instance, tick, here, by_hand) == [0]
        assert chosen(instance, by_hand, tick) == [0]
        assert chosen(instance, there, tick, there, by_hand, there) == [0, 1, 2, 4]
        assert chosen(instance, *[there] * 20) == list(range(16))
