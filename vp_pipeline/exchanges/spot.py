"""Minute candles of spot markets, through ccxt.

Here belong one shared client an exchange, exact-window paging and retries. What differs between
exchanges is in `traits`; what ccxt gets wrong in `strict`.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import ccxt.async_support
from ccxt import BadResponse, BadSymbol, BaseError

from vp_pipeline.exchanges.answer import Answer
from vp_pipeline.exchanges.errors import FetchError, from_ccxt
from vp_pipeline.exchanges.frames import BadCandlesError, Fetched, frame_of
from vp_pipeline.exchanges.listings import Listings, ListingsFile, chosen
from vp_pipeline.exchanges.patience import USUAL, Patience
from vp_pipeline.exchanges.strict import Request, Strict, current_request
from vp_pipeline.exchanges.traits import traits_of
from vp_pipeline.windows import MINUTE, Window, floor, from_ms, to_ms

# What ccxt's parsers raise over a body of another shape than the exchange's.
_STUMBLES = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)


def supported(exchange: str) -> bool:
    """Whether ccxt knows an exchange of this id."""
    return exchange in ccxt.async_support.exchanges


class SpotClient:
    """One exchange: its ccxt client, which holds the rate limiter, and the listings of `symbols`.

    `host`, if given, stands in for the exchange's own: a sandbox. `cache` is the folder of the listings.
    A client serves one round of requests: a failure to get the listings holds for all its markets.

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
    ) -> None:
        if not supported(exchange):
            raise FetchError(exchange, "ccxt knows no exchange of this id: correct it in the markets file")
        self.exchange = exchange
        self._symbols = symbols
        self._traits = traits_of(exchange)
        self._patience = patience
        self._file = ListingsFile(cache, exchange, host) if cache is not None else None
        self._preparing = asyncio.Lock()
        self._listings: Listings | FetchError | None = None
        strict = type(exchange, (Strict, getattr(ccxt.async_support, exchange)), {})
        settings = {"enableRateLimit": True, "timeout": round(patience.timeout_seconds * 1000)}
        self._ccxt: Any = strict({**settings, "options": {**self._traits.options}})
        if host is not None:
            self._ccxt.urls["api"] = _rehosted(self._ccxt.urls["api"], host)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._ccxt.close()

    async def fetch(self, symbol: str, window: Window) -> Fetched:
        """Closed minute candles of a minute-aligned window, volume as ccxt counts it.

        Raises:
            FetchError: the exchange could not be asked, or did not answer with candles.
        """
        market = f"{self.exchange} {symbol}"
        if not window:
            raise ValueError(f"{market}: nothing to fetch in an empty window")
        await self._prepare(symbol, market)
        rows: list[list[float | None]] = []
        first: datetime | None = None
        oldest, answered_from = window.start, window.end
        # Newest page first: its answer tells the exchange's time, and so what is too old to ask for.
        for page in reversed(list(window.split(self._traits.page * MINUTE))):
            if page.end <= oldest:
                break
            if self._ccxt.ahead is not None and self._ccxt.milliseconds() <= to_ms(page.start):
                continue  # nothing has opened there yet
            page = Window(max(page.start, oldest), page.end)
            fetched, moment = await self._page(symbol, page, market)
            rows += fetched
            oldest = max(oldest, self._oldest(moment) or oldest)
            answered_from = min(max(page.start, oldest), window.end)
            # What was open when the newest candles came may have closed since.
            first = first or moment
        first = first or from_ms(self._ccxt.milliseconds())
        answered = Window(answered_from, max(answered_from, min(window.end, floor(first, MINUTE))))
        early = oldest > window.start
        note = f"{self.exchange} serves no minutes before {oldest:%Y-%m-%d %H:%M} UTC" if early else ""
        try:
            frame = frame_of(rows, answered, 60_000, first)
        except BadCandlesError as error:
            raise FetchError(market, f"the answer is not candles ({error})", retryable=True) from error
        return Fetched(frame, answered, first, note)

    async def _page(
        self, symbol: str, page: Window, market: str
    ) -> tuple[list[list[float | None]], datetime]:
        """Rows of a page, as far back as they are served, and the exchange's time."""
        request = Request(Answer(), candles=True)
        until = to_ms(page.end - MINUTE) + self._traits.until_offset_ms
        try:
            rows = await self._ask(
                market,
                request,
                lambda: self._ccxt.fetch_ohlcv(
                    symbol,
                    "1m",
                    since=to_ms(page.start),
                    limit=page.count(MINUTE),
                    params={"until": until},
                ),
            )
        except FetchError:
            # A refusal of what is too old says where the served part begins.
            oldest = self._oldest(request.answer.exchange_time)
            if oldest is None or request.answer.status != 400 or page.start >= oldest:
                raise
            if page.end <= oldest:
                return [], request.answer.now
            return await self._page(symbol, Window(oldest, page.end), market)
        return rows, request.answer.now

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
            token = current_request.set(request)
            try:
                return await call()
            except (BaseError, *_STUMBLES) as error:
                failure = from_ccxt(market, error, request.answer)
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
            unlisted = BadSymbol(f"no spot market {symbol} in the list of {self.exchange}")
            raise from_ccxt(market, unlisted, Answer())

    async def _known_listings(self, market: str) -> Listings:
        """Those of the file, else the exchange's, for the symbols of the file and ours."""
        try:
            kept = self._file.read() if self._file else {}
            if self._file is not None and kept.keys() >= set(self._symbols):
                return kept
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
            raise BadResponse(f"{self.exchange}: an empty list of markets")
        return markets


def _rehosted(urls: Any, host: str) -> Any:
    """ccxt's tree of addresses with scheme and host replaced, each path kept."""
    if isinstance(urls, dict):
        return {name: _rehosted(value, host) for name, value in urls.items()}
    return host + urlsplit(urls).path if isinstance(urls, str) else urls


async def fetch_all(
    wanted: Iterable[tuple[str, str]],
    window: Window,
    hosts: Mapping[str, str | None],
    cache: Path | None,
    patience: Patience = USUAL,
) -> dict[tuple[str, str], Fetched | FetchError]:
    """Fetch (exchange, symbol) pairs side by side; each ends in candles or its own error."""
    symbols: dict[str, list[str]] = {}
    for exchange, symbol in wanted:
        symbols.setdefault(exchange, []).append(symbol)
    outcomes: dict[tuple[str, str], Fetched | FetchError] = {}

    async def one_exchange(exchange: str) -> None:
        try:
            client = SpotClient(exchange, symbols[exchange], hosts.get(exchange), cache, patience)
        except FetchError as error:
            for symbol in symbols[exchange]:
                outcomes[exchange, symbol] = replace(error, market=f"{exchange} {symbol}")
            return

        async def one_market(symbol: str) -> None:
            try:
                outcomes[exchange, symbol] = await client.fetch(symbol, window)
            except FetchError as error:
                outcomes[exchange, symbol] = error

        async with client, asyncio.TaskGroup() as group:
            for symbol in symbols[exchange]:
                group.create_task(one_market(symbol))

    async with asyncio.TaskGroup() as group:
        for exchange in symbols:
            group.create_task(one_exchange(exchange))
    return outcomes
