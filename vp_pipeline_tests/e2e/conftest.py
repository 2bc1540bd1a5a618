"""The platform as a user starts it, on recorded market data, and a browser to look at it with."""

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import Browser

from vp_pipeline.runtime.kin import MARKER
from vp_pipeline.storage import embedded
from vp_pipeline_tests.browsers import chromium

PATIENCE = 1500


@dataclass(frozen=True)
class Running:
    """A platform that stays up after its main job."""

    process: "subprocess.Popen[bytes]"
    home: Path
    told: str
    recording: Path

    @property
    def dagster(self) -> str:
        return self._address("Dagster")

    @property
    def site(self) -> str:
        return self._address("Site")

    @property
    def database_url(self) -> str:
        return embedded.start(self.home / "postgres").url("vp")

    def _address(self, name: str) -> str:
        found = re.search(rf"^{name} +(http\S+)", self.told, re.MULTILINE)
        assert found is not None
        return found[1].rstrip("/")


@pytest.fixture(scope="package")
def running(recorded_data: Path) -> Iterator[Running]:
    """`vp demo --replay`, from its start to Ctrl-C; nothing of it may be left."""
    with tempfile.TemporaryDirectory(prefix="vp-e2e-") as folder:
        home, log = Path(folder) / "home", Path(folder) / "told.txt"
        environment = {**os.environ, "VP_HOME": str(home), "COLUMNS": "200"}
        command = [sys.executable, "-m", "vp_pipeline.cli", "demo", "--replay", str(recorded_data)]
        with log.open("wb") as output:
            process = subprocess.Popen(command, env=environment, stdout=output, stderr=subprocess.STDOUT)
            try:
                _wait_for("Running until Ctrl-C", process, log)
                yield Running(process, home, log.read_text(), recorded_data)
            finally:
                process.send_signal(signal.SIGINT)
                process.wait(30)
        left = [p for p in psutil.process_iter() if _environment(p).get(MARKER) == str(home)]
        assert not left


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    with chromium() as launched:
        yield launched


def _wait_for(text: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while text not in log.read_text():
        assert process.poll() is None, f"ended early:\n{log.read_text()}"
        assert time.monotonic() < deadline, f"not done in {PATIENCE} s:\n{log.read_text()}"
        time.sleep(0.5)


def _environment(process: psutil.Process) -> dict[str, str]:
    try:
        return process.environ()
    except psutil.Error:  # gone meanwhile, or somebody else's
        return {}
