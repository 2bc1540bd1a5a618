"""The real clients, pointed at a sandbox: nothing of them is replaced but their hosts and their clock."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import ccxt.async_support as ccxt

from vp_pipeline.sandbox.clock import Clock

SPOT_ONLY: dict[str, Any] = {"fetchMarkets": {"types": ["spot"]}}
OPTIONS: dict[str, dict[str, Any]] = {
    "htx": {"fetchMarkets": {"types": {"spot": True, "linear": False, "inverse": False}}},
}


def moved(urls: Any, base_url: str) -> Any:
    """The URLs with another scheme and host and their own paths."""
    if isinstance(urls, dict):
        return {name: moved(value, base_url) for name, value in urls.items()}
    return base_url + urlsplit(urls).path


@asynccontextmanager
async def client(base_url: str, exchange: str, clock: Clock | None = None) -> AsyncIterator[Any]:
    """One ccxt client without rate limit; with `clock`, it believes the sandbox's time."""
    # Closing waits a quarter of a second unless told otherwise: far longer than the tests themselves.
    config = {"enableRateLimit": False, "timeout_on_exit": 0, "options": OPTIONS.get(exchange, SPOT_ONLY)}
    made = getattr(ccxt, exchange)(config)
    made.urls["api"] = moved(made.urls["api"], f"{base_url}/{exchange}")
    if clock is not None:
        made.milliseconds = clock.now_ms
    try:
        yield made
    finally:
        await made.close()


def window(exchange: str, start_ms: int, minutes: int) -> dict[str, Any]:
    """Arguments of fetch_ohlcv for exactly the minutes [start, start + minutes)."""
    until = start_ms + (minutes - 1) * 60_000 + (1 if exchange == "okx" else 0)
    return {"timeframe": "1m", "since": start_ms, "limit": minutes, "params": {"until": until}}
