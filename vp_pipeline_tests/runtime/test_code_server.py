"""Runs are forked from what the code server has loaded, and otherwise are processes like any other."""

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from vp_pipeline.runtime import fork_server
from vp_pipeline_tests.conftest import REPOSITORY

LOOKS = """\
import gc
import importlib
import os
import signal
import sys
import time

import psutil

from vp_pipeline.runtime import code_server, fork_server
from vp_pipeline.runtime.plain import COLOURS, without_colours

LOADED = "vp_pipeline.definitions"


def look(queue):
    own = psutil.Process()
    colours = [importlib.import_module(name).__name__ for name in COLOURS]
    queue.put([own.name(), own.parent().name(), LOADED in sys.modules, gc.isenabled(), *colours])
    queue.put(gc.get_freeze_count() > 100_000)
    sys.exit(3)


def wait():
    time.sleep(600)


def begin(target, *arguments):
    run = context.Process(target=target, args=arguments)
    run.start()
    return run


if __name__ == "__main__":
    without_colours("dagster._cli")
    code_server.load()
    context = fork_server.split_off()
"""
LOOK = """\
    queue = context.Queue()
    run = begin(look, queue)
    print(*queue.get(timeout=60), queue.get(timeout=60), flush=True)
    run.join()
    print(run.exitcode, flush=True)
"""
KILLED_RUN = """\
    run = begin(wait)
    os.kill(run.pid, signal.SIGKILL)
    run.join()
    print(run.exitcode, flush=True)
"""
KILLED_SERVER = """\
    named = []
    while not named:  # it has just begun
        named = [one for one in psutil.Process().children() if one.name() == fork_server.FORK_SERVER]
    server, = named
    server.kill()
    while server.status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.01)
    queue = context.Queue()
    run = begin(look, queue)
    print(queue.get(timeout=60)[0] == fork_server.RUN, flush=True)
    run.join()
    print(run.exitcode, flush=True)
"""
ORPHANS = """\
    run = begin(wait)
    print(run.pid, psutil.Process(run.pid).ppid(), flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""

# What Python does in a process that a server begins anew.
ANEW = """\
import gc
import runpy

runpy.run_module("vp_pipeline.runtime.code_server", run_name="__mp_main__", alter_sys=True)
print(gc.isenabled())
import vp_pipeline.definitions
print(gc.isenabled(), gc.get_freeze_count() > 100_000)
"""
SERVED = """\
import gc
import sys

from dagster._grpc.server import DagsterApiServer

from vp_pipeline.runtime import code_server, fork_server

class Service:
    def main():
        same = DagsterApiServer.__init__ is before
        print(sys.argv[-4:], gc.isenabled(), same, code_server.MODULE in sys.modules)

before = DagsterApiServer.__init__
code_server.without_colours = lambda module: Service
fork_server.SUPPORTED = False
code_server.main("127.0.0.1", "4000")
"""

forked = pytest.mark.skipif(not fork_server.SUPPORTED, reason="runs are not forked here")


def printed(tmp_path: Path, program: str, status: int = 0) -> list[str]:
    (tmp_path / "probe.py").write_text(program)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("VP_")}
    environment |= {"VP_HOME": str(tmp_path), "PYTHONPATH": f"{tmp_path}{os.pathsep}{REPOSITORY}"}
    environment |= {"VP_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"}
    command = [sys.executable, "-W", "ignore:Parameter", "-m", "probe"]
    output = tmp_path / "printed"
    with output.open("wb") as file:
        done = subprocess.run(command, env=environment, stdout=file, cwd=tmp_path, timeout=200, check=False)
    assert done.returncode == status
    return output.read_text().splitlines()


@forked
def test_a_run_finds_everything_loaded_and_can_import_the_rest(tmp_path: Path) -> None:
    assert printed(tmp_path, LOOKS + LOOK) == ["vp-run vp-fork-server True True rich pygments True", "3"]


@forked
def test_a_run_that_is_killed_is_told_to_its_server(tmp_path: Path) -> None:
    assert printed(tmp_path, LOOKS + KILLED_RUN) == ["-9"]


@forked
def test_without_its_fork_server_a_run_begins_as_any_process_of_pythons(tmp_path: Path) -> None:
    assert printed(tmp_path, LOOKS + KILLED_SERVER) == ["False", "3"]


@forked
def test_a_run_outlives_its_server_and_the_fork_server_waits_for_it(tmp_path: Path) -> None:
    """As before: who ends the platform ends the runs too."""
    (line,) = printed(tmp_path, LOOKS + ORPHANS, status=-9)
    run, server = (psutil.Process(int(pid)) for pid in line.split())
    assert server.name() == fork_server.FORK_SERVER
    run.kill()
    server.wait(10)


def test_a_run_that_is_begun_anew_imports_without_looking_for_garbage(tmp_path: Path) -> None:
    assert printed(tmp_path, ANEW) == ["False", "True True"]


def test_where_nothing_is_forked_dagster_serves_as_it_does_by_itself(tmp_path: Path) -> None:
    (line,) = printed(tmp_path, SERVED)
    assert line == "['-h', '127.0.0.1', '-p', '4000'] True True False"


def test_a_process_with_threads_is_not_split_off(tmp_path: Path) -> None:
    program = (
        "import threading, time\nfrom vp_pipeline.runtime import fork_server\n"
        "threading.Thread(target=time.sleep, args=[1]).start()\n"
        "try:\n    fork_server.split_off()\nexcept RuntimeError as error:\n    print(error)\n"
    )
    assert printed(tmp_path, program) == ["the fork server has to be split off before any thread begins"]
