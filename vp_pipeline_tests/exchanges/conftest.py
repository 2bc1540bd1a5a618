"""What the tests of the exchange clients share: a seeded world, and a wire that is watched.

The clients are the real ones. Only their pauses are taken away, and any name but a loopback address is
refused before it is looked up.
"""

import asyncio
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import ccxt.async_support
import pytest

from vp_pipeline.exchanges.patience import Patience
from vp_pipeline.sandbox.generator import GeneratedSource

ONCE = Patience(attempts=1, timeout_seconds=5, pause_seconds=0.01)
TWICE = Patience(attempts=2, timeout_seconds=5, pause_seconds=0.01)


@dataclass
class Traffic:
    """Addresses asked by ccxt, names looked up, and what to do before a request is sent."""

    urls: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    before: Callable[[], None] = lambda: None

    def candles(self) -> list[str]:
        """The requests for candles."""
        return [url for url in self.urls if any(word in url.lower() for word in ("candle", "kline", "ohlc"))]


@pytest.fixture(scope="session")
def source() -> GeneratedSource:
    return GeneratedSource(seed=7)


@pytest.fixture(autouse=True)
def traffic(monkeypatch: pytest.MonkeyPatch) -> Traffic:
    seen = Traffic()
    base = ccxt.async_support.Exchange
    fetch, look_up = base.fetch, socket.getaddrinfo

    async def watched_fetch(self: Any, url: str, *arguments: Any, **named: Any) -> Any:
        seen.before()
        seen.urls.append(url)
        return await fetch(self, url, *arguments, **named)

    def loopback_alone(name: Any, *arguments: Any, **named: Any) -> Any:
        text = name.decode() if isinstance(name, bytes) else str(name)
        if text not in ("127.0.0.1", "localhost"):
            seen.names.append(text)
            raise socket.gaierror(socket.EAI_NONAME, f"{text}: tests look up no names")
        return look_up(name, *arguments, **named)

    async def at_once(*_: Any) -> None:
        await asyncio.sleep(0)

    monkeypatch.setattr(base, "fetch", watched_fetch)
    monkeypatch.setattr(base, "throttle", at_once)
    monkeypatch.setattr(base, "timeout_on_exit", 0)
    monkeypatch.setattr(socket, "getaddrinfo", loopback_alone)
    return seen
