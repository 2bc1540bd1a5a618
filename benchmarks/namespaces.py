"""Machines that are network namespaces of this one, joined by a bridge.

Here belong the machines and their processes; what runs on them is for the benchmark.
"""

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

BRIDGE, NETWORK = "vp-bench", "10.77.0"


@dataclass
class Process:
    """A process on one of the machines, with its log."""

    popen: subprocess.Popen[bytes]
    log: Path

    def wait_for(self, text: str, seconds: float = 120) -> None:
        deadline = time.monotonic() + seconds
        while text not in self.log.read_text():
            if self.popen.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"no {text!r} in {self.log}:\n{self.log.read_text()}")
            time.sleep(0.1)

    def end(self, number: signal.Signals = signal.SIGTERM) -> None:
        if self.popen.poll() is None:
            os.killpg(self.popen.pid, number)
            self.popen.wait()

    @property
    def processor_seconds(self) -> float:
        """Its own and those of all that it started."""
        own = psutil.Process(self.popen.pid)
        return sum(sum(process.cpu_times()[:4]) for process in [own, *own.children(recursive=True)])


@dataclass
class Machines:
    """Namespaces on one bridge; `variables` are those of every process."""

    folder: Path
    stack: ExitStack
    variables: dict[str, str]
    names: list[str] = field(default_factory=list)

    def add(self, name: str) -> str:
        """A machine; its address."""
        self.names.append(name)
        space, address = f"{BRIDGE}-{name}", f"{NETWORK}.{len(self.names)}"
        _ip("netns", "add", space)
        self.stack.callback(_ip, "netns", "del", space)
        inside, outside = f"vpi{len(self.names)}", f"vpo{len(self.names)}"
        _ip("link", "add", outside, "type", "veth", "peer", "name", inside, "netns", space)
        # A namespace goes when its last process has, its link at once.
        self.stack.callback(_ip, "link", "del", outside)
        _ip("link", "set", outside, "master", BRIDGE, "up")
        _ip("-n", space, "address", "add", f"{address}/24", "dev", inside)
        for device in (inside, "lo"):
            _ip("-n", space, "link", "set", device, "up")
        return address

    def start(self, name: str, *command: str, log: str | None = None) -> Process:
        path = self.folder / f"{log or name}.log"
        with path.open("wb") as file:
            popen = subprocess.Popen(
                ["ip", "netns", "exec", f"{BRIDGE}-{name}", *command],
                cwd=self.folder,
                env={**self.variables, "VP_HOME": str(self.folder / name)},
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        process = Process(popen, path)
        self.stack.callback(process.end)
        return process


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True)


@contextmanager
def machines() -> Iterator[Machines]:
    # Not below a folder that only root may enter: PostgreSQL runs as another user.
    with tempfile.TemporaryDirectory(prefix="vp-cluster-") as folder, ExitStack() as stack:
        _ip("link", "add", BRIDGE, "type", "bridge")
        stack.callback(_ip, "link", "del", BRIDGE)
        _ip("address", "add", f"{NETWORK}.254/24", "dev", BRIDGE)
        _ip("link", "set", BRIDGE, "up")
        kept = {n: v for n, v in os.environ.items() if not n.upper().startswith(("VP_", "DAGSTER_"))}
        proxies = {name for name in kept if name.lower().endswith("_proxy")}
        yield Machines(Path(folder), stack, {n: v for n, v in kept.items() if n not in proxies})
