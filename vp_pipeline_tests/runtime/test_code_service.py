"""The code server on its own settles what was cut off before it serves."""

import os
import sys
from pathlib import Path
from unittest.mock import sentinel

import psycopg
import pytest
from dagster import DagsterInstance, DagsterRun, DagsterRunStatus, SubmitRunContext

# What Dagster's own client puts on every run.
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin

from vp_pipeline.runtime import code_service
from vp_pipeline.runtime.dagster_service import QUEUED_AGAIN
from vp_pipeline.storage import embedded
from vp_pipeline_tests.upkeep.dagster_home import HOURS, instance_on, run

ORIGIN = RemoteJobOrigin(
    RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("vp_pipeline"), "__repository__"), "hours"
)


def serve(monkeypatch: pytest.MonkeyPatch, home: Path) -> list[str]:
    """Start the code server, but for Dagster's own part; the command of that."""
    became: list[list[str]] = []
    monkeypatch.setattr(os, "execv", lambda _, command: became.append(command))
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    code_service.main("127.0.0.1", "4000")
    (command,) = became
    return command


def mark(url: str, run_id: str, status: str) -> None:
    """As Dagster's daemon or the run's process left it."""
    with psycopg.connect(url) as connection:
        connection.execute(
            "UPDATE runs SET status = %(status)s::text,"
            " run_body = (run_body::jsonb || jsonb_build_object('status', jsonb_build_object("
            "'__enum__', 'DagsterRunStatus.' || %(status)s::text)))::text WHERE run_id = %(run_id)s",
            {"status": status, "run_id": run_id},
        )


def status_of(instance: DagsterInstance, run_id: str) -> DagsterRunStatus:
    found = instance.get_run_by_id(run_id)
    assert found is not None
    return found.status


def test_runs_that_were_cut_off_are_ended_first(
    postgres_server: embedded.EmbeddedPostgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = postgres_server.url("code_service")
    with instance_on(url, tmp_path) as instance:
        run(instance, "hours", HOURS[0])
        (made,) = instance.get_runs()
        mark(url, made.run_id, "STARTED")
        assert status_of(instance, made.run_id) == DagsterRunStatus.STARTED
        command = serve(monkeypatch, tmp_path)
        assert status_of(instance, made.run_id) == DagsterRunStatus.FAILURE
    assert command[0] == sys.executable
    assert command[-2:] == ["127.0.0.1", "4000"]


def test_a_run_that_had_not_begun_is_in_the_queue_again_but_not_for_ever(
    postgres_server: embedded.EmbeddedPostgres,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    url = postgres_server.url("code_service_queue")
    with instance_on(url, tmp_path) as instance:
        queue = instance.run_coordinator
        assert queue is not None
        made = instance.add_run(DagsterRun("hours", remote_job_origin=ORIGIN))
        queue.submit_run(SubmitRunContext(made, sentinel.workspace))
        for _ in range(QUEUED_AGAIN):
            mark(url, made.run_id, "STARTING")
            serve(monkeypatch, tmp_path)
            assert capsys.readouterr().out.endswith("is in the queue again\n")
            assert status_of(instance, made.run_id) == DagsterRunStatus.QUEUED
        mark(url, made.run_id, "STARTING")
        serve(monkeypatch, tmp_path)
        assert status_of(instance, made.run_id) == DagsterRunStatus.FAILURE
