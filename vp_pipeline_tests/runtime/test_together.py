"""Dagster's services in one container: forked from one process, which ends them together."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
import requests

from vp_pipeline.runtime import ports, services, zygote
from vp_pipeline.storage import embedded, migrate
from vp_pipeline_tests.conftest import REPOSITORY

pytestmark = pytest.mark.skipif(not zygote.SUPPORTED, reason="nothing is forked here")

TITLES = {f"vp {name}" for name in services.DAGSTERS}
STOP_SECONDS = 10
# Services that do nothing; those that are deaf do not hear that they shall end.
SLEEPERS = """\
import sys

from vp_pipeline.runtime import services, zygote

names = (services.CODE, services.WEBSERVER, services.DAEMON)
services.dagsters = lambda port, options, moment: {name: ["sleeper", name, *options] for name in names}
zygote.import_shared = lambda: None
from vp_pipeline.runtime import together

together.main(*sys.argv[1:])
"""
SLEEPER = """\
import os
import signal
import sys
import time

if "deaf" in sys.argv:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
kept = sorted(signal.pthread_sigmask(signal.SIG_BLOCK, ()))
os.write(1, " ".join([sys.argv[1], *map(str, kept)]).encode() + b"\\n")  # at once: three write to one file
time.sleep(600)
"""


@contextmanager
def started(
    command: Sequence[str], variables: dict[str, str], log: Path
) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, *command],
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **variables},
            start_new_session=True,
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            for one in psutil.Process(process.pid).children(recursive=True):
                one.kill()
            process.kill()
            process.wait()


def until(condition: Callable[[], bool], log: Path, seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.05)


def forks(process: "subprocess.Popen[bytes]") -> dict[str, psutil.Process]:
    """By title."""
    return {one.cmdline()[0]: one for one in psutil.Process(process.pid).children() if one.cmdline()}


@contextmanager
def sleepers(folder: Path, *options: str) -> Iterator[tuple["subprocess.Popen[bytes]", Path]]:
    (folder / "sleeper.py").write_text(SLEEPER)
    (folder / "start.py").write_text(SLEEPERS)
    log = folder / "log"
    variables = {"PYTHONPATH": f"{folder}:{REPOSITORY}"}
    with started([str(folder / "start.py"), "1", *options], variables, log) as process:
        until(lambda: len(log.read_text().splitlines()) == len(TITLES), log)
        yield process, log


@pytest.mark.parametrize("name", sorted(services.DAGSTERS))
def test_when_one_has_ended_all_end(tmp_path: Path, name: str) -> None:
    with sleepers(tmp_path) as (process, log):
        assert set(log.read_text().splitlines()) == services.DAGSTERS, "no signal is kept from a fork"
        own = forks(process)
        assert own.keys() == TITLES
        own[f"vp {name}"].kill()
        assert process.wait(STOP_SECONDS) == 1
        assert f"{name} has ended with status -9" in log.read_text()
        assert not any(one.is_running() for one in own.values())


@pytest.mark.parametrize("options", [(), ("deaf",)])
def test_told_to_stop_all_end_in_time(tmp_path: Path, options: tuple[str, ...]) -> None:
    with sleepers(tmp_path, *options) as (process, _):
        own = forks(process)
        process.send_signal(signal.SIGTERM)
        assert process.wait(STOP_SECONDS) == 0
        assert not any(one.is_running() for one in own.values())


def test_dagsters_own_services_answer_and_share_what_they_import(
    postgres_server: embedded.EmbeddedPostgres, database_url: str, tmp_path: Path
) -> None:
    migrate.create_database(postgres_server.url("together"))
    home = tmp_path / "dagster"
    home.mkdir()
    (home / "dagster.yaml").write_text((REPOSITORY / "dagster.yaml").read_text())
    with ports.taken() as take:
        code, web = take(0), take(0)
        variables = {
            "DAGSTER_HOME": str(home),
            "VP_CODE_HOST": "127.0.0.1",
            "VP_CODE_PORT": str(code),
            "VP_DATABASE_URL": database_url,
            "VP_DAGSTER_DATABASE_URL": postgres_server.url("together").replace("://", "+psycopg2://", 1),
            "VP_HOME": str(tmp_path),
        }
        command = ["-m", "vp_pipeline.runtime.together", str(code), "-h", "127.0.0.1", "-p", str(web)]
        log = tmp_path / "log"
        with started([*command, "--path-prefix", "/dagster"], variables, log) as process:
            until(lambda: ports.listens(web) or process.poll() is not None, log)
            assert requests.get(f"http://127.0.0.1:{web}/dagster/server_info", timeout=30).status_code == 200
            healthy = [sys.executable, str(REPOSITORY / "docker" / "healthy.py"), f"127.0.0.1:{code}"]
            healthy += [f"http://127.0.0.1:{web}/dagster/server_info", "--daemon"]

            def well() -> bool:
                done = subprocess.run(
                    healthy, check=False, capture_output=True, env={**os.environ, **variables}
                )
                return done.returncode == 0

            until(well, log)
            own = forks(process)
            assert own.keys() == TITLES
            parts = [one.memory_full_info() for one in own.values()]
            assert sum(one.pss for one in parts) < 0.85 * sum(one.rss for one in parts)
            process.send_signal(signal.SIGTERM)
            assert process.wait(STOP_SECONDS) == 0, log.read_text()
