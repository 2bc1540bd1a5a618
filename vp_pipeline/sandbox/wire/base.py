"""What the exchanges' wire formats share: parameters, choice of rows under a page limit, errors.

A format itself, its paths and its rows, is in the exchange's own module.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from math import isnan
from typing import Any, ClassVar

import numpy as np

from vp_pipeline.sandbox.candles import STEPS_MS, Candles, Floats, Market, align_up, concatenate, empty
from vp_pipeline.sandbox.source import CandleSource

Json = Any


class WireError(Exception):
    """An answer other than the one asked for, in the exchange's own form."""

    def __init__(self, status: int, body: Json) -> None:
        super().__init__(f"HTTP {status}: {body}")
        self.status = status
        self.body = body


class BadParameterError(Exception):
    """A request parameter is missing or makes no sense."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"parameter {name}: {reason}")
        self.name = name
        self.reason = reason


@dataclass(frozen=True)
class Query:
    """One request: its parameters (of path and query string) and the time it is asked at.

    `alter` is what a fault makes of the candles of the answer, given the length of one in ms.
    """

    parameters: Mapping[str, str]
    now_ms: int
    alter: Callable[[Candles, int], Candles] = lambda candles, _: candles

    def text(self, name: str, default: str | None = None) -> str:
        """A parameter's text. Raises BadParameterError when it is missing and has no default."""
        value = self.parameters.get(name, default)
        if value is None:
            raise BadParameterError(name, "it is mandatory")
        return value

    def integer(self, name: str, default: int) -> int:
        """A whole number. Raises BadParameterError when it is not one."""
        value = self.optional_integer(name)
        return default if value is None else value

    def optional_integer(self, name: str) -> int | None:
        """A whole number, or None when the parameter is absent."""
        if name not in self.parameters:
            return None
        try:
            return int(self.parameters[name])
        except ValueError:
            raise BadParameterError(name, f"{self.parameters[name]!r} is not a whole number") from None


@dataclass(frozen=True)
class Endpoint:
    """A GET path that answers without regard to any one market."""

    path: str
    answer: Callable[[Query], Json]


@dataclass(frozen=True)
class MarketEndpoint:
    """A GET path about one market, whose id is in the parameter `market_parameter`."""

    path: str
    market_parameter: str
    answer: Callable[[Query, Market], Json]


class Wire(ABC):
    """One exchange's public REST interface over a candle source."""

    exchange: ClassVar[str]
    timeframes: ClassVar[Mapping[str, int]]
    """The exchange's names of candle lengths, in milliseconds."""

    def __init__(self, source: CandleSource) -> None:
        self._source = source
        self.listing: Sequence[Market] = source.markets(self.exchange)
        self._markets = {name: market for market in self.listing for name in self.market_ids(market)}

    @abstractmethod
    def endpoints(self) -> Sequence[Endpoint | MarketEndpoint]:
        """The paths served, below the exchange's own prefix."""

    @abstractmethod
    def market_id(self, market: Market) -> str:
        """The exchange's own id of a market."""

    @abstractmethod
    def unknown_market(self) -> WireError:
        """What the exchange says about a market it does not have."""

    @abstractmethod
    def bad_parameter(self, error: BadParameterError) -> WireError:
        """What the exchange says about a parameter that makes no sense."""

    def market_ids(self, market: Market) -> Iterable[str]:
        """Every name under which a market may be asked for."""
        return (self.market_id(market),)

    def respond(self, endpoint: Endpoint | MarketEndpoint, query: Query) -> Json:
        """The body of the answer. Raises WireError for any answer that is an error."""
        try:
            if isinstance(endpoint, Endpoint):
                return endpoint.answer(query)
            market = self.market_of(endpoint, query)
            if market is None:
                query.text(endpoint.market_parameter)
                raise self.unknown_market()
            return endpoint.answer(query, market)
        except BadParameterError as error:
            raise self.bad_parameter(error) from error

    def market_of(self, endpoint: Endpoint | MarketEndpoint, query: Query) -> Market | None:
        """The market that the request is about, if the exchange has it."""
        if isinstance(endpoint, Endpoint):
            return None
        return self._markets.get(query.parameters.get(endpoint.market_parameter, ""))

    def currency_names(self) -> list[str]:
        """Every currency of the listing, in order."""
        return sorted({name for market in self.listing for name in (market.base, market.quote)})

    def step(self, query: Query, parameter: str, default: str | None = None) -> int:
        """The candle length asked for, in ms."""
        name = query.text(parameter, default)
        if name not in self.timeframes:
            raise BadParameterError(parameter, f"{name!r} is not one of {', '.join(self.timeframes)}")
        return self.timeframes[name]

    def oldest(self, query: Query, market: Market, step: int, start: int, stop: int, limit: int) -> Candles:
        """The first `limit` candles that open in [start, stop)."""
        cursor, stop = self._clip(query, market, step, start, stop)
        span, found = limit * step, empty()
        # Minutes may be missing: the span searched doubles until there are enough rows.
        while len(found) < limit and cursor < stop:
            block = self._source.candles(market, step, cursor, min(cursor + span, stop), query.now_ms)
            found = concatenate([found, block]) if len(found) else block
            cursor, span = cursor + span, 2 * span
        return query.alter(found.take(slice(0, limit)), step)

    def newest(self, query: Query, market: Market, step: int, start: int, stop: int, limit: int) -> Candles:
        """The last `limit` candles that open in [start, stop), oldest first."""
        start, cursor = self._clip(query, market, step, start, stop)
        span, found = limit * step, empty()
        while len(found) < limit and cursor > start:
            block = self._source.candles(market, step, max(cursor - span, start), cursor, query.now_ms)
            found = concatenate([block, found]) if len(found) else block
            cursor, span = cursor - span, 2 * span
        return query.alter(found.take(slice(max(len(found) - limit, 0), None)), step)

    def _clip(self, query: Query, market: Market, step: int, start: int, stop: int) -> tuple[int, int]:
        end = query.now_ms + 1 if market.delisted_ms is None else min(query.now_ms + 1, market.delisted_ms)
        return align_up(max(start, market.listed_ms), step), align_up(min(stop, end), step)


def numbered(unit_ms: int, *names: str) -> dict[str, int]:
    """Timeframes of an exchange that names them by their length in some unit."""
    return {str(STEPS_MS[name] // unit_ms): STEPS_MS[name] for name in names}


def named(rename: Callable[[str], str], *names: str) -> dict[str, int]:
    """Timeframes of an exchange that has its own names for them; without `names`, all there are."""
    return {rename(name): STEPS_MS[name] for name in names or STEPS_MS}


def texts(values: Floats) -> list[str]:
    """Numbers as the shortest decimal strings that read back as the same doubles, without exponent."""
    return [_plain(text) if "e" in text else text for text in map(repr, values.tolist())]


def texts_or_null(values: Floats) -> list[str | None]:
    """As `texts`, None for what is not known: a recording without turnover, say."""
    return [None if text == "nan" else text for text in texts(values)]


def _plain(text: str) -> str:
    return format(Decimal(text), "f")


def seconds(candles: Candles) -> list[int]:
    """Open times in Unix seconds."""
    return [int(time) for time in (candles.open_time // 1000).tolist()]


def counts(values: Floats) -> list[int | None]:
    """Whole numbers, such as trade counts; None for what is not known."""
    return [None if isnan(value) else int(value) for value in np.rint(values).tolist()]


def increment(decimals: int) -> str:
    """The smallest step of a number with so many decimals, as text."""
    return format(Decimal(1).scaleb(-decimals), "f")
