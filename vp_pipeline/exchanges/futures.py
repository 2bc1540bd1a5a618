"""Bars of Binance USD-M perpetuals, through the exchange's own connector.

The connector is no longer developed upstream, so that nothing outside of this module touches it.
"""

import threading
import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

import requests
from binance.error import ClientError, ServerError
from binance.um_futures import UMFutures

from vp_pipeline.exchanges.answer import Answer
from vp_pipeline.exchanges.breaker import Breaker
from vp_pipeline.exchanges.deadline import DeadlineError, within
from vp_pipeline.exchanges.errors import FetchError, from_futures
from vp_pipeline.exchanges.frames import CANDLE_COLUMNS, BadCandlesError, Fetched, Row, frame_of, settled
from vp_pipeline.exchanges.patience import USUAL, Patience
from vp_pipeline.exchanges.second_look import absences, count_in
from vp_pipeline.exchanges.weight import WeightLimiter
from vp_pipeline.windows import EPOCH, Window, to_ms

EXCHANGE = "binanceusdm"
PAGE = 1000
BUDGET = 2400
"""Request weight that an address has in a minute."""
KLINE_COLUMNS = (*CANDLE_COLUMNS[:7], "trades", "taker_buy_volume")
# What a request weighs, by the first limit that is not below its number of rows.
_WEIGHTS = {99: 1, 499: 2, 1000: 5, 1500: 10}
_COLUMNS_ON_WIRE = 12
# What the connector raises over an error body without a code, and `_row` over anything but klines.
_STUMBLES = (ArithmeticError, LookupError, RecursionError, TypeError, ValueError)
_FAILURES = (ClientError, ServerError, requests.RequestException, DeadlineError, *_STUMBLES)

_lock = threading.Lock()
_limiters: dict[str | None, WeightLimiter] = {}
# A session lasts as long as any client of the host.
_breakers: WeakValueDictionary[tuple[str | None, Path | None], Breaker] = WeakValueDictionary()


def weight(rows: int) -> int:
    """What a request for so many rows weighs; ValueError beyond the exchange's largest page."""
    for limit, cost in _WEIGHTS.items():
        if rows <= limit:
            return cost
    raise ValueError(f"a request has at most {max(_WEIGHTS)} rows, not {rows}")


class _Line:
    """A connector and the head of its last answer, used by one request at a time."""

    def __init__(self, host: str | None, seconds: float, limiter: WeightLimiter) -> None:
        self.answer = Answer()
        self._limiter = limiter
        self.connector = UMFutures(**({"base_url": host} if host else {}), timeout=seconds)
        # The connector's exceptions tell neither the time nor, always, the status.
        self.connector.session.hooks["response"].append(self._note)
        if host:
            self.connector.session.trust_env = False

    def _note(self, response: requests.Response, *_: object, **__: object) -> None:
        self.answer.note(response.status_code, response.headers)
        used = response.headers.get("X-MBX-USED-WEIGHT-1M", "")
        if used.isdecimal() and len(used) < 10:
            self._limiter.told(int(used))


class FuturesClient:
    """`host`, if given, stands in for the exchange's own: a sandbox. Not shared between threads.

    All clients of a host share its limiter and, while any of them lives, its breaker; `cache` is the folder
    in which a ban outlives them.
    """

    def __init__(
        self, host: str | None = None, patience: Patience = USUAL, cache: Path | None = None
    ) -> None:
        self._host, self._patience = host, patience
        with _lock:
            self._limiter = _limiters.setdefault(host, WeightLimiter(BUDGET))
            self._breaker = _breakers.setdefault((host, cache), Breaker(cache, EXCHANGE, host))
        self._line = self._connect()

    def fetch(self, symbol: str, interval: str, bar: timedelta, window: Window) -> Fetched:
        """Bars closed at least GRACE ago that open within the window, columns KLINE_COLUMNS.

        Raises:
            FetchError: the exchange could not be asked, or did not answer with bars.
        """
        market = f"{EXCHANGE} {symbol}"
        if not window:
            raise ValueError(f"{market}: nothing to fetch in an empty window")
        rows: list[Row] = []
        moments: list[datetime] = []
        for page in window.split(PAGE * bar):
            found, moment = self._whole(symbol, interval, bar, page)
            rows += found
            moments.append(moment)
        # What was open when a page came may have closed by the last one.
        moment = min(moments)
        answered = Window(window.start, max(window.start, min(window.end, settled(moment, bar))))
        try:
            frame = frame_of(rows, answered, bar, moment, KLINE_COLUMNS)
        except BadCandlesError as error:
            raise FetchError(market, f"the answer is not candles ({error})", retryable=True) from error
        return Fetched(frame, window, answered, moment)

    def _whole(self, symbol: str, interval: str, bar: timedelta, page: Window) -> tuple[list[Row], datetime]:
        """A page, what is missing at its ends asked for again, as `spot_client` does."""
        rows = self._page(symbol, interval, bar, page)
        moment = self._line.answer.now
        absent = absences(rows, page.intersect(Window(EPOCH, settled(moment, bar))), bar)
        while absent:
            gap = absent.pop()
            found = self._page(symbol, interval, bar, gap)
            rows += found
            if count_in(found, gap):
                absent += absences(found, gap, bar, head=bar, tail=bar)
        return rows, moment

    def _page(self, symbol: str, interval: str, bar: timedelta, page: Window) -> list[Row]:
        market, attempt, limit = f"{EXCHANGE} {symbol}", 0, -(-(page.end - page.start) // bar)
        while True:
            attempt += 1
            self._breaker.check(market)
            self._limiter.take(weight(limit))
            asked_at = self._breaker.check(market)
            line = self._line
            line.answer.forget()
            arguments = {"startTime": to_ms(page.start), "endTime": to_ms(page.end) - 1, "limit": limit}
            try:
                answer = within(
                    self._patience.timeout_seconds,
                    lambda: line.connector.klines(symbol, interval, **arguments),  # noqa: B023  # at once
                )
                rows = _parse(answer)
                frame_of(rows, page, bar, line.answer.now, KLINE_COLUMNS)  # else it is asked for again
            except _FAILURES as error:
                given_up = isinstance(error, DeadlineError)
                if given_up:  # its line is still in use
                    self._line = self._connect()
                head = Answer() if given_up else line.answer
                failure = from_futures(market, error, head)
                self._breaker.failed(failure, head, asked_at)
                pause = self._patience.after(failure, attempt)
                if pause is None:
                    raise failure from error
            else:
                self._breaker.succeeded()
                return rows
            time.sleep(pause)

    def _connect(self) -> _Line:
        return _Line(self._host, self._patience.timeout_seconds, self._limiter)


def _parse(answer: Any) -> list[Row]:
    """Rows of KLINE_COLUMNS; one of _STUMBLES on anything but a list of klines."""
    if not isinstance(answer, list):
        raise TypeError(f"not a list of klines: {str(answer)[:80]!r}")
    return [_row(kline) for kline in answer]


def _row(kline: Any) -> Sequence[float | None]:
    if not isinstance(kline, list) or len(kline) != _COLUMNS_ON_WIRE:
        raise TypeError(f"not a kline of {_COLUMNS_ON_WIRE} columns: {str(kline)[:80]!r}")
    # open time, open, high, low, close, volume, close time, quote volume, trades, taker buy volume, ...
    return [_number(kline[0]), *(_number(kline[i]) for i in (1, 2, 3, 4, 5, 7, 8, 9))]


def _number(value: Any) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise TypeError(f"not a number: {str(value)[:80]!r}")
    return float(value)
