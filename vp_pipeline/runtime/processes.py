"""Child processes: started with a log file, watched, and stopped so that none is left behind.

Here belongs what holds for any child. Which children the platform has is in `platform`.
"""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

# Every child carries the folder of its platform here, and so do the processes it starts in turn:
# what a killed supervisor left running is found by it.
MARKER = "VP_CHILD_OF"
GRACE_SECONDS = 8


class StartError(RuntimeError):
    """A process did not start; the message says which, why and where its log is."""


@dataclass
class Child:
    """One running child."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return self.process.poll() is None


@dataclass
class Processes:
    """All children of one platform."""

    home: Path
    environment: Mapping[str, str]
    children: list[Child] = field(default_factory=list)

    def start(self, name: str, command: Sequence[str]) -> Child:
        """Start a child in a session of its own, so that Ctrl-C reaches us alone and we decide the order."""
        log = self.home / "logs" / f"{name}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        if log.exists():
            log.replace(log.with_suffix(".previous.log"))
        with log.open("wb") as output:
            process = subprocess.Popen(  # noqa: S603  # our own commands
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**self.environment, MARKER: str(self.home)},
                start_new_session=True,
            )
        child = Child(name, process, log)
        self.children.append(child)
        return child

    def wait(self, child: Child, ready: Callable[[], bool], seconds: float = 90) -> None:
        """Wait until the child is ready.

        Raises:
            StartError: it ended, or is not ready in time.
        """
        deadline = time.monotonic() + seconds
        while not ready():
            if not child.alive:
                raise StartError(
                    f"{child.name} ended with status {child.process.returncode}:\n{_tail(child.log)}"
                )
            if time.monotonic() > deadline:
                raise StartError(f"{child.name} is not ready after {seconds:.0f} s; its log is {child.log}")
            time.sleep(0.05)

    def stop(self) -> None:
        """End all children, last started first, with what they have started; kill what does not obey."""
        signals = [child.process for child in reversed(self.children) if child.alive]
        for process in signals:
            process.terminate()
        deadline = time.monotonic() + GRACE_SECONDS
        for process in signals:
            try:
                process.wait(max(deadline - time.monotonic(), 0.1))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.children.clear()
        kill_leftovers(self.home)


def kill_leftovers(home: Path) -> list[str]:
    """End every process that an earlier platform of this folder left running; their command lines."""
    found = [process for process in psutil.process_iter() if _child_of(process) == str(home)]
    for process in found:
        process.terminate()
    _, stubborn = psutil.wait_procs(found, timeout=GRACE_SECONDS)
    for process in stubborn:
        process.kill()
    psutil.wait_procs(stubborn, timeout=5)
    return [str(process.pid) for process in found]


def _child_of(process: psutil.Process) -> str | None:
    try:
        return None if process.pid == os.getpid() else process.environ().get(MARKER)
    except psutil.Error:  # gone meanwhile, or somebody else's
        return None


def free_port(preferred: int) -> int:
    """The preferred port of 127.0.0.1, or a free one if it is taken; 0 prefers none."""
    for port in (preferred, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise StartError("no free port on 127.0.0.1")


def listens(port: int) -> bool:
    """Whether something accepts connections on this port of 127.0.0.1."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def raise_on_termination() -> None:
    """Make SIGTERM and SIGHUP end the program as Ctrl-C does."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)


def _tail(log: Path, lines: int = 15) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
