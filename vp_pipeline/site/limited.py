"""How often one client may ask.

Here belongs counting; what is answered to whom asks too often is a problem document like others.
"""

import math
import time

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter
from starlette.types import ASGIApp, Receive, Scope, Send

from vp_pipeline.site.errors import problem

# What a page is made of beside its answer, which the browser keeps; and what watches over the site.
_FREE = ("/static/", "/healthz", "/metrics")


class Limited:
    """At most `rate` requests in any minute from one address, the streams counted when they begin; 0: any."""

    def __init__(self, app: ASGIApp, rate: int) -> None:
        self.app = app
        self._item = RateLimitItemPerMinute(rate) if rate else None
        self._limiter = MovingWindowRateLimiter(MemoryStorage())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        item = self._item
        if item is None or scope["type"] != "http" or scope["path"].startswith(_FREE):
            await self.app(scope, receive, send)
            return
        client = scope["client"][0] if scope["client"] else ""
        if self._limiter.hit(item, client):
            await self.app(scope, receive, send)
            return
        again = max(1, math.ceil(self._limiter.get_window_stats(item, client).reset_time - time.time()))
        words = f"More than {item.amount} requests within a minute. Try again in {again} s."
        await problem(429, words, {"retry-after": str(again)})(scope, receive, send)
