"""Oddities of real markets, laid over the simulated ones: doubled feeds, dead markets, hours without candles.

They are part of the sandbox's truth, unlike faults, which hide it; what a fault is says `faults`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vp_pipeline.sandbox.candles import MINUTE_MS, Candles, Market
from vp_pipeline.sandbox.clock import parse_instant
from vp_pipeline.sandbox.source import CandleSource, Label

_Name = tuple[str, str]  # exchange, symbol


@dataclass(frozen=True)
class Quirks:
    """`doubles`: markets that serve another's candles; `dead`: markets of one price and no volume, which
    even exchanges write that omit minutes without a trade; `outages`: exchanges without candles from one
    time in ms to another.
    """

    doubles: tuple[tuple[_Name, _Name], ...] = ()
    dead: tuple[_Name, ...] = ()
    outages: tuple[tuple[str, int, int], ...] = ()


def parse(doubles: Sequence[str], dead: Sequence[str], outages: Sequence[str]) -> Quirks:
    """Quirks as options name them. Raises ValueError, with an example, for one that cannot be read."""
    return Quirks(tuple(map(_double, doubles)), tuple(map(_market, dead)), tuple(map(_outage, outages)))


class QuirkySource:
    """A source with quirks. Raises ValueError for a quirk of a market that the source does not have."""

    def __init__(self, source: CandleSource, quirks: Quirks) -> None:
        self._source, self._outages = source, quirks.outages
        self._doubles = {name: self._find(other) for name, other in quirks.doubles}
        self._dead = frozenset(quirks.dead)
        for name in (*self._doubles, *self._dead):
            self._find(name)
        for exchange, _, _ in quirks.outages:
            if not source.markets(exchange):
                raise ValueError(f"there is no exchange {exchange!r}")

    @property
    def label(self) -> Label:
        """The label of the source below."""
        return self._source.label

    @property
    def description(self) -> str:
        """The source below, and that it has quirks."""
        return f"{self._source.description}, with quirks"

    def markets(self, exchange: str) -> Sequence[Market]:
        """The listing of the source below."""
        return self._source.markets(exchange)

    def candles(self, market: Market, step_ms: int, start_ms: int, stop_ms: int, now_ms: int) -> Candles:
        """Candles as the source below has them, but for the quirks."""
        name = (market.exchange, market.symbol)
        served = self._doubles.get(name, market)
        found = self._source.candles(served, step_ms, start_ms, stop_ms, now_ms)
        if name in self._dead:
            found = self._still(market, found, step_ms, now_ms)
        for exchange, start, end in self._outages:
            if exchange == market.exchange:
                found = found.take((found.open_time < start) | (found.open_time >= end))
        return found

    def _still(self, market: Market, found: Candles, step_ms: int, now_ms: int) -> Candles:
        first = self._source.candles(
            market, MINUTE_MS, market.listed_ms, market.listed_ms + 60 * MINUTE_MS, now_ms
        )
        if not len(found) or not len(first):
            return found
        times = np.arange(found.open_time[0], found.open_time[-1] + 1, step_ms, dtype=np.int64)
        price, nothing = np.full(times.size, first.close[0]), np.zeros(times.size)
        return Candles(times, price, price, price, price, *[nothing] * 5)

    def _find(self, name: _Name) -> Market:
        for market in self._source.markets(name[0]):
            if market.symbol == name[1]:
                return market
        raise ValueError(f"there is no market {' '.join(name)!r}")


def _market(text: str) -> _Name:
    words = text.split()
    if len(words) != 2:
        raise ValueError(f"{text!r} is not an exchange and a symbol, such as 'gate BTC/USD'")
    return words[0], words[1]


def _double(text: str) -> tuple[_Name, _Name]:
    name, equals, other = text.partition("=")
    if not equals:
        raise ValueError(f"{text!r} does not name two markets, such as 'htx BTC/USDT=binance BTC/USDT'")
    return _market(name), _market(other)


def _outage(text: str) -> tuple[str, int, int]:
    words = text.split()
    if len(words) != 3:
        example = "kraken 2025-03-05T02:00Z 2025-03-05T05:00Z"
        raise ValueError(f"{text!r} is not an exchange and two instants, such as {example!r}")
    start, end = (round(parse_instant(word).timestamp() * 1000) for word in words[1:])
    if end <= start:
        raise ValueError(f"{text!r} ends before it begins")
    return words[0], start, end
