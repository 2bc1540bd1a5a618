"""For monitoring: whether the site works, its requests, each market's lag and coverage.

Here belong counting and the text format of Prometheus (0.0.4). It keeps sums since the process
began, and for moments what Postgres said.
"""

import threading
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from math import inf

import psycopg
from fastapi import APIRouter, Request, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from vp_pipeline.site import status_queries
from vp_pipeline.site.database import reading
from vp_pipeline.site.errors import HEALTH_PATH
from vp_pipeline.site.limited import METRICS_PATH, STREAM_PATH
from vp_pipeline.site.pages import settings_of

router = APIRouter()

# Nothing limits how often it is asked, and what it asks Postgres reads all of the ledger.
KEPT_SECONDS = 10.0
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


class Counts:
    """Requests by route, method and status, and their durations by route."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: Counter[tuple[str, str, int]] = Counter()
        self._seconds: dict[str, float] = {}
        self._buckets: dict[str, list[int]] = {}

    def add(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count a request that has ended."""
        with self._lock:
            self._requests[route, method, status] += 1
            self._seconds[route] = self._seconds.get(route, 0.0) + seconds
            buckets = self._buckets.setdefault(route, [0] * (len(BUCKETS) + 1))
            buckets[bisect_left(BUCKETS, seconds)] += 1

    def lines(self) -> list[str]:
        """What was counted."""
        with self._lock:
            found = ["# TYPE vp_site_requests_total counter"]
            for (route, method, status), count in sorted(self._requests.items()):
                labels = f'route="{_label(route)}",method="{method}",status="{status}"'
                found.append(f"vp_site_requests_total{{{labels}}} {count}")
            found.append("# TYPE vp_site_request_seconds histogram")
            for route, buckets in sorted(self._buckets.items()):
                name, so_far = _label(route), 0
                for edge, count in zip((*BUCKETS, "+Inf"), buckets, strict=True):
                    so_far += count
                    found.append(f'vp_site_request_seconds_bucket{{route="{name}",le="{edge}"}} {so_far}')
                found.append(f'vp_site_request_seconds_sum{{route="{name}"}} {self._seconds[route]:.6f}')
                found.append(f'vp_site_request_seconds_count{{route="{name}"}} {so_far}')
        return found


class Kept:
    """Lines that cost a question to Postgres: asked for `KEPT_SECONDS` once, whoever asks meanwhile."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._made = -inf
        self._lines: list[str] = []

    def get(self, make: Callable[[], list[str]]) -> list[str]:
        """The lines, made anew if they are too old."""
        with self._lock:
            if time.monotonic() - self._made > KEPT_SECONDS:
                self._lines = make()
                self._made = time.monotonic()
            return self._lines


class Counted:
    """Counts every request but the streams, which last as long as their readers stay."""

    def __init__(self, app: ASGIApp, counts: Counts) -> None:
        self.app, self.counts = app, counts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and note how it ended."""
        if scope["type"] != "http" or scope["path"] == STREAM_PATH:
            await self.app(scope, receive, send)
            return
        began, status = time.perf_counter(), 500

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, noting)
        finally:
            # The pattern and not the path: names from outside are endless.
            route = getattr(scope.get("route"), "path", "none")
            method = scope["method"] if scope["method"] in ("GET", "HEAD") else "other"
            self.counts.add(route, method, status, time.perf_counter() - began)


@router.get(HEALTH_PATH)
def healthz(request: Request) -> dict[str, str]:
    """Whether the database answers."""
    with reading(request) as connection:
        connection.execute("SELECT 1")
    return {"status": "ok"}


@router.get(METRICS_PATH, include_in_schema=False)
def metrics(request: Request) -> Response:
    """All of it, what it says of the markets up to `KEPT_SECONDS` old.

    While the database does not answer, `vp_database_up` is 0 and nothing is said of the markets.
    """
    counts: Counts = request.app.state.counts
    lines = counts.lines()
    lines += ["# TYPE vp_site_live_readers gauge", f"vp_site_live_readers {request.app.state.hub.readers}"]
    kept: Kept = request.app.state.kept
    lines += kept.get(partial(_of_markets, request))
    return Response("\n".join(lines) + "\n", media_type="text/plain; version=0.0.4")


def _of_markets(request: Request) -> list[str]:
    settings = settings_of(request)
    try:
        with reading(request) as connection:
            window = status_queries.last_day(connection)
            found = status_queries.market_statuses(connection, settings.catalog.markets, window)
    except psycopg.Error:
        found = None
    now = settings.catalog.time_of(datetime.now(UTC))
    up = ["# TYPE vp_database_up gauge", f"vp_database_up {int(found is not None)}"]
    lags, shares = ["# TYPE vp_market_lag_seconds gauge"], ["# TYPE vp_market_coverage_ratio gauge"]
    for one in found or ():
        if one.retired:
            continue
        name, lag = _label(one.name), one.lag(now)
        if lag is not None:
            lags.append(f'vp_market_lag_seconds{{market="{name}"}} {int(lag.total_seconds())}')
        if one.coverage is not None:
            shares.append(f'vp_market_coverage_ratio{{market="{name}",span="24h"}} {one.coverage:.6f}')
    return [*up, *lags, *shares]


def _label(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
