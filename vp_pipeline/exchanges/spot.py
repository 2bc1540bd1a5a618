"""Minute candles of spot markets, through ccxt.

Here belong one shared client an exchange, exact-window paging and retries. What differs between
exchanges is in `traits`; what ccxt gets wrong in `strict`.
"""

import asyncio
import json
import random
import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import ccxt.async_support
from ccxt import BadSymbol, BaseError

from vp_pipeline.exchanges.errors import FetchError, from_ccxt
from vp_pipeline.exchanges.frames import BadCandles, Fetched, frame_of
from vp_pipeline.exchanges.strict import Answer, Strict, current_answer
from vp_pipeline.exchanges.traits import traits_of
from vp_pipeline.windows import MINUTE, Window, floor, to_ms

ATTEMPTS = 3
TIMEOUT_MS = 10_000
_LISTING_LIFETIME_SECONDS = 24 * 3600

# ccxt's market by symbol; None where the exchange does not list it.
Listings = dict[str, dict[str, Any] | None]


def supported(exchange: str) -> bool:
    """Whether ccxt knows an exchange of this id."""
    return exchange in ccxt.async_support.exchanges


class SpotClient:
    """One exchange: its ccxt client, which holds the rate limiter, and the listings of `symbols`.

    `host`, if given, stands in for the exchange's own: a sandbox. `cache` keeps the listings of the
    markets in use for a day, since a full list is megabytes.
    """

    def __init__(
        self, exchange: str, symbols: Sequence[str], host: str | None = None, cache: Path | None = None
    ) -> None:
        if not supported(exchange):
            raise FetchError(exchange, "ccxt knows no exchange of this id: correct it in the markets file")
        self.exchange = exchange
        self._symbols = symbols
        self._traits = traits_of(exchange)
        self._cache = cache / f"{exchange}.json" if cache else None
        self._listing = asyncio.Lock()
        self._listings: Listings | None = None
        strict = type(exchange, (Strict, getattr(ccxt.async_support, exchange)), {})
        self._ccxt: Any = strict(
            {"enableRateLimit": True, "timeout": TIMEOUT_MS, "options": {**self._traits.options}}
        )
        if host is not None:
            self._ccxt.urls["api"] = _rehosted(self._ccxt.urls["api"], host, self._ccxt.hostname)

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
        await self._list(symbol, market)
        rows: list[list[float | None]] = []
        wanted, answered, moment = window, Window(window.end, window.end), None
        # Newest page first: its answer tells the exchange's time, and so what is too old to ask for.
        pages = list(window.split(self._traits.page * MINUTE))
        for page in reversed(pages):
            page = page.intersect(wanted)
            if not page:
                break
            fetched, moment = await self._page(symbol, page, market)
            rows += fetched
            if self._traits.depth is not None:
                oldest = floor(moment, MINUTE) - self._traits.depth
                wanted = Window(min(max(window.start, oldest), window.end), window.end)
            answered = Window(page.intersect(wanted).start, window.end)
        assert moment is not None
        answered = Window(answered.start, max(answered.start, min(window.end, floor(moment, MINUTE))))
        note = (
            ""
            if wanted == window
            else f"{self.exchange} serves no minutes before {wanted.start:%Y-%m-%d %H:%M} UTC"
        )
        try:
            frame = frame_of(rows, answered, 60_000, moment)
        except BadCandles as error:
            raise FetchError(market, f"the answer is not candles ({error})", retryable=True) from error
        return Fetched(frame, answered, moment, note)

    async def _page(
        self, symbol: str, page: Window, market: str
    ) -> tuple[list[list[float | None]], datetime]:
        for attempt in range(1, ATTEMPTS + 1):
            answer = Answer()
            token = current_answer.set(answer)
            try:
                rows = await self._ccxt.fetch_ohlcv(
                    symbol,
                    "1m",
                    since=to_ms(page.start),
                    limit=page.count(MINUTE),
                    params={"until": to_ms(page.end - MINUTE) + self._traits.until_offset_ms},
                )
            except BaseError as error:
                if _too_old(answer, page, self._traits.depth):
                    assert answer.exchange_time is not None
                    return [], answer.exchange_time
                failure = from_ccxt(market, error)
                if not failure.retryable or attempt == ATTEMPTS:
                    raise failure from error
                await asyncio.sleep(2 ** (attempt - 2) * random.uniform(0.5, 1.5))  # noqa: S311  # jitter
            else:
                # All exchanges send a Date; one that did not would be judged by our clock.
                return rows, answer.exchange_time or datetime.now(UTC)
            finally:
                current_answer.reset(token)
        raise AssertionError("the last attempt returns or raises")

    async def _list(self, symbol: str, market: str) -> None:
        """Make sure the client knows the symbol, from the cache or from the exchange's list."""
        async with self._listing:
            if self._listings is None:
                try:
                    self._listings = _read_cache(self._cache, self._symbols) or await self._ask_listings()
                except BaseError as error:
                    raise from_ccxt(market, error) from error
                self._ccxt.set_markets(
                    [listing for listing in self._listings.values() if listing is not None]
                )
        if self._listings.get(symbol) is None:
            raise from_ccxt(market, BadSymbol(f"no spot market {symbol} in the list of {self.exchange}"))

    async def _ask_listings(self) -> Listings:
        markets = await self._ccxt.load_markets()
        listings: Listings = {}
        for symbol in self._symbols:
            found = markets.get(symbol)
            listings[symbol] = {**found, "info": None} if found is not None and found["spot"] else None
        if self._cache is not None:
            _write_cache(self._cache, listings)
        return listings


def _too_old(answer: Answer, page: Window, depth: timedelta | None) -> bool:
    """A refusal of a page that lies wholly before what the exchange serves is an answer, not a fault."""
    return depth is not None and answer.exchange_time is not None and page.end <= answer.exchange_time - depth


def _rehosted(urls: Any, host: str, hostname: str | None) -> Any:
    """ccxt's tree of addresses with scheme and host replaced, each path kept."""
    if isinstance(urls, dict):
        return {name: _rehosted(value, host, hostname) for name, value in urls.items()}
    if not isinstance(urls, str):
        return urls
    return host + urlsplit(urls.replace("{hostname}", hostname or "")).path


def _read_cache(path: Path | None, symbols: Sequence[str]) -> Listings | None:
    """The kept listings, if they are of today and of all these symbols."""
    if path is None or not path.exists() or time.time() - path.stat().st_mtime > _LISTING_LIFETIME_SECONDS:
        return None
    try:
        listings: Listings = json.loads(path.read_text())
    except ValueError:  # cut off by a crash: the exchange is asked again
        return None
    return listings if set(symbols) <= set(listings) else None


def _write_cache(path: Path, listings: Listings) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(listings))
    temporary.replace(path)


async def fetch_all(
    wanted: Iterable[tuple[str, str]], window: Window, hosts: dict[str, str | None], cache: Path | None
) -> dict[tuple[str, str], Fetched | FetchError]:
    """Fetch (exchange, symbol) pairs side by side; each ends in candles or its own error."""
    wanted = list(wanted)
    outcomes: dict[tuple[str, str], Fetched | FetchError] = {}

    async def one_exchange(exchange: str, symbols: list[str]) -> None:
        try:
            client = SpotClient(exchange, symbols, hosts.get(exchange), cache)
        except FetchError as error:
            outcomes.update({(exchange, symbol): error for symbol in symbols})
            return

        async def one_market(symbol: str) -> None:
            try:
                outcomes[exchange, symbol] = await client.fetch(symbol, window)
            except FetchError as error:
                outcomes[exchange, symbol] = error

        async with client, asyncio.TaskGroup() as group:
            for symbol in symbols:
                group.create_task(one_market(symbol))

    async with asyncio.TaskGroup() as group:
        for exchange in dict.fromkeys(exchange for exchange, _ in wanted):
            group.create_task(one_exchange(exchange, [symbol for name, symbol in wanted if name == exchange]))
    return outcomes
