"""ccxt made strict: what it passes over in silence becomes an error.

ccxt answers `[]` to HTML with status 200, to cut-off or empty bodies and to answers without the expected
key, calls a geoblock a passing fault, and forms requests by the local clock, be it wrong. The mixin works
for every ccxt exchange class; which errors are worth another request is in `errors`.
"""

import math
import time
from collections.abc import Awaitable, Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from vp_pipeline.exchanges.answer import Answer
from vp_pipeline.exchanges.lean import ccxt
from vp_pipeline.exchanges.traits import Extras

# Refusals that pass: request timeout, too early.
_PASSING = (408, 425)
# No exchange counts in more digits than this.
_MOST_DIGITS = 100


@dataclass
class Request:
    """One request that a caller waits for: the answer's head, and how many rows the body's lists hold.

    `before` is called when the request leaves the rate limiter's queue, and may still stop it by raising.
    With `candles`, an answer without any list is refused; one whose lists are all empty is believed.
    """

    answer: Answer
    candles: bool = False
    rows: int = 0
    before: Callable[[], object] = lambda: None


# Set by the caller around one request, so that requests running side by side cannot mix up their answers.
current_request: ContextVar[Request] = ContextVar("current_request")


class Strict:
    """Mixin before a ccxt exchange class: `type(name, (Strict, cls), {"extras": ...})`."""

    id: str
    rateLimit: float  # noqa: N815  # ccxt's: milliseconds between two requests
    # Waits for a request's place in the line that all processes share, of this many milliseconds.
    turn: Callable[[float], Awaitable[None]] | None = None
    # Where the exchange's rows have what ccxt leaves out.
    extras: Extras = Extras()
    # How far the exchange's clock is ahead of ours, once an answer has told it.
    ahead: timedelta | None = None

    def milliseconds(self) -> int:
        """The exchange's time as far as known: the clock by which ccxt forms requests."""
        return time.time_ns() // 1_000_000 + (self.ahead or timedelta(0)) // timedelta(milliseconds=1)

    def seconds(self) -> int:
        """The same in seconds."""
        return self.milliseconds() // 1_000

    def microseconds(self) -> int:
        """The same in microseconds."""
        return self.milliseconds() * 1_000

    async def throttle(self, cost: float | None = None) -> None:
        """Wait for this process's limiter, and for the others' requests if there are others."""
        await super().throttle(cost)  # type: ignore[misc]  # in ccxt's class
        if self.turn is not None:
            await self.turn(self.rateLimit * (1 if cost is None else cost))

    def fetch(self, *arguments: Any, **named: Any) -> Any:
        """ccxt's, unless the caller stops the request."""
        request = current_request.get(None)
        if request is not None:
            request.before()
        return super().fetch(*arguments, **named)  # type: ignore[misc]  # in ccxt's class

    def on_rest_response(
        self, code: int, reason: str, url: str, method: str, response_headers: dict[str, str], *rest: Any
    ) -> Any:
        """Note status, time and Retry-After, then let ccxt go on with the body."""
        request = current_request.get(None)
        if request is not None:
            request.answer.note(code, response_headers)
            if request.answer.ahead is not None:
                self.ahead = request.answer.ahead
        return super().on_rest_response(code, reason, url, method, response_headers, *rest)  # type: ignore[misc]  # in ccxt's class

    def handle_errors(
        self,
        code: int,
        reason: str,
        url: str,
        method: str,
        headers: Any,
        body: str,
        response: Any,
        *rest: Any,
    ) -> Any:
        """Raise for every answer that is not a JSON document with a good status."""
        handled = None
        if response is not None:  # ccxt's own handlers stumble over bodies without JSON
            handled = super().handle_errors(code, reason, url, method, headers, body, response, *rest)  # type: ignore[misc]  # in ccxt's class
        if code >= 500:
            raise ccxt.ExchangeNotAvailable(f"{self.id} HTTP {code} {reason}")
        if code in _PASSING:
            raise ccxt.RequestTimeout(f"{self.id} HTTP {code} {reason}")
        if code >= 400:
            raise ccxt.BadRequest(f"{self.id} HTTP {code} {reason}")
        if response is None or not 200 <= code < 300:
            raise ccxt.BadResponse(f"{self.id} HTTP {code} without JSON: {body[:80]!r}")
        request = current_request.get(None)
        if request is not None and request.candles:
            lengths = list(_lengths(response))
            if not lengths:
                raise ccxt.BadResponse(f"{self.id} HTTP {code} without candles: {body[:80]!r}")
            request.rows = max(lengths)
        return handled

    def parse_precision(self, precision: str | None) -> Any:
        """ccxt's, which writes digit by digit, and so for ever, whatever number an answer holds."""
        if precision is not None and abs(int(precision)) > _MOST_DIGITS:
            raise ccxt.BadResponse(f"{self.id}: a precision of {str(precision)[:20]} digits")
        return super().parse_precision(precision)  # type: ignore[misc]  # in ccxt's class

    def parse_ohlcvs(self, ohlcvs: Any, market: Any = None, *_: Any, **__: Any) -> Any:
        """All candles of the answer, oldest first, of doubles the one with the most volume last.

        Refuses candles that are not a list, or an empty one made up for a list under another name. ccxt's
        own cut to a number of rows is left out: doubled rows would push others over the edge.
        """
        request = current_request.get(None)
        if not isinstance(ohlcvs, list) or (not ohlcvs and request is not None and request.rows):
            raise ccxt.BadResponse(f"{self.id}: candles missing from the answer")
        candles = [self.parse_ohlcv(ohlcv, market) for ohlcv in ohlcvs]
        return sorted(candles, key=lambda candle: (candle[0], candle[5] or 0.0))

    def parse_ohlcv(self, ohlcv: Any, *rest: Any, **named: Any) -> Any:
        """ccxt's six numbers, then turnover and taker-buy volume, NaN where the wire does not tell them.

        Refuses what is no row, and a row without a time, which would be sorted out as one before the window.
        """
        if not isinstance(ohlcv, list | dict):
            raise ccxt.BadResponse(f"{self.id}: not a candle: {str(ohlcv)[:80]}")
        candle = super().parse_ohlcv(ohlcv, *rest, **named)  # type: ignore[misc]  # in ccxt's class
        if candle[0] is None:
            raise ccxt.BadResponse(f"{self.id}: a candle without time in the answer: {str(ohlcv)[:80]}")
        turnover = _number(ohlcv, self.extras.turnover)
        if self.extras.average is not None and candle[5] is not None:
            turnover = _number(ohlcv, self.extras.average) * candle[5]
        return [*candle, turnover, _number(ohlcv, self.extras.taker_buy)]


def _number(row: Any, place: int | str | None) -> float:
    """The number at this place of a row, NaN if there is none that a volume can be."""
    try:
        value = float(row[place])
    except (LookupError, TypeError, ValueError, OverflowError):
        return math.nan
    return value if math.isfinite(value) and value >= 0 else math.nan


def _lengths(response: Any) -> Iterator[int]:
    """How long the answer's outermost lists are, wherever they are; those of errors do not count."""
    if isinstance(response, list):
        yield len(response)
    elif isinstance(response, dict):
        for name, value in response.items():
            if name != "error":
                yield from _lengths(value)
