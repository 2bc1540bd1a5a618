"""ccxt made strict: what it passes over in silence becomes an error.

ccxt answers `[]` to HTML with status 200, to cut-off or empty bodies and to answers without the expected
key, and calls a geoblock a passing fault. The mixin works for every ccxt exchange class.
"""

import email.utils
from collections.abc import Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import ccxt


@dataclass
class Answer:
    """What the last response of a request said besides its candles."""

    exchange_time: datetime | None = None


# Set by the caller around one request, so that requests running side by side cannot mix up their answers.
current_answer: ContextVar[Answer] = ContextVar("current_answer")


class Strict:
    """Mixin before a ccxt exchange class: `type(name, (Strict, cls), {})`."""

    id: str

    def on_rest_response(
        self, code: int, reason: str, url: str, method: str, response_headers: dict[str, str], *rest: Any
    ) -> Any:
        """Note the exchange's own time, then let ccxt go on with the body."""
        answer = current_answer.get(None)
        sent = {name.lower(): value for name, value in response_headers.items()}.get("date")
        if answer is not None and sent is not None:
            answer.exchange_time = email.utils.parsedate_to_datetime(sent).astimezone(UTC)
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
        if code == 451:
            raise ccxt.PermissionDenied(f"{self.id} HTTP 451 {reason}")
        handled = super().handle_errors(code, reason, url, method, headers, body, response, *rest)  # type: ignore[misc]  # in ccxt's class
        if code >= 400:
            if response is None and code in (400, 403):
                kind = ccxt.PermissionDenied if code == 403 else ccxt.BadRequest
                raise kind(f"{self.id} HTTP {code} {reason}")
            self.handle_http_status_code(code, reason, url, method, body)  # type: ignore[attr-defined]  # in ccxt's class
            raise ccxt.ExchangeNotAvailable(f"{self.id} HTTP {code} {reason}")
        if response is None:
            raise ccxt.BadResponse(f"{self.id} HTTP {code} without JSON: {body[:80]!r}")
        if "ohlcv" in _words(url) and _says_nothing(response):
            raise ccxt.BadResponse(f"{self.id} HTTP {code} without candles: {body[:80]!r}")
        return handled

    def parse_ohlcvs(self, ohlcvs: Sequence[Any] | None, *rest: Any, **named: Any) -> Any:
        """Refuse candles that are not a list."""
        if not isinstance(ohlcvs, list):
            raise ccxt.BadResponse(f"{self.id}: candles missing from the answer")
        return super().parse_ohlcvs(ohlcvs, *rest, **named)  # type: ignore[misc]  # in ccxt's class


def _words(url: str) -> str:
    """`ohlcv` for the addresses of candle endpoints, whatever the exchange calls them."""
    path = url.split("?", 1)[0].lower()
    return "ohlcv" if any(name in path for name in ("candle", "kline", "ohlc")) else ""


def _says_nothing(response: Any) -> bool:
    """No list of candles anywhere in the answer, not even an empty one."""
    if isinstance(response, list):
        return False
    if isinstance(response, dict):
        return all(_says_nothing(value) for key, value in response.items() if key != "error")
    return True
