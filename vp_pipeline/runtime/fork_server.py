"""Runs that begin as copies of a process which has imported already what each of them needs.

Dagster's code server starts every run as a new interpreter, which imports Dagster and our definitions anew:
more work than a tick's own. Here belongs the other way. Before it serves, the code server splits off Python's
own fork server (`multiprocessing.forkserver`), which from then on forks a process for each run. All share
memory until one of them changes it. Which imports come before is in `code_server`.

Python starts its fork server as a new interpreter too, which would hold everything a second time; that it is
forked here instead is what this module adds, for the versions of Python it knows.
"""

import multiprocessing
import os
import socket
import sys
import threading
from multiprocessing import forkserver, resource_tracker, util
from multiprocessing.context import BaseContext
from pathlib import Path
from typing import Any

from setproctitle import setthreadtitle

FORK_SERVER = "vp-fork-server"
RUN = "vp-run"
"""The names of the processes, as `ps -o comm` and `top` show them."""

# Of Python 3.14 the fork server wants a key from those who ask it.
SUPPORTED = sys.platform == "linux" and sys.version_info < (3, 14)


def split_off() -> BaseContext:
    """Fork this process as fork server of the context that is returned.

    Raises:
        RuntimeError: the process has other threads, of which a copy would have none, but all their locks.
    """
    if threading.active_count() > 1:
        raise RuntimeError("the fork server has to be split off before any thread begins")
    resource_tracker.ensure_running()
    listener = socket.socket(socket.AF_UNIX)
    address = str(Path(util.get_temp_dir()) / "runs")  # in a folder of this user alone
    listener.bind(address)
    listener.listen()
    alive_read, alive_write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(alive_write)
        _serve(listener.detach(), alive_read)
    listener.close()
    os.close(alive_read)
    _hand_over(address, alive_write, pid)
    return multiprocessing.get_context("forkserver")


def _serve(listener: int, alive: int) -> None:
    """Be the fork server until whoever split it off, and all runs, have ended."""
    setthreadtitle(FORK_SERVER)
    os.register_at_fork(after_in_child=lambda: setthreadtitle(RUN))
    try:
        forkserver.main(listener, alive, [])
    finally:
        os._exit(0)  # nothing here is for this process to clean up


def _hand_over(address: str, alive: int, pid: int) -> None:
    """Let multiprocessing take it for a server that it has started itself."""
    server: Any = forkserver._forkserver  # its state has no public name
    server._forkserver_address, server._forkserver_alive_fd, server._forkserver_pid = address, alive, pid
