"""The limit of fetching and serving: bytes over plain sockets, read to their end and thrown away.

No parsing, no checks, no limiter: what is left is the network, the server and the operating system.
"""

import asyncio
import re
import socket
import threading
import time
from collections.abc import Sequence
from urllib.parse import urlsplit

CONNECTIONS = 16


def seconds(urls: Sequence[str], connections: int = CONNECTIONS) -> float:
    """Seconds until all answers are there, so many side by side at most.

    Raises:
        RuntimeError: an answer is not a success.
    """
    started = time.perf_counter()
    asyncio.run(_all(urls, connections))
    return time.perf_counter() - started


def transfer(content: bytes) -> float:
    """Seconds to send the bytes through a new connection of this machine with itself."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def send() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.sendall(content)

        sender = threading.Thread(target=send)
        sender.start()
        started = time.perf_counter()
        with socket.create_connection(listener.getsockname()) as connection:
            while connection.recv(1 << 16):
                pass
        taken = time.perf_counter() - started
        sender.join()
    return taken


async def _all(urls: Sequence[str], connections: int) -> None:
    left = list(reversed(urls))

    async def worker() -> None:
        while left:
            await _one(left.pop())

    async with asyncio.TaskGroup() as group:
        for _ in range(min(connections, len(urls))):
            group.create_task(worker())


async def _one(url: str) -> None:
    parts = urlsplit(url)
    target = f"{parts.path}?{parts.query}" if parts.query else parts.path
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    writer.write(f"GET {target} HTTP/1.1\r\nHost: {parts.netloc}\r\nConnection: close\r\n\r\n".encode())
    head = await reader.readuntil(b"\r\n\r\n")
    if not re.match(rb"HTTP/1\.1 2", head):
        raise RuntimeError(f"{url}: {head.splitlines()[0].decode()}")
    while await reader.read(1 << 16):
        pass
    writer.close()
    await writer.wait_closed()
