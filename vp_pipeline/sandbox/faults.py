"""Faults on demand: what can go wrong between a client and an exchange, per exchange or market.

Which fault a request meets is decided here; the requests themselves are `server`'s.
"""

import asyncio
import json
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated, Literal, Self, get_args

from aiohttp import web
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from vp_pipeline.sandbox import alter
from vp_pipeline.sandbox.candles import Candles
from vp_pipeline.sandbox.clock import Clock, parse_instant

ARCHIVE = "binance_archive"
"""The name under which faults of the archive's files are set."""

SKEW = web.RequestKey("skew", float)
"""Key of a request by which its answer's date is off, in seconds."""

Instant = Annotated[datetime, BeforeValidator(lambda text: parse_instant(str(text)))]

_LONGEST_SECONDS = 600
_DAY_SECONDS = 86_400
_DRIP_SECONDS = 0.05


class Fault(BaseModel):
    """One kind of trouble for one exchange, or for the candles of one of its markets.

    - `status`: HTTP `status`, with `body` and a Retry-After header of `retry_after` seconds if given;
    - `reset`: the connection is dropped without an answer (aiohttp, and so ccxt's asynchronous clients,
      repeat a GET once by themselves if the connection had been used before: count two for one failure);
    - `delay`: the answer comes after `seconds`; `drip`: its bytes come evenly over `seconds`;
    - `html`: HTTP 200 with a web page; `empty_body`: HTTP 200 with nothing;
    - `truncated`: the connection ends in the middle of the true answer; with `connection` "kept", half the
      answer comes as if it were the whole;
    - `skew`: the Date header is off by `seconds`, which may be negative;
    - of candles alone, with status 200 and in the exchange's format: `empty_list`, no candles; `short`,
      without the oldest half; `reordered`; `duplicated`, every candle twice; `garbage_rows`, rows of nulls;
      `revised`, too little volume in candles closed less than `minutes` ago, the true one afterwards;
      `stalled`, without those that opened less than `minutes` ago, as if the feed of candles stood still;
    - of the archive alone, `wrong_checksum`: another digest than that of the file, and `truncated_zip`: a
      complete answer with half a file.

    It begins at `start` and ends at `end`, UTC instants of the sandbox's clock, and ends after `count`
    requests, each if given.
    """

    model_config = ConfigDict(extra="forbid")

    exchange: str
    market: str | None = Field(default=None, description="ccxt symbol, such as BTC/USDT")
    kind: Literal[
        "status",
        "reset",
        "delay",
        "html",
        "empty_body",
        "truncated",
        "drip",
        "skew",
        "empty_list",
        "short",
        "reordered",
        "duplicated",
        "garbage_rows",
        "revised",
        "stalled",
        "wrong_checksum",
        "truncated_zip",
    ]
    status: int | None = Field(default=None, ge=400, le=599)
    retry_after: int | None = Field(default=None, ge=0)
    body: str = ""
    seconds: float | None = Field(default=None, ge=-_DAY_SECONDS, le=_DAY_SECONDS)
    minutes: float | None = Field(default=None, gt=0, le=1440)
    connection: Literal["cut", "kept"] | None = None
    start: Instant | None = None
    end: Instant | None = None
    count: int | None = Field(default=None, ge=1)

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if (self.kind == "status") != (self.status is not None):
            raise ValueError("`status` (400 to 599) goes with kind `status`, and with no other")
        if (self.kind in ("delay", "drip", "skew")) != (self.seconds is not None):
            raise ValueError("`seconds` goes with kinds `delay`, `drip` and `skew`, and with no other")
        if self.seconds is not None and self.kind != "skew" and not 0 < self.seconds <= _LONGEST_SECONDS:
            raise ValueError(f"`seconds` of kind `{self.kind}` is above 0 and at most {_LONGEST_SECONDS}")
        if (self.kind in ("revised", "stalled")) != (self.minutes is not None):
            raise ValueError("`minutes` goes with kinds `revised` and `stalled`, and with no other")
        if self.connection is not None and self.kind != "truncated":
            raise ValueError("`connection` goes with kind `truncated`, and with no other")
        if self.start is not None and self.end is not None and self.end <= self.start:
            raise ValueError("`end` is after `start`")
        if self.of_candles and self.exchange == ARCHIVE:
            raise ValueError(f"kind `{self.kind}` goes with exchanges, not with {ARCHIVE}")
        if self.kind in ("wrong_checksum", "truncated_zip") and self.exchange != ARCHIVE:
            raise ValueError(f"kind `{self.kind}` goes with exchange {ARCHIVE}, and with no other")
        return self

    @property
    def of_candles(self) -> bool:
        """Whether it changes the candles of an answer, and meets no other request."""
        return self.kind == "garbage_rows" or self.kind in get_args(alter.Alteration)

    def fits(self, exchange: str, market: str | None, now: datetime) -> bool:
        """Whether a request at that moment meets it; `market` is None for one that is about no market."""
        if self.exchange != exchange or self.market not in (None, market):
            return False
        if self.of_candles and market is None:
            return False
        return (self.start is None or self.start <= now) and (self.end is None or now < self.end)

    def alteration(self, now_ms: int) -> Callable[[Candles, int], Candles]:
        """What it makes of the candles of an answer."""
        if self.kind in ("empty_list", "short", "reordered", "duplicated", "revised", "stalled"):
            return alter.candles(self.kind, self.minutes or 0, now_ms)
        return lambda candles, _: candles


class Faults:
    """The faults in force by `clock`; the first that fits a request is the one it meets."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._active: list[Fault] = []

    def replace(self, faults: Sequence[Fault]) -> None:
        """Put these in force and drop the others."""
        self._active = [fault.model_copy() for fault in faults]

    def active(self) -> Sequence[Fault]:
        """What is in force, with the counts that are left."""
        return tuple(self._active)

    def take(self, exchange: str, market: str | None) -> Fault | None:
        """The fault for one request, its count reduced by one."""
        for fault in self._active:
            if fault.fits(exchange, market, self._clock.now()):
                if fault.count is not None:
                    fault.count -= 1
                    if fault.count == 0:
                        self._active.remove(fault)
                return fault
        return None


async def apply(fault: Fault, request: web.Request, answer: web.Response) -> web.StreamResponse:
    """The answer as the fault leaves it."""
    match fault.kind:
        case "status":
            headers = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
            return web.Response(status=fault.status or 500, text=fault.body, headers=headers)
        case "delay":
            await asyncio.sleep(fault.seconds or 0)
            return answer
        case "html":
            page = "<html><body><h1>Scheduled maintenance</h1></body></html>"
            return web.Response(text=page, content_type="text/html")
        case "empty_body":
            return web.Response(content_type="application/json")
        case "reset":
            _drop(request)
            return answer
        case "drip":
            return await _drip(request, answer, fault.seconds or 0)
        case "skew":
            request[SKEW] = fault.seconds or 0.0
            return answer
        case "truncated" if fault.connection == "kept":
            body = _bytes(answer)
            return web.Response(
                status=answer.status, body=body[: len(body) // 2], content_type="application/json"
            )
        case "truncated":
            return await _truncate(request, answer)
        case "garbage_rows":
            nulls = json.dumps(alter.garbage(json.loads(_bytes(answer))))
            return web.Response(status=answer.status, text=nulls, content_type="application/json")
        case "empty_list" | "short" | "reordered" | "duplicated" | "revised" | "stalled":
            return answer  # its candles are altered already
        case "wrong_checksum" | "truncated_zip":
            return answer  # the archive has made it so


def _bytes(answer: web.Response) -> bytes:
    body = answer.body
    if not isinstance(body, bytes):
        raise TypeError(f"an exchange's answer is made of bytes, not {type(body).__name__}")
    return body


async def _drip(request: web.Request, answer: web.Response, seconds: float) -> web.StreamResponse:
    body = _bytes(answer)
    slow = web.StreamResponse(status=answer.status, headers={"Content-Type": "application/json"})
    slow.content_length = len(body)
    await slow.prepare(request)
    pieces = min(len(body), max(1, round(seconds / _DRIP_SECONDS)))
    size = -(-len(body) // pieces) if pieces else 1
    try:
        for start in range(0, len(body), size):
            await asyncio.sleep(seconds / pieces)
            await slow.write(body[start : start + size])
    except ConnectionResetError:
        _drop(request)  # the client has lost its patience, as it should
    return slow


async def _truncate(request: web.Request, answer: web.Response) -> web.StreamResponse:
    body = _bytes(answer)
    cut = web.StreamResponse(status=answer.status, headers={"Content-Type": "application/json"})
    cut.content_length = len(body)
    await cut.prepare(request)
    await cut.write(body[: len(body) // 2])
    if request.transport is not None:
        request.transport.close()
    return cut


def _drop(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()
