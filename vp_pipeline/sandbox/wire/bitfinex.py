"""Bitfinex v2: bare arrays of numbers, no candle for a minute without a trade."""

from collections.abc import Sequence

from vp_pipeline.sandbox.candles import Market
from vp_pipeline.sandbox.wire.base import (
    BadParameterError,
    Endpoint,
    Json,
    MarketEndpoint,
    Query,
    Wire,
    WireError,
    named,
)

_TETHERS = {"USDT": "UST", "USDC": "UDC"}


class Bitfinex(Wire):
    """`start` and `end` in ms, both inclusive; limit 100, at most 10,000; newest first unless sort=1."""

    exchange = "bitfinex"
    timeframes = named(lambda name: name.replace("d", "D"))

    def endpoints(self) -> Sequence[Endpoint | MarketEndpoint]:
        """Candles and configuration lists."""
        candles = "/v2/candles/trade:{timeframe:[0-9A-Za-z]+}:{symbol}/hist"
        return (
            MarketEndpoint(candles, "symbol", self.candles),
            Endpoint("/v2/conf/{lists}", self.configuration),
        )

    def market_id(self, market: Market) -> str:
        """Such as tBTCUSD, or tLINK:USD where a name is longer than three letters."""
        base, quote = _TETHERS.get(market.base, market.base), _TETHERS.get(market.quote, market.quote)
        return f"t{base}:{quote}" if max(len(base), len(quote)) > 3 else f"t{base}{quote}"

    def unknown_market(self) -> WireError:
        """HTTP 500, code 10020."""
        return WireError(500, ["error", 10020, "symbol: invalid"])

    def bad_parameter(self, error: BadParameterError) -> WireError:
        """HTTP 500, code 10020."""
        return WireError(500, ["error", 10020, f"{error.name}: {error.reason}"])

    def candles(self, query: Query, market: Market) -> Json:
        """Rows of time (ms), open, close, high, low, base volume."""
        step = self.step(query, "timeframe")
        limit = min(query.integer("limit", 100), 10_000)
        start, stop = query.integer("start", 0), query.integer("end", query.now_ms) + 1
        ascending = query.integer("sort", -1) == 1
        choose = self.oldest if ascending else self.newest
        page = choose(query, market, step, start, stop, limit)
        columns = (page.open_time, page.open, page.close, page.high, page.low, page.volume)
        rows = [list(row) for row in zip(*(column.tolist() for column in columns), strict=True)]
        return rows if ascending else rows[::-1]

    def configuration(self, query: Query) -> Json:
        """The lists asked for, in order; those that a sandbox has nothing for are empty."""
        return [self._list(name) for name in query.text("lists").split(",")]

    def _list(self, name: str) -> Json:
        if name == "pub:info:pair":
            details = [None, None, None, "0.00004", "2000", None, None, None, None, None, None, None]
            return [[self.market_id(market)[1:], details] for market in self.listing]
        if name == "pub:list:currency":
            return [_TETHERS.get(name, name) for name in self.currency_names()]
        return []
