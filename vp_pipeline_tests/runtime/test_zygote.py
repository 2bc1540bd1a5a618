"""Services forked from one process that has imported Dagster are children like any other."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from vp_pipeline.runtime import zygote
from vp_pipeline.runtime.forked import LOST
from vp_pipeline.runtime.kin import StartError, processes_of
from vp_pipeline.runtime.processes import MODULE, Processes, ending

pytestmark = pytest.mark.skipif(not zygote.SUPPORTED, reason="nothing is forked here")

NAMES = frozenset({"one", "two"})
SERVICE = """\
import sys
import time

print("dagster._grpc.server" in sys.modules, sys.argv[1:], __name__, flush=True)
if "fail" in sys.argv:
    raise ValueError("no luck")
if "leave" in sys.argv:
    sys.exit(3)
time.sleep(600)
"""


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    (tmp_path / "service.py").write_text(SERVICE)
    own = Processes(tmp_path, {**os.environ, "PYTHONPATH": str(tmp_path)})
    yield own
    own.stop()
    assert list(processes_of(tmp_path)) == []


def waited_for(condition: Callable[[], object], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_services_find_imported_what_they_would_import(processes: Processes) -> None:
    with processes.sharing(NAMES):
        one = processes.start("one", [*MODULE, "service", "first"])
        other = processes.start("other", [*MODULE, "service", "alone"])
        two = processes.start("two", [*MODULE, "service", "second"])
    children = (one, other, two)
    waited_for(lambda: all(child.log.read_text() for child in children))
    assert one.log.read_text() == "True ['first'] __main__\n"
    assert two.log.read_text() == "True ['second'] __main__\n"
    assert other.log.read_text() == "False ['alone'] __main__\n"
    for child in children:
        process = psutil.Process(child.process.pid)
        assert process.ppid() == os.getpid()
        assert os.getsid(process.pid) == process.pid
        # Nothing of the zygote's or of its brothers': input and log alone.
        assert {file.path for file in process.open_files()} <= {"/dev/null", str(child.log)}
        assert process.net_connections("unix") == []
    assert psutil.Process(one.process.pid).cmdline()[0] == "vp one"
    # The zygote is gone.
    assert {process.pid for process in processes_of(processes.home)} == {c.process.pid for c in children}


@pytest.mark.parametrize(
    ("word", "said"), [("leave", "one ended with status 3"), ("fail", "one ended with status 1")]
)
def test_a_service_that_ends_is_told_with_its_status_and_log(
    processes: Processes, word: str, said: str
) -> None:
    with processes.sharing(NAMES):
        child = processes.start("one", [*MODULE, "service", word])
    with pytest.raises(StartError) as caught:
        processes.wait({"one": lambda: False})
    assert said in str(caught.value)
    assert ("ValueError: no luck" in str(caught.value)) == (word == "fail")
    assert child.process.wait() == (3 if word == "leave" else 1)


def test_a_service_that_is_killed_is_named_and_can_be_started_again(processes: Processes) -> None:
    with processes.sharing(NAMES):
        child = processes.start("one", [*MODULE, "service", "first"])
    waited_for(child.log.read_text)
    with pytest.raises(subprocess.TimeoutExpired):
        child.process.wait(0.05)
    child.process.kill()
    child.process.wait()
    assert ending(child) == "one was ended by SIGKILL"
    assert not psutil.pid_exists(child.process.pid or 0)  # nor is it a zombie
    with processes.sharing(NAMES):
        again = processes.start("one", [*MODULE, "service", "second"])
    waited_for(lambda: "second" in again.log.read_text())
    assert again.log.with_suffix(".previous.log").read_text() == "True ['first'] __main__\n"


def test_what_others_leave_behind_is_not_this_processs(processes: Processes) -> None:
    with processes.sharing(NAMES):
        processes.start("one", [*MODULE, "service"])
    program = "import subprocess; print(subprocess.Popen(['sleep', '600'], stdout=subprocess.DEVNULL).pid)"
    left = psutil.Process(int(subprocess.check_output([sys.executable, "-c", program])))
    try:
        assert left.ppid() != os.getpid()
    finally:
        left.kill()


def test_a_zygote_that_ends_early_is_told_with_its_log(processes: Processes) -> None:
    (Path(processes.home) / "setproctitle.py").write_text("raise ImportError('not this time')")

    def start() -> None:
        with processes.sharing(NAMES):
            processes.start("one", [*MODULE, "service"])
            waited_for(lambda: not list(processes_of(processes.home)))
            processes.start("two", [*MODULE, "service"])

    with pytest.raises(StartError) as caught:
        start()
    log = processes.home / "logs" / "zygote.log"
    assert f"the zygote ended early; the end of its log {log}:\n" in str(caught.value)
    assert str(caught.value).endswith("ImportError: not this time")
    for name in NAMES:
        child = processes.children[name]
        assert child.process.pid is None
        assert ending(child) == f"{name} ended with status {LOST}"
        processes.end(name)


def test_stopping_does_not_wait_for_a_zygote_that_still_imports(processes: Processes) -> None:
    started = time.monotonic()
    with suppress(KeyboardInterrupt), processes.sharing(NAMES):
        child = processes.start("one", [*MODULE, "service"])
        raise KeyboardInterrupt
    processes.stop(first="one")
    assert time.monotonic() - started < 2
    assert child.log.read_text() == ""
