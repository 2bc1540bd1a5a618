"""`vp sandbox` as a user runs it: the line it prints, the port it writes, how it ends."""

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

import pytest
from click.testing import CliRunner

from vp_pipeline.sandbox.command import sandbox

PROGRAM = "from vp_pipeline.sandbox.command import sandbox; sandbox()"


@contextmanager
def started(port_file: Path, *options: str) -> Iterator[tuple["subprocess.Popen[str]", int]]:
    command = [sys.executable, "-c", PROGRAM, "--port-file", str(port_file), *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            deadline = time.monotonic() + 30
            while not port_file.exists():
                assert process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.02)
            yield process, int(port_file.read_text())
        finally:
            process.kill()


@pytest.mark.parametrize("ends", [signal.SIGTERM, signal.SIGINT])
def test_it_prints_one_line_serves_and_ends_when_told(ends: signal.Signals, tmp_path: Path) -> None:
    options = ("--seed", "5", "--now", "2024-05-01T00:00:00Z", "--frozen")
    with started(tmp_path / "port", *options) as (process, port):
        with urlopen(f"http://127.0.0.1:{port}/_sandbox/health") as response:
            assert response.headers["Date"] == "Wed, 01 May 2024 00:00:00 GMT"
            assert json.load(response)["source"] == "simulated, seed 5"
        process.send_signal(ends)
        output, _ = process.communicate(timeout=10)
        assert process.returncode == 0
        assert output == f"sandbox exchanges (simulated, seed 5) on http://127.0.0.1:{port}\n"


def test_it_replays_a_folder(tmp_path: Path) -> None:
    folder = tmp_path / "recorded" / "minute"
    folder.mkdir(parents=True)
    text = "open_time_ms,open,high,low,close,volume\n60000,10,12,9,11,0.5\n"
    (folder / "kraken_BTC-USD.csv").write_text(text)
    with started(tmp_path / "port", "--replay", str(folder.parent)) as (process, port):
        with urlopen(f"http://127.0.0.1:{port}/_sandbox/health") as response:
            assert json.load(response)["label"] == "recorded"
        process.terminate()
        output, _ = process.communicate(timeout=10)
        assert output == f"sandbox exchanges (recorded, {folder.parent}) on http://127.0.0.1:{port}\n"


def test_mistakes_are_explained_without_a_traceback(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        for options, problem in (
            (["--now", "soon"], "'soon' is not an ISO 8601 instant"),
            (["--frozen"], "--frozen needs --now"),
            (["--replay", str(tmp_path)], "no recorded candles"),
            (["--replay", str(tmp_path / "nowhere")], "does not exist"),
            (["--port-file", str(tmp_path / "nowhere" / "port")], "cannot write the port"),
            (["--port", port], f"cannot listen on 127.0.0.1:{port}"),
        ):
            result = CliRunner().invoke(sandbox, options)
            assert result.exit_code in (1, 2), options
            assert problem in result.output
