"""One exchange's minute candles of spot markets, through ccxt.

Here belong the shared client, exact-window paging and retries. What differs between exchanges is in
`traits`; what ccxt gets wrong in `strict`; what is asked twice in `doubts`; the work of many in `spot`.
"""

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache, partial
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

from vp_pipeline.exchanges import lean
from vp_pipeline.exchanges.answer import Answer
from vp_pipeline.exchanges.breaker import Breaker
from vp_pipeline.exchanges.doubts import Doubts
from vp_pipeline.exchanges.errors import FetchError, from_ccxt
from vp_pipeline.exchanges.frames import BadCandlesError, Fetched, Row, candles_of, minutes_of, settled
from vp_pipeline.exchanges.lean import ccxt
from vp_pipeline.exchanges.listings import Listings, ListingsFile, chosen
from vp_pipeline.exchanges.pace import Pace
from vp_pipeline.exchanges.patience import USUAL, Patience
from vp_pipeline.exchanges.second_look import after_last
from vp_pipeline.exchanges.strict import Request, Strict, current_request
from vp_pipeline.exchanges.traits import traits_of
from vp_pipeline.windows import MINUTE, Window, floor, from_ms, to_ms

# What ccxt's parsers raise over a body of another shape than the exchange's.
_STUMBLES = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)


def supported(exchange: str) -> bool:
    """Whether ccxt knows an exchange of this id."""
    return exchange in lean.EXCHANGES


class SpotClient:
    """One exchange: its ccxt client, which holds the rate limiter, and the listings of `symbols`.

    `host`, if given, stands in for the exchange's own: a sandbox; `recorded` says that it serves a
    recording. `cache` is the folder of what outlives a process, `pace` the line in which requests of other
    processes wait too. A client serves one round of requests: a failure to get the listings holds for all its
    markets. With `lists` false it never asks for them, which is megabytes, and takes those in the cache,
    however old.

    Raises:
        FetchError: ccxt knows no such exchange.
    """

    def __init__(
        self,
        exchange: str,
        symbols: Sequence[str],
        host: str | None = None,
        cache: Path | None = None,
        patience: Patience = USUAL,
        recorded: bool = False,
        lists: bool = True,
        pace: Pace | None = None,
    ) -> None:
        if not supported(exchange):
            raise FetchError(exchange, "ccxt knows no exchange of this id: correct it in the markets file")
        self.exchange = exchange
        self._symbols = symbols
        self._traits = traits_of(exchange)
        self._patience = patience
        self._lists = lists
        self._pace = pace
        self._file = ListingsFile(cache, exchange, host) if cache is not None else None
        self._breaker = Breaker(cache, exchange, host)
        self._preparing = asyncio.Lock()
        self._listings: Listings | FetchError | None = None
        self._doubts = Doubts(self._page, self._traits.page, self._oldest, recorded)
        strict = type(exchange, (Strict, lean.client(exchange)), {"extras": self._traits.extras})
        settings = {"enableRateLimit": True, "timeout": round(patience.timeout_seconds * 1000)}
        self._ccxt: Any = strict({**settings, "options": {**self._traits.options}})
        self._ccxt.ssl_context = _certificates(self._ccxt.cafile)
        if pace is not None:
            self._ccxt.turn = partial(pace.turn, exchange)
        if host is not None:
            self._ccxt.urls["api"] = rehosted(self._ccxt.urls["api"], host)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close its connections."""
        await self._ccxt.close()

    @property
    def closed_to_us(self) -> bool:
        """Whether the host wants, or can do, nothing more for us in this session."""
        return isinstance(self._listings, FetchError) or self._breaker.is_open

    @property
    def ahead(self) -> timedelta | None:
        """How far the exchange's clock is ahead of ours; None while it has not told."""
        lead: timedelta | None = self._ccxt.ahead
        return lead

    async def fetch(self, symbol: str, window: Window) -> Fetched:
        """Minute candles that open within the window, columns CANDLE_COLUMNS and `provisional`.

        Raises:
            FetchError: the market could not be fetched, or the answer cannot be believed.
        """
        market = f"{self.exchange} {symbol}"
        if not window:
            raise ValueError(f"{market}: nothing to fetch in an empty window")
        await self._prepare(symbol, market)
        rows: list[Row] = []
        silent: list[Window] = []
        first: datetime | None = None
        ahead = self.ahead
        served_from, answered_from, asked_to = window.start, window.end, window.end
        # Newest page first: its answer tells the exchange's time, and so what is too old to ask for.
        for page in reversed(list(window.split(self._traits.page * MINUTE))):
            if page.end <= served_from:
                break
            if self._ccxt.ahead is not None and self._ccxt.milliseconds() <= to_ms(page.start):
                # Nothing has opened there yet, if the exchange's clock is right.
                answered_from = asked_to = page.start
                continue
            page = Window(max(page.start, served_from), page.end)
            fetched, answer = await self._doubts.whole(symbol, page, market)
            moment = answer.now
            rows += fetched
            silent.append(after_last(fetched, page))
            served_from = max(served_from, self._oldest(moment) or served_from)
            answered_from = min(max(page.start, served_from), asked_to)
            # What was open when the newest candles came may have closed since.
            ahead = answer.ahead if first is None else ahead
            first = first or moment
        first = first or from_ms(self._ccxt.milliseconds())
        answered = Window(answered_from, max(answered_from, min(asked_to, settled(first))))
        early = served_from > window.start
        note = f"{self.exchange} serves no minutes before {served_from:%Y-%m-%d %H:%M} UTC" if early else ""
        try:
            frame = candles_of(rows, Window(answered_from, window.end), first)
        except BadCandlesError as error:
            raise FetchError(market, f"the answer is not candles ({error})", retryable=True) from error
        return Fetched(frame, window, answered, first, note, ahead or timedelta(0), silent)

    async def latest(self, symbol: str, window: Window) -> tuple[NDArray[np.float64], datetime]:
        """Minutes of a window of at most a page as one request shows them, and the exchange's time.

        The minutes are as `frames.minutes_of` gives them. Nothing is said of those that are not there.

        Raises:
            FetchError: as `fetch`.
        """
        market = f"{self.exchange} {symbol}"
        await self._prepare(symbol, market)
        rows, answer = await self._page(symbol, window, market)
        return minutes_of(rows, window, answer.now), answer.now

    async def _page(self, symbol: str, page: Window, market: str) -> tuple[list[Row], Answer]:
        """Rows of a page, as far back as they are served, and what else the answer says."""
        request = Request(Answer(), candles=True)

        async def candles() -> list[Row]:
            since, limit = to_ms(page.start), page.count(MINUTE)
            until = to_ms(page.end - MINUTE) + self._traits.until_offset_ms
            rows: list[Row] = await self._ccxt.fetch_ohlcv(
                symbol, "1m", since=since, limit=limit, params={"until": until}
            )
            minutes_of(rows, page, request.answer.now)  # what cannot be candles is asked for again
            return rows

        try:
            rows = await self._ask(market, request, candles)
        except FetchError:
            # A refusal of what is too old says where the served part begins.
            oldest = self._oldest(request.answer.exchange_time)
            if oldest is None or request.answer.status != 400 or page.start >= oldest:
                raise
            if page.end <= oldest:
                return [], request.answer
            return await self._page(symbol, Window(oldest, page.end), market)
        return rows, request.answer

    def _oldest(self, moment: datetime | None) -> datetime | None:
        """The first minute served at that moment, if not all are."""
        if moment is None or self._traits.depth is None:
            return None
        return floor(moment, MINUTE) - self._traits.depth

    async def _ask(self, market: str, request: Request, call: Callable[[], Awaitable[Any]]) -> Any:
        """The outcome of a ccxt call, asked for again while that may help."""
        attempt = 0
        while True:
            attempt += 1
            request.answer.forget()
            request.before = lambda: self._breaker.check(market)
            asked_at = self._breaker.check(market)
            token = current_request.set(request)
            try:
                result = await call()
                self._breaker.succeeded()
                return result
            except (ccxt.BaseError, *_STUMBLES) as error:
                failure = from_ccxt(market, error, request.answer)
                self._breaker.failed(failure, request.answer, asked_at)
                if self._pace is not None and request.answer.stay_away is not None:
                    await self._pace.hold(self.exchange, request.answer.stay_away.total_seconds())
                pause = self._patience.after(failure, attempt)
                if pause is None:
                    raise failure from error
            finally:
                current_request.reset(token)
            await asyncio.sleep(pause)

    async def _prepare(self, symbol: str, market: str) -> None:
        """Make sure that the client knows the symbol and, where requests depend on it, the time."""
        async with self._preparing:
            if self._listings is None:
                try:
                    self._listings = await self._known_listings(market)
                    self._ccxt.set_markets([listing for listing in self._listings.values() if listing])
                    if self._traits.by_clock and self._ccxt.ahead is None and self._ccxt.has["fetchTime"]:
                        await self._ask(market, Request(Answer()), self._ccxt.fetch_time)
                except FetchError as error:
                    self._listings = error
        if isinstance(self._listings, FetchError):
            raise replace(self._listings, market=market) from self._listings
        if self._listings.get(symbol) is None:
            unlisted = ccxt.BadSymbol(f"no spot market {symbol} in the list of {self.exchange}")
            raise from_ccxt(market, unlisted, Answer())

    async def _known_listings(self, market: str) -> Listings:
        """Those of the file, else the exchange's, for the symbols of the file and ours."""
        try:
            kept = self._file.read(aged=not self._lists) if self._file else {}
            if self._file is not None and kept.keys() >= set(self._symbols):
                return kept
            if not self._lists:
                raise FetchError(market, "not known yet whether the exchange lists it: a tick asks", True)
            markets = await self._ask(market, Request(Answer()), self._load_markets)
            listings = chosen(markets, list(dict.fromkeys([*kept, *self._symbols])))
            if self._file is not None:
                self._file.write(listings)
        except OSError as error:
            raise FetchError(market, f"cannot keep the exchange's listings: {error}") from error
        return listings

    async def _load_markets(self) -> dict[str, dict[str, Any]]:
        markets: dict[str, dict[str, Any]] = await self._ccxt.load_markets(reload=True)
        if not markets:
            raise ccxt.BadResponse(f"{self.exchange}: an empty list of markets")
        return markets


def rehosted(urls: Any, host: str) -> Any:
    """ccxt's tree of addresses with scheme and host replaced, each path kept."""
    if isinstance(urls, dict):
        return {name: rehosted(value, host) for name, value in urls.items()}
    return host + urlsplit(urls).path if isinstance(urls, str) else urls


@cache
def _certificates(file: str) -> ssl.SSLContext:
    """The authorities to believe, which take 20 ms to read: once for all exchanges."""
    return ssl.create_default_context(cafile=file)
