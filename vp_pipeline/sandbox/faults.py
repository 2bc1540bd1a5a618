"""Faults on demand: what can go wrong between a client and an exchange, per exchange or market.

Which fault a request meets is decided here; the requests themselves are `server`'s.
"""

import asyncio
from collections.abc import Sequence
from typing import Literal, Self

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, model_validator

ARCHIVE = "binance_archive"
"""The name under which faults of the archive's files are set."""


class Fault(BaseModel):
    """One kind of trouble for one exchange, or for the candles of one of its markets.

    - `status`: HTTP `status`, with `body` and a Retry-After header of `retry_after` seconds if given;
    - `reset`: the connection is dropped without an answer (aiohttp, and so ccxt's asynchronous clients,
      repeat a GET once by themselves if the connection had been used before: count two for one failure);
    - `delay`: the answer comes after `seconds`;
    - `html`: HTTP 200 with a web page; `empty_body`: HTTP 200 with nothing;
    - `truncated`: the connection ends in the middle of the true answer;
    - of the archive alone, `wrong_checksum`: another digest than that of the file, and `truncated_zip`: a
      complete answer with half a file.

    It ends after `count` requests, or never.
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
        "wrong_checksum",
        "truncated_zip",
    ]
    status: int | None = Field(default=None, ge=400, le=599)
    retry_after: int | None = Field(default=None, ge=0)
    body: str = ""
    seconds: float | None = Field(default=None, gt=0, le=600)
    count: int | None = Field(default=None, ge=1)

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if (self.kind == "status") != (self.status is not None):
            raise ValueError("`status` (400 to 599) goes with kind `status`, and with no other")
        if (self.kind == "delay") != (self.seconds is not None):
            raise ValueError("`seconds` goes with kind `delay`, and with no other")
        if self.kind in ("wrong_checksum", "truncated_zip") and self.exchange != ARCHIVE:
            raise ValueError(f"kind `{self.kind}` goes with exchange {ARCHIVE}, and with no other")
        return self


class Faults:
    """The faults in force; the first that fits a request is the one it meets."""

    def __init__(self) -> None:
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
            if fault.exchange == exchange and fault.market in (None, market):
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
        case "truncated":
            return await _truncate(request, answer)
        case "wrong_checksum" | "truncated_zip":
            return answer  # the archive has made it so


async def _truncate(request: web.Request, answer: web.Response) -> web.StreamResponse:
    body = answer.body
    if not isinstance(body, bytes):
        raise TypeError(f"an exchange's answer is made of bytes, not {type(body).__name__}")
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
