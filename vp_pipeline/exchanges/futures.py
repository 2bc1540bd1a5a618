"""Bars of Binance USD-M perpetuals, through the exchange's own connector.

The connector is no longer developed upstream, so that nothing outside of this module touches it.
"""

import email.utils
import random
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import requests
from binance.error import ClientError, ServerError
from binance.um_futures import UMFutures

from vp_pipeline.exchanges.errors import FetchError, from_futures
from vp_pipeline.exchanges.frames import CANDLE_COLUMNS, BadCandles, Fetched, frame_of
from vp_pipeline.windows import Window, floor, to_ms

EXCHANGE = "binanceusdm"
# Up to 1000 rows cost weight 5 of 2400 a minute, more cost 10.
PAGE = 1000
ATTEMPTS = 3
TIMEOUT_SECONDS = 10
KLINE_COLUMNS = (*CANDLE_COLUMNS, "quote_volume", "trades", "taker_buy_volume")


class FuturesClient:
    """`host`, if given, stands in for the exchange's own: a sandbox. Not shared between threads."""

    def __init__(self, host: str | None = None) -> None:
        self._connector = UMFutures(
            **({"base_url": host} if host else {}), timeout=TIMEOUT_SECONDS, show_header=True
        )
        if host:
            self._connector.session.trust_env = False

    def fetch(self, symbol: str, interval: str, bar: timedelta, window: Window) -> Fetched:
        """Closed bars that open within the window, columns KLINE_COLUMNS, volumes in the base asset.

        Raises:
            FetchError: the exchange could not be asked, or did not answer with bars.
        """
        market = f"{EXCHANGE} {symbol}"
        rows: list[list[float | None]] = []
        moment = None
        for page in window.split(PAGE * bar):
            fetched, moment = self._page(symbol, interval, page, market)
            rows += fetched
        if moment is None:
            raise ValueError(f"{market}: nothing to fetch in an empty window")
        answered = Window(window.start, max(window.start, min(window.end, floor(moment, bar))))
        try:
            frame = frame_of(rows, answered, bar // timedelta(milliseconds=1), moment, KLINE_COLUMNS)
        except BadCandles as error:
            raise FetchError(market, f"the answer is not candles ({error})", retryable=True) from error
        return Fetched(frame, answered, moment)

    def _page(
        self, symbol: str, interval: str, page: Window, market: str
    ) -> tuple[list[list[float | None]], datetime]:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                answer = self._connector.klines(
                    symbol, interval, startTime=to_ms(page.start), endTime=to_ms(page.end) - 1, limit=PAGE
                )
                return _parse(answer)
            # The connector raises KeyError on an error body without a code.
            except (
                ClientError,
                ServerError,
                requests.RequestException,
                KeyError,
                TypeError,
                ValueError,
            ) as error:
                failure = from_futures(market, error)
                if not failure.retryable or attempt == ATTEMPTS:
                    raise failure from error
                time.sleep(2 ** (attempt - 2) * random.uniform(0.5, 1.5))  # noqa: S311  # jitter
        raise AssertionError("the last attempt returns or raises")


def _parse(answer: Any) -> tuple[list[list[float | None]], datetime]:
    """Rows of KLINE_COLUMNS and the exchange's time; ValueError on anything but a list of klines."""
    data, header = answer["data"], answer["header"]
    if not isinstance(data, list):
        raise ValueError(f"not a list: {str(data)[:80]!r}")
    sent = header.get("Date")
    moment = email.utils.parsedate_to_datetime(sent).astimezone(UTC) if sent else datetime.now(UTC)
    return [_row(kline) for kline in data], moment


def _row(kline: Sequence[Any]) -> list[float | None]:
    # open time, open, high, low, close, volume, close time, quote volume, trades, taker buy volume, ...
    numbers = [None if kline[i] is None else float(kline[i]) for i in (1, 2, 3, 4, 5, 7, 8, 9)]
    return [int(kline[0]), *numbers]
