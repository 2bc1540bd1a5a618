"""Ports of 127.0.0.1 for services that other processes will open.

Here belongs choosing them so that two platforms do not choose the same.
"""

import os
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from vp_pipeline.storage import lock_files

LOOPBACK = "127.0.0.1"


@contextmanager
def taken() -> Iterator[Callable[[int], int]]:
    """A function from a preferred port to that port, or to a free one if it is in use; 0 prefers none.

    A preferred port once given is not given to another platform of this user until the block is left,
    even while the service is not listening on it.
    """
    with ExitStack() as locks:

        def take(preferred: int) -> int:
            if preferred and _is_free(preferred) and _lock(preferred, locks):
                return preferred
            with socket.socket() as probe:
                probe.bind((LOOPBACK, 0))
                return int(probe.getsockname()[1])

        yield take


def listens(port: int) -> bool:
    """Whether something accepts connections on this port."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((LOOPBACK, port)) == 0


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # Connections of an earlier service that are still closing do not matter.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True


def _lock(port: int, locks: ExitStack) -> bool:
    path = Path(tempfile.gettempdir()) / f"vp-port-{port}-{os.getuid()}.lock"
    file = locks.enter_context(path.open("w"))
    return lock_files.take(file)
