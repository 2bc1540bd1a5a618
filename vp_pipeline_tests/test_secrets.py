"""A password in an address stays where it was set: not in what a program prints, nor in any process list."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import requests
from click.testing import CliRunner

from vp_pipeline.cli import main

SECRET = "hunter2-and-more"
# Nobody listens there: everything that can go wrong with an address goes wrong.
NOWHERE = f"postgresql://vp:{SECRET}@127.0.0.1:1/vp"


def environment(home: Path) -> dict[str, str]:
    return {
        **os.environ,
        "VP_DATABASE_URL": NOWHERE,
        "VP_DAGSTER_DATABASE_URL": NOWHERE,
        "VP_ALERT_WEBHOOK": f"https://hooks.example.org/{SECRET}",
        "VP_WRITER_PASSWORD": SECRET,
        "VP_READER_PASSWORD": f"{SECRET}2",
        "VP_HOME": str(home),
        "VP_POLL_SECONDS": "5",
    }


COMMANDS = [
    ("status",),
    ("doctor",),
    ("backup", "--out", "b.tar"),
    ("migrate",),
    ("export", "--market", "kraken BTC/USD", "--out", "c.csv"),
    ("poll",),
]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_no_command_tells_it(command: tuple[str, ...], tmp_path: Path) -> None:
    text = said(command, tmp_path, environment(tmp_path))
    assert text.strip(), "it says something"


WITH_A_DRIVER = f"postgresql+psycopg2://vp:{SECRET}@127.0.0.1:1/vp"
WITH_A_PERCENT_SIGN = f"postgresql://vp:{SECRET}%@127.0.0.1:1/vp"


@pytest.mark.parametrize("wrong", [WITH_A_DRIVER, WITH_A_PERCENT_SIGN], ids=["driver", "percent"])
@pytest.mark.parametrize(
    "command", [*COMMANDS, ("site", "--port", "0"), ("worker",)], ids=lambda command: command[0]
)
def test_no_command_tells_an_address_that_is_written_wrongly(
    command: tuple[str, ...], wrong: str, tmp_path: Path
) -> None:
    """Who cannot read an address likes to quote it."""
    text = said(command, tmp_path, {**environment(tmp_path), "VP_DATABASE_URL": wrong})
    assert "Traceback" not in text
    assert ("VP_DATABASE_URL: Value error, must be an address" in text) == (wrong == WITH_A_PERCENT_SIGN)


@pytest.mark.parametrize("command", [("backup",), ("migrate",), ("poll",)], ids=lambda command: command[0])
def test_nor_that_of_dagsters_database(command: tuple[str, ...], tmp_path: Path) -> None:
    variables = {**environment(tmp_path), "VP_DAGSTER_DATABASE_URL": WITH_A_PERCENT_SIGN}
    text = said(command, tmp_path, variables)
    assert "Traceback" not in text
    assert "VP_DAGSTER_DATABASE_URL: Value error, must be an address" in text


@pytest.mark.parametrize("name", ["--url", "--dagster-url"])
def test_nor_does_a_restore(name: str, tmp_path: Path) -> None:
    (tmp_path / "x.tar").touch()
    other = () if name == "--url" else ("--url", "postgresql://127.0.0.1:1/vp")
    result = CliRunner().invoke(main, ["restore", str(tmp_path / "x.tar"), name, WITH_A_PERCENT_SIGN, *other])
    assert result.exit_code == 2
    assert "must be an address of Postgres" in result.output
    assert SECRET not in result.output


def said(command: tuple[str, ...], folder: Path, variables: dict[str, str]) -> str:
    """What a command prints in its first seconds, if neither that nor anything it leaves has the password."""
    log = folder / "log"
    with log.open("w") as output:
        running = subprocess.Popen(
            [sys.executable, "-m", "vp_pipeline.cli", *command],
            env=variables,
            cwd=folder,
            stdout=output,
            stderr=output,
        )
    try:
        deadline = time.monotonic() + 8
        while running.poll() is None and time.monotonic() < deadline:
            for process in [psutil.Process(running.pid), *psutil.Process(running.pid).children(True)]:
                assert SECRET not in " ".join(process.cmdline())
            time.sleep(0.1)
    except psutil.NoSuchProcess:
        pass  # it ended meanwhile
    finally:
        running.terminate()
        running.wait(20)
    text = log.read_text()
    assert SECRET not in text
    for file in folder.rglob("*"):
        assert file.is_dir() or SECRET.encode() not in file.read_bytes(), file
    return text


def test_the_site_tells_it_to_nobody(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = tmp_path / "log"
    with log.open("w") as output:
        command = [sys.executable, "-m", "vp_pipeline.cli", "site", "--port", str(port)]
        running = subprocess.Popen(command, env=environment(tmp_path), stdout=output, stderr=output)
    try:
        deadline = time.monotonic() + 30
        while "startup complete" not in log.read_text() and time.monotonic() < deadline:
            time.sleep(0.1)
        for path in ("/healthz", "/", "/api/v1/status", "/metrics"):
            answer = requests.get(f"http://127.0.0.1:{port}{path}", timeout=20)
            assert answer.status_code in (200, 503), path
            assert SECRET not in answer.text + str(answer.headers)
    finally:
        running.terminate()
        running.wait(20)
    assert "the database does not answer" in log.read_text()
    assert SECRET not in log.read_text()
