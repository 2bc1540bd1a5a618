"""A password in an address stays where it was set: not in what a program prints, nor in any process list."""

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

SECRET = "hunter2-and-more"
# Nobody listens there: everything that can go wrong with an address goes wrong.
NOWHERE = f"postgresql://vp:{SECRET}@127.0.0.1:1/vp"


@pytest.mark.parametrize(
    "command",
    [
        ("status",),
        ("doctor",),
        ("backup", "--out", "b.tar"),
        ("migrate",),
        ("export", "--market", "kraken BTC/USD", "--out", "c.csv"),
        ("site", "--port", "0"),
        ("poll",),
    ],
    ids=lambda command: command[0],
)
def test_no_command_tells_it(command: tuple[str, ...], tmp_path: Path) -> None:
    variables = {
        **os.environ,
        "VP_DATABASE_URL": NOWHERE,
        "VP_DAGSTER_DATABASE_URL": NOWHERE,
        "VP_ALERT_WEBHOOK": f"https://hooks.example.org/{SECRET}",
        "VP_WRITER_PASSWORD": SECRET,
        "VP_READER_PASSWORD": f"{SECRET}2",
        "VP_HOME": str(tmp_path),
        "VP_POLL_SECONDS": "5",
    }
    log = tmp_path / "log"
    with log.open("w") as output:
        running = subprocess.Popen(
            [sys.executable, "-m", "vp_pipeline.cli", *command],
            env=variables,
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
