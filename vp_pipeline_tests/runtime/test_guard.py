import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest

from vp_pipeline.runtime import guard as guards
from vp_pipeline.runtime import services, zygote
from vp_pipeline.runtime.guard import Guard
from vp_pipeline.runtime.kin import StartError
from vp_pipeline.runtime.processes import MODULE, Processes
from vp_pipeline.storage import embedded
from vp_pipeline.storage.embedded import EmbeddedPostgres

SLEEP = [*MODULE, "sleeper"]
NAMES = (services.SANDBOX, services.CODE, services.WEBSERVER, services.SITE, services.DAEMON)


class Watched:
    """Processes that do nothing, a stand-in for a database server, and what the guard told."""

    def __init__(self, home: Path) -> None:
        self.told: list[str] = []
        self.moments: list[datetime] = []
        self.commands = dict.fromkeys(NAMES, SLEEP)
        (home / "sleeper.py").write_text("import time\n\ntime.sleep(600)\n")
        self.processes = Processes(home, {**os.environ, "PYTHONPATH": str(home)})
        for name, command in self.commands.items():
            self.processes.start(name, command)
        data = home / "postgres" / "data"
        data.mkdir(parents=True)
        self._data = data
        self.serve()
        self.guard = Guard(
            self.processes, EmbeddedPostgres(home / "postgres", data), self.commands_at, self.told.append
        )

    def serve(self, _folder: Path | None = None) -> None:
        """Start what stands in for the database server."""
        command = ["postgres", "-c", "import time; time.sleep(600)", str(self._data)]
        self.server = subprocess.Popen(command, executable=sys.executable)
        # Where processors are short, the system tells the command line only some time after the start.
        until(lambda: bool(psutil.Process(self.server.pid).cmdline()))
        (self._data / "postmaster.pid").write_text(f"{self.server.pid}\n")

    def stop(self) -> None:
        self.guard.stop()
        self.processes.stop()
        self.server.kill()
        self.server.wait()

    def commands_at(self, moment: datetime) -> dict[str, list[str]]:
        self.moments.append(moment)
        return self.commands

    def pids(self) -> dict[str, int | None]:
        return {name: child.process.pid for name, child in self.processes.children.items()}


@pytest.fixture
def watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watched]:
    monkeypatch.setattr(guards, "DELAYS", (0, 0.05))
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    own = Watched(tmp_path)
    own.guard.start()
    yield own
    own.stop()
    for number, handler in before.items():
        signal.signal(number, handler)


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize(
    ("name", "along"),
    [
        (services.SITE, ()),
        (services.WEBSERVER, ()),
        (services.DAEMON, ()),
        (services.CODE, (services.DAEMON,)),
        (services.SANDBOX, (services.CODE, services.DAEMON)),
    ],
)
def test_a_process_that_ends_is_told_once_and_starts_again(
    watched: Watched, name: str, along: tuple[str, ...]
) -> None:
    before, started = watched.pids(), datetime.now(UTC)
    watched.processes.children[name].process.kill()
    until(lambda: watched.guard.mended == 1 and len(watched.moments) > 0)
    until(lambda: watched.pids()[name] not in (None, before[name]))
    until(lambda: all(child.alive and child.process.pid for child in watched.processes.children.values()))
    after = watched.pids()
    assert {other for other in after if after[other] != before[other]} == {name, *along}
    log = watched.processes.home / "logs" / f"{name}.previous.log"
    time.sleep(1.2)  # one more look, which must find nothing
    assert watched.told == [f"{name} was ended by SIGKILL: starting it again; its log was {log}"]
    # Runs are cut off by the end of the code server, and by nothing less.
    assert (watched.moments[-1] > started) == (services.CODE in {name, *along})


def test_the_database_server_takes_along_what_is_connected_to_it(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "start", watched.serve)
    before, ended = watched.pids(), watched.server
    ended.kill()
    until(lambda: watched.guard.mended == 1)
    until(lambda: all(child.alive and child.process.pid for child in watched.processes.children.values()))
    until(lambda: {name for name, pid in watched.pids().items() if pid != before[name]} == {*NAMES[1:]})
    time.sleep(1.2)  # one more look, which must find nothing
    log = watched.processes.home / "postgres" / "postgres.log"
    assert watched.told == [f"{guards.POSTGRES} has ended: starting it again; its log was {log}"]
    ended.wait()


def test_a_process_that_ends_again_and_again_is_given_up(watched: Watched) -> None:
    watched.commands[services.SITE] = [sys.executable, "-c", "raise SystemExit(3)"]
    watched.processes.children[services.SITE].process.kill()
    until(lambda: len(watched.told) == 3)
    assert "site ended with status 3: starting it again in 0.05 s" in watched.told[1]
    assert "site ended with status 3, after 2 new starts: given up" in watched.told[2]
    until(lambda: not watched.guard._thread.is_alive())
    with pytest.raises(StartError, match="given up"):
        watched.guard.check()


@pytest.mark.skipif(not zygote.SUPPORTED, reason="nothing is forked here")
def test_a_service_that_cannot_be_forked_is_told_and_tried_again(watched: Watched) -> None:
    broken = watched.processes.home / "setproctitle.py"
    broken.write_text("raise ImportError('not this time')")
    watched.processes.children[services.WEBSERVER].process.kill()
    until(lambda: len(watched.told) == 2)
    assert watched.told[1].startswith("the zygote ended early")
    assert watched.told[1].endswith("ImportError: not this time")
    broken.unlink()
    until(lambda: watched.guard.mended == 2)
    until(lambda: bool(watched.processes.children[services.WEBSERVER].process.pid))
    time.sleep(1.2)  # one more look, which must find nothing
    assert watched.processes.children[services.WEBSERVER].alive
    assert len(watched.told) == 3


def test_nothing_starts_again_once_the_guard_is_stopped(watched: Watched) -> None:
    watched.guard.check()
    watched.guard.stop()
    watched.processes.children[services.SITE].process.kill()
    watched.processes.children[services.SITE].process.wait()
    time.sleep(1.2)
    assert not watched.processes.children[services.SITE].alive
    assert watched.told == []
