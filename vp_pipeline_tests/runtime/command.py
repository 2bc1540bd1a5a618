"""Running `vp` as a person does, for the tests of whole platforms."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import psutil

from vp_pipeline.runtime.fork_server import RUN
from vp_pipeline.runtime.kin import processes_of

READY = "now the main job"
STAYS = "Running until Ctrl-C"
STOP_SECONDS = 10
# Several times what the main job takes on a slow machine with other tests beside it.
PATIENCE = 900


class Vp:
    """One `vp` command, running; what it prints goes to a file."""

    def __init__(
        self, *arguments: str, home: Path, output: Path, variables: Mapping[str, str] | None = None
    ) -> None:
        self.home, self._output = home, output
        kept = {name: value for name, value in os.environ.items() if not name.startswith("VP_")}
        with output.open("wb") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "vp_pipeline.cli", *arguments],
                env={**kept, "VP_HOME": str(home), "COLUMNS": "160", **(variables or {})},
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def printed(self) -> str:
        return self._output.read_text()

    def wait_for(self, text: str, seconds: float = PATIENCE) -> None:
        deadline = time.monotonic() + seconds
        while text not in self.printed:
            assert self.process.poll() is None, f"ended with {self.process.returncode}:\n{self.printed}"
            assert time.monotonic() < deadline, f"no {text!r} in:\n{self.printed}"
            time.sleep(0.05)

    def address(self, name: str) -> str:
        """`Dagster` or `Site`."""
        lines = [line.split() for line in self.printed.splitlines()]
        return next(line[1] for line in lines if line and line[0] == name)

    def ended(self, seconds: float = PATIENCE) -> int:
        """The exit code, once it ends."""
        return self.process.wait(seconds)

    def stop(self, number: signal.Signals = signal.SIGINT, again: bool = False) -> tuple[int, float]:
        """Send the signal to the whole group, as a terminal does; exit code and seconds."""
        started = time.monotonic()
        os.killpg(self.process.pid, number)
        if again:
            time.sleep(0.5)
            os.killpg(self.process.pid, number)
        return self.process.wait(60), time.monotonic() - started

    def service(self, words: str) -> psutil.Process:
        """The process of the platform whose command line has these words."""
        return next(p for p in processes_of(self.home.resolve()) if words in " ".join(p.cmdline()))


def left_behind(home: Path) -> list[str]:
    """Processes of the platform of this folder and of its database, which should be none."""
    own = [" ".join(process.cmdline()) for process in processes_of(home.resolve())]
    return own + [f"postgres {process.pid}" for process in postgres_of(home)]


def is_run(process: psutil.Process) -> bool:
    """Whether this is the process of a run of Dagster, forked or, where that is not done, begun anew.

    Raises:
        psutil.Error: it is gone, or somebody else's.
    """
    return process.name() == RUN or "multiprocessing.spawn" in " ".join(process.cmdline())


def postgres_of(home: Path) -> Iterator[psutil.Process]:
    """The processes of its database, the oldest first."""
    data = str(home.resolve() / "postgres" / "data")
    for process in sorted(psutil.process_iter(["name", "cwd"]), key=lambda process: process.pid):
        if process.info["name"] == "postgres" and process.info["cwd"] == data:
            yield process
