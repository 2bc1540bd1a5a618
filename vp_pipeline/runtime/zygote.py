"""A process that imports Dagster and forks its services: `python -m vp_pipeline.runtime.zygote SOCKET`.

Webserver, daemon and code server import the same, which each on its own would do anew and hold a copy of.
Forked from here they share it, until one of them changes a page of it. Here belongs what the zygote imports
and how a fork becomes a service; asking for one is in `forked`.

SOCKET is the number of an open socket. A message that comes is a `Request` in JSON, and with it the
descriptor of the service's log; the answer is the number of the process. When no more can come the zygote
ends, and leaves its forks to the supervisor.
"""

import gc
import json
import os
import runpy
import socket
import sys
from dataclasses import dataclass

from setproctitle import setproctitle

from vp_pipeline.runtime.plain import import_shared, without_colours

SUPPORTED = sys.platform == "linux"
NUMBER_BYTES = 8
_REQUEST_BYTES = 65_536


@dataclass(frozen=True)
class Request:
    """A service: the name it shall have, and what stands behind `python -m`."""

    name: str
    module: str
    arguments: list[str]


def main(descriptor: str) -> None:
    """Prepare, fork what is requested, and in each fork become that."""
    prepare()
    with socket.socket(fileno=int(descriptor)) as requests:
        request = _fork(requests)
    if request is not None:
        become(request)


def prepare() -> None:
    """Import what the services share, so that the forks of this process have it without a copy."""
    # Titles of processes may have the room of the command line, not that of the environment behind it, by
    # which the platform finds its processes.
    os.environ["SPT_NOENV"] = "1"
    gc.disable()
    without_colours("dagster._cli")
    import_shared()
    gc.collect()
    gc.freeze()


def become(request: Request) -> None:
    """Be the service, in a session of its own; returns when it has done its work."""
    os.setsid()
    setproctitle(f"vp {request.name}")
    gc.enable()
    sys.argv = [request.module, *request.arguments]
    runpy.run_module(request.module, run_name="__main__", alter_sys=True)


def _fork(requests: socket.socket) -> Request | None:
    """Fork a process for each request: None when no more can come, and in a fork its request."""
    while True:
        message, descriptors, *_ = socket.recv_fds(requests, _REQUEST_BYTES, 1)
        if not message:
            return None
        request = Request(**json.loads(message))
        (log,) = descriptors
        pid = os.fork()
        if pid == 0:
            os.dup2(log, sys.stdout.fileno())
            os.dup2(log, sys.stderr.fileno())
            os.close(log)
            return request
        os.close(log)
        requests.sendall(pid.to_bytes(NUMBER_BYTES))


if __name__ == "__main__":
    main(*sys.argv[1:])
