"""The code server on its own ends what was cut off before it serves."""

import os
import sys
from pathlib import Path

import psycopg
import pytest
from dagster import DagsterRunStatus

from vp_pipeline.runtime import code_service
from vp_pipeline.storage import embedded
from vp_pipeline_tests.upkeep.dagster_home import HOURS, instance_on, run


def test_runs_that_were_cut_off_are_ended_first(
    postgres_server: embedded.EmbeddedPostgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = postgres_server.url("code_service")
    became: list[list[str]] = []
    monkeypatch.setattr(os, "execv", lambda _, command: became.append(command))
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    with instance_on(url, tmp_path) as instance:
        run(instance, "hours", HOURS[0])
        (made,) = instance.get_runs()
        with psycopg.connect(url) as connection:
            connection.execute("UPDATE runs SET status = 'STARTED'")
            connection.execute("UPDATE runs SET run_body = replace(run_body, '\"SUCCESS\"', '\"STARTED\"')")
        code_service.main("127.0.0.1", "4000")
        ended = instance.get_run_by_id(made.run_id)
    assert ended is not None
    assert ended.status == DagsterRunStatus.FAILURE
    (command,) = became
    assert command[0] == sys.executable
    assert command[-4:] == ["-h", "127.0.0.1", "-p", "4000"]
