"""Running the website: one process, one event loop, ended by SIGTERM or SIGINT.

Here belongs how it listens and stops. What it answers is in `app`.
"""

import socket

import uvicorn
from fastapi import FastAPI

from vp_pipeline.settings import Settings
from vp_pipeline.site.app import create_app

# Requests that are still running then are cut off: the whole stop takes less than 5 seconds.
STOP_SECONDS = 3


class ListenError(RuntimeError):
    """The address cannot be listened on; the message says why and what to do."""


def run(settings: Settings, host: str, port: int) -> None:
    """Serve until told to stop; port 0 takes a free one.

    Raises:
        ListenError: the address cannot be listened on.
    """
    with listen(host, port) as listener:
        server(settings).run([listener])


class _Server(uvicorn.Server):
    """Ends the streams of open pages before it waits for requests to end."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        app = self.config.app
        if isinstance(app, FastAPI):
            await app.state.hub.close()
        await super().shutdown(sockets)


def server(settings: Settings) -> uvicorn.Server:
    """The server, not running yet."""
    return _Server(
        uvicorn.Config(
            create_app(settings),
            access_log=False,
            log_level="info",
            server_header=False,
            timeout_graceful_shutdown=STOP_SECONDS,
            ws="none",
        )
    )


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens.

    Raises:
        ListenError: the port is taken, or the address is not one of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=128)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ListenError(
            f"cannot listen on {host}:{port} ({reason}): choose another with --host or --port"
        ) from error
