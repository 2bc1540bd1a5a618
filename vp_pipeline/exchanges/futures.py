"""Bars of Binance USD-M perpetuals, through the exchange's own connector.

The connector is no longer developed upstream, so that nothing outside of this module touches it.
"""

import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import requests
from binance.error import ClientError, ServerError
from binance.um_futures import UMFutures

from vp_pipeline.exchanges.answer import Answer
from vp_pipeline.exchanges.errors import FetchError, from_futures
from vp_pipeline.exchanges.frames import CANDLE_COLUMNS, BadCandlesError, Fetched, frame_of, settled
from vp_pipeline.exchanges.patience import USUAL, Patience
from vp_pipeline.windows import Window, to_ms

EXCHANGE = "binanceusdm"
# Up to 1000 rows cost weight 5 of 2400 a minute, more cost 10.
PAGE = 1000
KLINE_COLUMNS = (*CANDLE_COLUMNS[:7], "trades", "taker_buy_volume")
# What the connector raises over an error body without a code, and `_row` over anything but klines.
_STUMBLES = (LookupError, TypeError, ValueError)


class FuturesClient:
    """`host`, if given, stands in for the exchange's own: a sandbox. Not shared between threads."""

    def __init__(self, host: str | None = None, patience: Patience = USUAL) -> None:
        self._patience = patience
        self._answer = Answer()
        self._connector = UMFutures(**({"base_url": host} if host else {}), timeout=patience.timeout_seconds)
        # The connector's exceptions tell neither the time nor, always, the status.
        self._connector.session.hooks["response"].append(self._note)
        if host:
            self._connector.session.trust_env = False

    def fetch(self, symbol: str, interval: str, bar: timedelta, window: Window) -> Fetched:
        """Bars closed at least GRACE ago that open within the window, columns KLINE_COLUMNS.

        Raises:
            FetchError: the exchange could not be asked, or did not answer with bars.
        """
        market = f"{EXCHANGE} {symbol}"
        if not window:
            raise ValueError(f"{market}: nothing to fetch in an empty window")
        rows: list[list[float | None]] = []
        moments: list[datetime] = []
        for page in window.split(PAGE * bar):
            rows += self._page(symbol, interval, page, market)
            moments.append(self._answer.now)
        # What was open when a page came may have closed by the last one.
        moment = min(moments)
        answered = Window(window.start, max(window.start, min(window.end, settled(moment, bar))))
        try:
            frame = frame_of(rows, answered, bar, moment, KLINE_COLUMNS)
        except BadCandlesError as error:
            raise FetchError(market, f"the answer is not candles ({error})", retryable=True) from error
        return Fetched(frame, window, answered, moment)

    def _page(self, symbol: str, interval: str, page: Window, market: str) -> list[list[float | None]]:
        attempt = 0
        while True:
            attempt += 1
            self._answer.forget()
            try:
                return _parse(
                    self._connector.klines(
                        symbol,
                        interval,
                        startTime=to_ms(page.start),
                        endTime=to_ms(page.end) - 1,
                        limit=PAGE,
                    )
                )
            except (ClientError, ServerError, requests.RequestException, *_STUMBLES) as error:
                failure = from_futures(market, error, self._answer)
                pause = self._patience.after(failure, attempt)
                if pause is None:
                    raise failure from error
            time.sleep(pause)

    def _note(self, response: requests.Response, *_: object, **__: object) -> None:
        self._answer.note(response.status_code, response.headers)


def _parse(answer: Any) -> list[list[float | None]]:
    """Rows of KLINE_COLUMNS; LookupError, TypeError or ValueError on anything but a list of klines."""
    if not isinstance(answer, list):
        raise TypeError(f"not a list of klines: {str(answer)[:80]!r}")
    return [_row(kline) for kline in answer]


def _row(kline: Sequence[Any]) -> list[float | None]:
    # open time, open, high, low, close, volume, close time, quote volume, trades, taker buy volume, ...
    numbers = [None if kline[i] is None else float(kline[i]) for i in (1, 2, 3, 4, 5, 7, 8, 9)]
    return [int(kline[0]), *numbers]
