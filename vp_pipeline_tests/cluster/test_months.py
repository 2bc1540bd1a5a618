"""Months of history over workers: the same as in one process, whatever happens to workers and Redis."""

import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import psutil
import pytest
from dagster import DagsterInstance

from vp_pipeline.assets.build import build_defs
from vp_pipeline.assets.keys import HISTORY_JOB, MONTH_FORMAT, range_tags
from vp_pipeline.storage import embedded
from vp_pipeline.storage.io_manager import PostgresIOManager
from vp_pipeline.windows import MINUTE
from vp_pipeline_tests.assets import recordings
from vp_pipeline_tests.assets.histories import month, settings_of
from vp_pipeline_tests.cluster.machines import (
    MARKETS,
    PASSWORD,
    Cluster,
    RedisServer,
    cluster,
    kill,
    make_database,
    until,
)
from vp_pipeline_tests.dumps import dump

FIRST, SECOND = month(2024, 11), month(2024, 12)
_numbers = count(1)


@pytest.fixture(scope="module")
def alone(
    postgres_server: embedded.EmbeddedPostgres, sandbox: str, tmp_path_factory: pytest.TempPathFactory
) -> list[dict[str, bytes]]:
    """The tables after the first month and after both, loaded by this process."""
    url = postgres_server.url("alone")
    make_database(url)
    settings = settings_of(tmp_path_factory.mktemp("alone"), url, sandbox, MARKETS)
    job = build_defs(settings, PostgresIOManager(database_url=url)).resolve_job_def(HISTORY_JOB)
    found = []
    for window in (FIRST, SECOND):
        with DagsterInstance.ephemeral() as instance:
            job.execute_in_process(
                instance=instance, tags=range_tags(window.start, window.start, MONTH_FORMAT)
            )
        found.append(tables(url))
    return found


@pytest.fixture
def shared(
    postgres_server: embedded.EmbeddedPostgres, sandbox: str, redis_server: RedisServer, tmp_path: Path
) -> Iterator[Cluster]:
    name = f"cluster_{next(_numbers)}"
    # So slow that a month takes long enough for something to happen meanwhile.
    recordings.put(sandbox, "faults", {"faults": [{"exchange": "kucoin", "kind": "delay", "seconds": 0.5}]})
    with cluster(postgres_server, name, tmp_path, sandbox, redis_server.url) as found:
        yield found
    recordings.put(sandbox, "faults", {"faults": []})
    for log in tmp_path.glob("*.log"):
        assert PASSWORD not in log.read_text(), log


def tables(url: str) -> dict[str, bytes]:
    """All of them, but for the times at which files were loaded."""
    return dump(url, "archive_file")


def test_a_worker_killed_in_the_middle_costs_nothing_but_time(
    shared: Cluster, alone: list[dict[str, bytes]]
) -> None:
    one, _ = shared.worker("one"), shared.worker("two")
    runs = {window: shared.run(window) for window in (FIRST, SECOND)}
    until(lambda: all(shared.rows(window) > 0 for window in runs))
    kill(one)
    before = {window: shared.rows(window) for window in runs}
    assert any(0 < rows < window.count(MINUTE) for window, rows in before.items())
    for run in runs.values():
        run.succeed()
    lost = "the step was lost, as no worker has said for 10 s that it has it"
    assert sorted(lost in run.said for run in runs.values()) == [False, True]
    assert tables(shared.url) == alone[1]


def test_redis_cut_and_given_back_empty_and_a_process_killed(
    shared: Cluster, redis_server: RedisServer, alone: list[dict[str, bytes]]
) -> None:
    run = shared.run(FIRST)
    until(lambda: "no worker answers: start one with `vp worker`" in run.said)
    worker = shared.worker("one")
    until(lambda: shared.rows(FIRST) > 0)
    (child,) = psutil.Process(worker.process.pid).children()
    child.kill()
    until(lambda: "the step was lost, as its worker says: Worker exited prematurely" in run.said)
    redis_server.cut()
    until(lambda: "Redis is out of reach" in run.said)
    time.sleep(1)
    redis_server.start()
    run.succeed()
    assert tables(shared.url) == alone[0]
