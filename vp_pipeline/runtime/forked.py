"""The supervisor's side of the zygote: services that it forks become the supervisor's own children.

Here belongs asking for a service, and what is known of it; what the zygote does is in `zygote`.
"""

import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from typing import IO

from vp_pipeline.runtime import zygote

LOST = 255
"""The status of a service that was never forked."""

_POLL_SECONDS = 0.02
# Of <linux/prctl.h>: whether children of a child that ends become this process's.
_PR_SET_CHILD_SUBREAPER = 36


class Forked:
    """A service that the zygote forks; what it has of `subprocess.Popen` means the same.

    Until it is adopted, `pid` is None, and nothing is known of it.
    """

    def __init__(self) -> None:
        self.pid: int | None = None
        self._status: int | None = None
        self._lock = threading.Lock()

    def adopt(self, pid: int | None) -> None:
        """It is a child with this number, or was never forked."""
        self.pid = pid
        if pid is None:
            self._status = LOST

    def poll(self) -> int | None:
        """Its exit status, negative for a signal; None while it runs."""
        with self._lock:
            if self._status is None and self.pid is not None:
                ended, status = os.waitpid(self.pid, os.WNOHANG)
                if ended:
                    self._status = os.waitstatus_to_exitcode(status)
            return self._status

    def wait(self, timeout: float | None = None) -> int | None:
        """Its exit status, once it has ended; None at once if it is not adopted.

        Raises:
            subprocess.TimeoutExpired: it has not in `timeout` seconds.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        while self.pid is not None and self.poll() is None:
            if deadline is not None and time.monotonic() > deadline:
                raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0)
            time.sleep(_POLL_SECONDS)
        return self._status

    def terminate(self) -> None:
        """Tell it to end."""
        self._send(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once."""
        self._send(signal.SIGKILL)

    def _send(self, number: signal.Signals) -> None:
        if self.poll() is None and self.pid is not None:
            os.kill(self.pid, number)


class Zygote:
    """A zygote for the services that are started together; it begins with the first of them."""

    def __init__(self, begin: Callable[[list[str], int], "subprocess.Popen[bytes]"]) -> None:
        """`begin` starts its command, which inherits a descriptor."""
        self._begin = begin
        self._process: subprocess.Popen[bytes] | None = None
        self._requests, self._theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._asked: list[Forked] = []

    def fork(self, name: str, module: str, arguments: list[str], log: IO[bytes]) -> Forked:
        """Ask for `python -m module arguments`, which writes to `log`; nothing waits for it."""
        if self._process is None:
            command = [sys.executable, "-m", zygote.__name__, str(self._theirs.fileno())]
            self._process = self._begin(command, self._theirs.fileno())
            _take_orphans(True)
            self._theirs.close()
        message = json.dumps(asdict(zygote.Request(name, module, arguments))).encode()
        with suppress(ConnectionError):  # it has ended, which `adopt` will see
            socket.send_fds(self._requests, [message], [log.fileno()])
        self._asked.append(Forked())
        return self._asked[-1]

    def adopt(self) -> bool:
        """Wait until all have been forked, and make them children of this process; whether it went well."""
        if self._process is None:
            return True
        self._requests.shutdown(socket.SHUT_WR)
        numbers = [self._answer() for _ in self._asked]
        ended = self._process.wait()
        for one, number in zip(self._asked, numbers, strict=True):
            one.adopt(int.from_bytes(number) if number else None)
        return ended == 0 and all(numbers)

    def _answer(self) -> bytes:
        try:
            return self._requests.recv(zygote.NUMBER_BYTES)
        except ConnectionError:  # it ended before it had read all
            return b""

    def close(self) -> None:
        """End a zygote that has not been waited for."""
        self._requests.close()
        self._theirs.close()
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            _take_orphans(False)


def _take_orphans(take: bool) -> None:
    """Whether what a child has forked is this process's when the child ends, and not the system's.

    No longer than a zygote runs: a database server too is an orphan of what started it, and whoever looks
    whether it has ended wants the system to bury it.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_CHILD_SUBREAPER, int(take), 0, 0, 0):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
