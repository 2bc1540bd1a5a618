"""Dagster's queue: one run at a time on this machine, and beside it those that wait for workers."""

from pathlib import Path
from unittest.mock import sentinel

import pytest
from dagster import DagsterInstance, DagsterRun, DagsterRunStatus, SubmitRunContext

# What is Dagster's daemon to choose and to hand on, without the daemon.
from dagster._core.errors import DagsterUserCodeUnreachableError
from dagster._core.launcher import DefaultRunLauncher, LaunchRunContext
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


def test_a_code_server_that_is_away_fails_no_run(
    postgres_server: embedded.EmbeddedPostgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While it is started again, a run that was handed to it goes back into the queue, and waits a moment."""
    asked = []

    def away(_: object, context: LaunchRunContext) -> None:
        asked.append(context.dagster_run.run_id)
        raise DagsterUserCodeUnreachableError("the code server is away")

    monkeypatch.setattr(DefaultRunLauncher, "launch_run", away)
    with instance_on(postgres_server.url("run_queue_away"), tmp_path) as instance:
        queue = instance.run_coordinator
        assert queue is not None
        run = instance.add_run(DagsterRun("any", remote_job_origin=RemoteJobOrigin(REPOSITORY, "any")))
        queue.submit_run(SubmitRunContext(run, sentinel.workspace))
        daemon, workspace = QueuedRunCoordinatorDaemon(interval_seconds=1), sentinel.workspace
        limits = instance.get_concurrency_config()
        for moment in (0, 1, 20):
            daemon._dequeue_run(instance, workspace, run, limits, fixed_iteration_time=moment or 0.1)
        found = instance.get_run_by_id(run.run_id)
    assert found is not None
    assert found.status == DagsterRunStatus.QUEUED
    assert asked == [run.run_id] * 2  # not in the ten seconds after it was away
