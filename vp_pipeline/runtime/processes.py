"""Child processes: started with a log file, waited for, and ended so that none is left behind.

Here belongs what holds for any child. Which children the platform has is in `services`.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import psutil

from vp_pipeline.runtime import zygote
from vp_pipeline.runtime.forked import Forked, Zygote
from vp_pipeline.runtime.kin import GRACE_SECONDS, MARKER, StartError, child_of, end_all
from vp_pipeline.storage.embedded import tail

# How a command begins that a zygote can fork.
MODULE = [sys.executable, "-m"]
# Of `GRACE_SECONDS`, for the one that is ended before the others.
_FIRST_SECONDS = 2.0
# Of each log there are at most two: the running one and the previous.
LOG_LIMIT = 10_000_000
# Of a log, in the message of a start that failed.
_LINES = 15


@dataclass(frozen=True)
class Child:
    """One running child."""

    name: str
    process: subprocess.Popen[bytes] | Forked
    log: Path

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return self.process.poll() is None


@dataclass
class Processes:
    """All children of one platform, by name; `differing` has variables of single ones, None for none."""

    home: Path
    environment: Mapping[str, str]
    differing: Mapping[str, Mapping[str, str | None]] = field(default_factory=dict)
    children: dict[str, Child] = field(default_factory=dict)

    _zygote: Zygote | None = field(default=None, init=False)
    _forked: Collection[str] = field(default=(), init=False)

    @contextmanager
    def sharing(self, names: Collection[str]) -> Iterator[None]:
        """Have those of `names` that are started in the block share their imports, where the system can.

        Their commands begin with `MODULE`. They are children like any other when the block is left.

        Raises:
            StartError: they could not be forked.
        """
        if not zygote.SUPPORTED:
            yield
            return
        self._zygote, self._forked = Zygote(self._begin_zygote), names
        try:
            yield
            if not self._zygote.adopt():
                log = self._log("zygote")
                raise StartError(f"the zygote ended early; the end of its log {log}:\n{tail(log, _LINES)}")
        finally:
            self._zygote.close()
            self._zygote, self._forked = None, ()

    def start(self, name: str, command: Sequence[str]) -> Child:
        """Start a child in a session of its own, so that Ctrl-C reaches us alone and we decide the order."""
        process: subprocess.Popen[bytes] | Forked
        with self._new_log(name) as output:
            if self._zygote is not None and name in self._forked:
                module, *arguments = command[len(MODULE) :]
                process = self._zygote.fork(name, module, arguments, output)
            else:
                process = self._spawn(name, command, output)
        child = Child(name, process, self._log(name))
        self.children[name] = child
        return child

    def _begin_zygote(self, command: list[str], descriptor: int) -> "subprocess.Popen[bytes]":
        with self._new_log("zygote") as output:
            return self._spawn("zygote", command, output, [descriptor])

    def _spawn(
        self, name: str, command: Sequence[str], output: IO[bytes], descriptors: Sequence[int] = ()
    ) -> "subprocess.Popen[bytes]":
        variables = {**self.environment, **self.differing.get(name, {}), MARKER: str(self.home)}
        return subprocess.Popen(  # noqa: S603  # our own commands
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={key: value for key, value in variables.items() if value is not None},
            pass_fds=descriptors,
            start_new_session=True,
        )

    def _log(self, name: str) -> Path:
        return self.home / "logs" / f"{name}.log"

    def _new_log(self, name: str) -> IO[bytes]:
        """Appending: after a log was shortened, the next line comes first."""
        log = self._log(name)
        log.parent.mkdir(parents=True, exist_ok=True)
        if log.exists():
            log.replace(log.with_suffix(".previous.log"))
        return log.open("ab")

    def shorten_logs(self, limit: int = LOG_LIMIT) -> None:
        """Move what is in a log of more than `limit` bytes to the previous one, and begin it anew."""
        for child in self.children.values():
            shorten(child.log, limit)

    def wait(self, ready: Mapping[str, Callable[[], bool]], seconds: float = 90) -> None:
        """Wait until all the children named are ready.

        Raises:
            StartError: some child ended, or one is not ready in time.
        """
        deadline = time.monotonic() + seconds
        waiting = dict(ready)
        while True:
            waiting = {name: is_ready for name, is_ready in waiting.items() if not is_ready()}
            if not waiting:
                return
            for child in self.children.values():
                if not child.alive:
                    raise StartError(
                        f"{ending(child)}; the end of its log {child.log}:\n{tail(child.log, _LINES)}"
                    )
            if time.monotonic() > deadline:
                logs = ", ".join(f"{name} ({self.children[name].log})" for name in waiting)
                raise StartError(f"not ready after {seconds:.0f} s: {logs}")
            time.sleep(0.05)

    def end(self, name: str) -> None:
        """End one child now, with all that it has started."""
        child = self.children[name]
        session = child.process.pid
        # The session's processes: a child that has ended may have left some.
        for process in psutil.process_iter():
            if session and child_of(process) == str(self.home) and _session(process.pid) == session:
                process.kill()
        _bury(child)

    def stop(self, first: str | None = None) -> None:
        """End all children, with all that they have started; `first` is over before the others are told."""
        begun = time.monotonic()
        if first in self.children:
            self._end_first(self.children[first])
        end_all(self.home, GRACE_SECONDS - (time.monotonic() - begun))
        for child in self.children.values():
            _bury(child)
        self.children.clear()

    def _end_first(self, child: Child) -> None:
        child.process.terminate()
        try:
            child.process.wait(_FIRST_SECONDS)
        except subprocess.TimeoutExpired:
            self.end(child.name)


def _bury(child: Child) -> None:
    """Wait for a child that is over; one too young for the system to tell its mark is killed first."""
    child.process.kill()
    child.process.wait()


def shorten(log: Path, limit: int = LOG_LIMIT) -> None:
    """Keep a log that others append to below `limit` bytes; what it held is the previous log from now on."""
    if log.exists() and log.stat().st_size > limit:
        # Copied, not renamed: the process that writes has the file open.
        shutil.copyfile(log, log.with_suffix(".previous.log"))
        os.truncate(log, 0)


def ending(child: Child) -> str:
    """How an ended child came to its end, in words."""
    status = child.process.poll()
    if status is not None and status < 0:
        return f"{child.name} was ended by {signal.Signals(-status).name}"
    return f"{child.name} ended with status {status}"


def _session(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except ProcessLookupError:
        return None
