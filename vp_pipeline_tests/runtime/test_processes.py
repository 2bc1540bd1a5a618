import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from vp_pipeline.runtime.kin import MARKER, StartError, end_all, processes_of
from vp_pipeline.runtime.processes import Processes, ending

SLEEP = [sys.executable, "-c", "import time; time.sleep(600)"]
# Starts a process of its own, and neither heeds SIGTERM.
STUBBORN = [
    sys.executable,
    "-c",
    "import signal, subprocess, sys; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    " subprocess.Popen([sys.executable, '-c',"
    " 'import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True);"
    " time.sleep(600)']).wait()",
]


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    own = Processes(tmp_path, os.environ)
    yield own
    own.stop()


def test_a_child_has_a_log_and_keeps_the_one_before(processes: Processes) -> None:
    for text in ("first", "second"):
        child = processes.start("talker", [sys.executable, "-c", f"print('{text}')"])
        assert child.process.wait(10) == 0
    assert child.log.read_text() == "second\n"
    assert child.log.with_suffix(".previous.log").read_text() == "first\n"


def test_a_child_that_ends_instead_of_starting_is_named_with_reason_and_log(processes: Processes) -> None:
    processes.start("sleeper", SLEEP)
    child = processes.start("failing", [sys.executable, "-c", "raise SystemExit('port 3000 is taken')"])
    with pytest.raises(StartError) as caught:
        processes.wait({"sleeper": lambda: False})
    assert str(caught.value) == (
        f"failing ended with status 1; the end of its log {child.log}:\nport 3000 is taken"
    )


def test_a_child_that_is_not_ready_in_time_is_named_with_its_log(processes: Processes) -> None:
    child = processes.start("sleeper", SLEEP)
    with pytest.raises(StartError, match=r"not ready after 0 s: sleeper") as caught:
        processes.wait({"sleeper": lambda: False}, seconds=0.1)
    assert str(child.log) in str(caught.value)


def test_waiting_ends_when_all_are_ready(processes: Processes) -> None:
    processes.start("one", SLEEP)
    processes.start("two", SLEEP)
    answers = iter([False, False, True])
    processes.wait({"one": lambda: True, "two": lambda: next(answers)})
    assert next(answers, None) is None


def test_a_signal_that_ended_a_child_is_named(processes: Processes) -> None:
    child = processes.start("sleeper", SLEEP)
    child.process.kill()
    child.process.wait()
    assert ending(child) == "sleeper was ended by SIGKILL"


def test_stopping_ends_grandchildren_too_even_those_that_ignore_it(
    processes: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vp_pipeline.runtime.processes.GRACE_SECONDS", 0.5)
    child = processes.start("stubborn", STUBBORN)
    processes.wait({"stubborn": lambda: child.log.read_text() != ""})
    family = list(processes_of(processes.home))
    assert len(family) == 2
    processes.stop()
    assert list(processes_of(processes.home)) == []
    assert not any(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in family)


@pytest.mark.parametrize("heeds", [True, False])
def test_the_first_is_over_before_the_others_are_told(
    processes: Processes, monkeypatch: pytest.MonkeyPatch, heeds: bool
) -> None:
    monkeypatch.setattr("vp_pipeline.runtime.processes._FIRST_SECONDS", 0.5)
    told = (
        "import signal, sys, time; signal.signal(signal.SIGTERM, lambda *_: "
        "(print(time.monotonic(), flush=True), {}sys.exit()));"
        " print('ready', flush=True); time.sleep(600)"
    )
    other = processes.start("other", [sys.executable, "-c", told.format("")])
    slow = told.format("time.sleep(0.2), print(time.monotonic(), flush=True), ")
    first = processes.start("first", [sys.executable, "-c", slow] if heeds else STUBBORN)
    logs = [other.log, first.log]
    processes.wait({"first": lambda: all(log.read_text() for log in logs)})
    started = time.monotonic()
    processes.stop(first="first")
    (when,) = (float(line) for line in other.log.read_text().splitlines()[1:])
    if heeds:
        assert when > float(first.log.read_text().splitlines()[-1])
    else:
        assert when - started > 0.5
    assert list(processes_of(processes.home)) == []


def test_ending_one_child_ends_what_it_started_and_nothing_else(processes: Processes) -> None:
    other = processes.start("other", SLEEP)
    child = processes.start("stubborn", STUBBORN)
    processes.wait({"stubborn": lambda: child.log.read_text() != ""})
    processes.end("stubborn")
    deadline = time.monotonic() + 5
    while len(list(processes_of(processes.home))) > 1 and time.monotonic() < deadline:
        time.sleep(0.02)
    assert [process.pid for process in processes_of(processes.home)] == [other.process.pid]


def test_a_child_so_young_that_its_mark_cannot_be_read_is_ended_all_the_same(
    processes: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(psutil.Process, "environ", lambda _process: {})
    one, two = processes.start("one", SLEEP), processes.start("two", SLEEP)
    processes.end("one")
    assert not one.alive
    assert two.alive
    processes.stop()
    assert not two.alive


def test_leftovers_of_this_folder_are_ended_and_those_of_another_are_not(tmp_path: Path) -> None:
    homes = [tmp_path / "mine", tmp_path / "theirs"]
    children = [
        subprocess.Popen(SLEEP, env={**os.environ, MARKER: str(home)}, start_new_session=True)
        for home in homes
    ]
    try:
        deadline = time.monotonic() + 10
        while not list(processes_of(homes[0])) and time.monotonic() < deadline:
            time.sleep(0.02)
        end_all(homes[0])
        assert children[0].wait(1) == -15
        assert children[1].poll() is None
    finally:
        for child in children:
            child.kill()
            child.wait()


def test_a_long_log_is_shortened_while_it_is_written(processes: Processes) -> None:
    talk = "import sys, time\nfor i in range(9): print(str(i) * 1000, flush=True); time.sleep(0.02)\n"
    child = processes.start("talker", [sys.executable, "-c", talk + "sys.stdin.read(); print('end')"])
    deadline = time.monotonic() + 10
    while child.log.stat().st_size < 4000 and time.monotonic() < deadline:
        time.sleep(0.01)
    processes.shorten_logs(10**6)
    assert child.log.stat().st_size >= 4000
    processes.shorten_logs(3000)
    assert child.process.wait(10) == 0
    assert child.log.with_suffix(".previous.log").read_text().startswith("000")
    text = child.log.read_text()
    assert text.endswith("end\n")
    assert "\0" not in text
    assert "000" not in text
