"""What one client may ask: how often, how much at once, and how many streams it may hold open.

Here belongs counting by client; what is answered to whom asks too much is a problem document like others.
"""

import asyncio
import math
import time
from collections import Counter
from ipaddress import IPv6Address, ip_address
from typing import Final
from weakref import WeakValueDictionary

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter
from starlette.datastructures import QueryParams
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from vp_pipeline.site.errors import HEALTH_PATH, problem

METRICS_PATH: Final = "/metrics"
STREAM_PATH: Final = "/live"
AT_ONCE: Final = 2
MOST_STREAMS: Final = 20
DEAR: Final = 10
"""What a question that reads every candle counts in the rate."""

# As long as one question may take the database.
_PATIENCE_SECONDS = 30.0
_STREAM_AGAIN_SECONDS = 30


class Limited:
    """Limits of each client; with a `rate` of 0 there are none.

    At most `rate` requests in any minute, streams counted when they begin. Of those at most `AT_ONCE` are
    being answered, the others wait for them. Beside these at most `MOST_STREAMS` streams are open.
    """

    def __init__(self, app: ASGIApp, rate: int) -> None:
        self.app = app
        self._item = RateLimitItemPerMinute(rate) if rate else None
        self._limiter = MovingWindowRateLimiter(MemoryStorage())
        self._streams: Counter[str] = Counter()
        # A client's turns are forgotten with the last of its requests.
        self._turns: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, at once or when it is its turn, or refuse it."""
        if self._item is None or scope["type"] != "http" or _is_free(scope["path"]):
            await self.app(scope, receive, send)
            return
        client = client_of(scope)
        amount, cost = self._item.amount, _cost(scope)
        if not self._limiter.hit(self._item, client, cost=min(cost, amount)):
            again = self._limiter.get_window_stats(self._item, client).reset_time - time.time()
            counts = f", of which this counts as {cost}" if cost > 1 else ""
            words = f"More than {amount} requests within a minute{counts}."
            await _refuse(words, max(1, math.ceil(again)), scope, receive, send)
        elif scope["path"] == STREAM_PATH:
            await self._stream(client, scope, receive, send)
        else:
            await self._in_turn(client, scope, receive, send)

    async def _stream(self, client: str, scope: Scope, receive: Receive, send: Send) -> None:
        if self._streams[client] >= MOST_STREAMS:
            words = f"{MOST_STREAMS} streams are open already: close one."
            await _refuse(words, _STREAM_AGAIN_SECONDS, scope, receive, send)
            return
        self._streams[client] += 1
        try:
            await self.app(scope, receive, send)
        finally:
            self._streams[client] -= 1
            if not self._streams[client]:
                del self._streams[client]

    async def _in_turn(self, client: str, scope: Scope, receive: Receive, send: Send) -> None:
        turn = self._turns.setdefault(client, asyncio.Semaphore(AT_ONCE))
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                await turn.acquire()
        except TimeoutError:
            words = f"{AT_ONCE} earlier requests are still being answered."
            await _refuse(words, math.ceil(_PATIENCE_SECONDS), scope, receive, send)
            return
        held = True

        def give_back() -> None:
            nonlocal held
            if held:
                held = False
                turn.release()

        async def sending(message: Message) -> None:
            # The answer is made; that its reader takes it slowly keeps nothing busy.
            give_back()
            await send(message)

        try:
            await self.app(scope, receive, sending)
        finally:
            give_back()


def client_of(scope: Scope) -> str:
    """Whom a request is counted for: its address, of IPv6 the /64, which one client has whole."""
    host: str = scope["client"][0] if scope["client"] else ""
    try:
        address = ip_address(host)
    except ValueError:
        return host
    if not isinstance(address, IPv6Address):
        return host
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return f"{IPv6Address(int(address) >> 64 << 64)}/64"


def _is_free(path: str) -> bool:
    """What a page is made of beside its answer, which the browser keeps; and what watches over the site."""
    return path.startswith("/static/") or path in (HEALTH_PATH, METRICS_PATH)


def _cost(scope: Scope) -> int:
    placements = QueryParams(scope["query_string"]).getlist("placement")
    return DEAR if any(one not in ("", "uniform") for one in placements) else 1


async def _refuse(words: str, again: int, scope: Scope, receive: Receive, send: Send) -> None:
    answer = problem(429, f"{words} Try again in {again} s.", {"retry-after": str(again)})
    await answer(scope, receive, send)
