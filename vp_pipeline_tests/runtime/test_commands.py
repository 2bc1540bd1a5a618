"""What a person's mistake is answered with: one clear sentence, status 1, no traceback, nothing left."""

import fcntl
import os
import signal
import time
from pathlib import Path

import pytest

from vp_pipeline_tests.runtime.command import Vp, left_behind


def run(tmp_path: Path, *arguments: str, home: Path | None = None, **variables: str) -> tuple[int, str]:
    vp = Vp(*arguments, home=home or tmp_path / "home", output=tmp_path / "printed", variables=variables)
    status = vp.ended(60)
    assert "Traceback" not in vp.printed
    return status, vp.printed


def test_an_empty_replay_folder_is_told_what_it_must_hold(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    status, printed = run(tmp_path, "demo", "--replay", str(empty))
    assert status == 1
    assert printed.replace("\n", " ") == (
        f"Error: {empty}: no recorded candles; expected minute*/<exchange>_<BASE>-<QUOTE>.csv, "
        "daily*/<SYMBOL>.csv or usdm_<interval>*/<SYMBOL>.csv, each also as .csv.gz "
    )
    assert not (tmp_path / "home").exists()


def test_a_damaged_recording_names_file_and_line(tmp_path: Path) -> None:
    file = tmp_path / "bad" / "minute" / "kraken_BTC-USD.csv"
    file.parent.mkdir(parents=True)
    file.write_text("open_time_ms,open,high,low,close,volume\n0,1,1,1,1,1\n60000,1,1,1,oops,1\n")
    status, printed = run(tmp_path, "demo", "--replay", str(tmp_path / "bad"))
    assert status == 1
    assert f"{file}, line 3: close is 'oops', not a number" in printed


def test_a_folder_that_does_not_exist_is_a_usage_error(tmp_path: Path) -> None:
    status, printed = run(tmp_path, "demo", "--replay", str(tmp_path / "nowhere"))
    assert status == 2
    assert "does not exist" in printed


@pytest.mark.parametrize("options", [(), ("--replay",)])
def test_a_home_that_cannot_be_made_is_named(tmp_path: Path, options: tuple[str, ...]) -> None:
    file = tmp_path / "file"
    file.write_text("")
    recorded = tmp_path / "recording" / "minute" / "kraken_BTC-USD.csv"
    recorded.parent.mkdir(parents=True)
    recorded.write_text("open_time_ms,open,high,low,close,volume\n0,1,1,1,1,1\n")
    arguments = [*options, str(tmp_path / "recording")] if options else []
    status, printed = run(tmp_path, "demo", *arguments, home=file / "home")
    assert status == 1
    assert str(file / "home") in printed
    assert "set VP_HOME to a folder that this user may write to" in printed


@pytest.mark.parametrize("command", ["up", "exchanges"])
def test_a_mistake_in_the_markets_file_is_told_before_anything_starts(tmp_path: Path, command: str) -> None:
    markets = tmp_path / "markets.toml"
    markets.write_text('[instruments.BTC]\nrow_size = -1\nlead = "binance BTC/USDT"\n')
    status, printed = run(tmp_path, command, VP_MARKETS_FILE=str(markets))
    assert status == 1
    assert f"Error: {markets}:2: instruments.BTC.row_size" in printed
    assert not (tmp_path / "home").exists()


def test_a_second_platform_on_one_folder_is_refused(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    with (home / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        status, printed = run(tmp_path, "demo", "--once")
    assert status == 1
    assert printed == (f"Error: another platform runs on {home}: stop it, or set VP_HOME to another folder\n")
    assert left_behind(home) == []


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_during_the_very_start_leaves_nothing(
    tmp_path: Path, number: signal.Signals, status: int
) -> None:
    home = tmp_path / "home"
    vp = Vp("demo", home=home, output=tmp_path / "printed")
    deadline = time.monotonic() + 30
    while not (home / "lock").exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    code, _ = vp.stop(number, again=True)
    assert (code, vp.printed) == (status, "stopped\n")
    assert left_behind(home) == []


# Found by every Python of the command: this machine alone is reached, wherever the test runs.
NO_NETWORK = """
import errno, socket

def refuse(self, address):
    if self.family != socket.AF_UNIX and address[0] not in ("127.0.0.1", "::1"):
        raise OSError(errno.ENETUNREACH, "Network is unreachable")
    return connect(self, address)

connect, socket.socket.connect = socket.socket.connect, refuse
"""


def test_without_a_network_each_exchange_says_why_and_the_demo_is_named(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(NO_NETWORK)
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    status, printed = run(tmp_path, "up", PYTHONPATH=path)
    assert status == 1
    for exchange in ("binance", "kraken", "okx", "binanceusdm"):
        line = next(line for line in printed.splitlines() if line.split()[:1] == [exchange])
        assert line.split()[1] == "no"
        assert "cannot be reached" in line
    assert "No exchange can be reached" in printed
    assert "make demo" in printed
    assert not (tmp_path / "home").exists()
