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


@pytest.mark.parametrize(
    "command",
    [
        ("status",),
        ("doctor",),
        ("backup", "--out", "b.tar"),
        ("migrate",),
        ("export", "--market", "kraken BTC/USD", "--out", "c.csv"),
        ("poll",),
    ],
    ids=lambda command: command[0],
)
def test_no_command_tells_it(command: tuple[str, ...], tmp_path: Path) -> None:
    log = tmp_path / "log"
    with log.open("w") as output:
        running = subprocess.Popen(
            [sys.executable, "-m", "vp_pipeline.cli", *command],
            env=environment(tmp_path),
            cwd=tmp_path,
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
    assert text.strip(), "it says something"
    for file in tmp_path.rglob("*"):
        assert file.is_dir() or SECRET.encode() not in file.read_bytes(), file


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
