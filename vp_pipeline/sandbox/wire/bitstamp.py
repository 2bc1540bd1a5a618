"""Bitstamp: objects of strings, oldest first."""

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
    numbered,
    seconds,
    texts,
)


class Bitstamp(Wire):
    """`start` and `end` in seconds, both inclusive; limit at most 1000."""

    exchange = "bitstamp"
    timeframes = numbered(1000, "1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "12h", "1d")

    def endpoints(self) -> Sequence[Endpoint | MarketEndpoint]:
        """OHLC data and the listing."""
        return (
            MarketEndpoint("/api/v2/ohlc/{pair}/", "pair", self.ohlc),
            Endpoint("/api/v2/markets/", self.markets),
        )

    def market_id(self, market: Market) -> str:
        """Such as btcusd."""
        return (market.base + market.quote).lower()

    def unknown_market(self) -> WireError:
        """HTTP 404; the wording is a guess, ccxt maps none."""
        return WireError(404, {"status": "error", "reason": "Invalid currency pair", "code": "404.001"})

    def bad_parameter(self, error: BadParameterError) -> WireError:
        """HTTP 400 with the reasons by parameter."""
        return WireError(400, {"status": "error", "reason": {"__all__": [f"{error.name}: {error.reason}"]}})

    def ohlc(self, query: Query, market: Market) -> Json:
        """Objects of timestamp (s), open, high, low, close, base volume; `end` wins over `start`."""
        step = self.step(query, "step")
        limit = query.integer("limit", 1000)
        if not 1 <= limit <= 1000:
            raise BadParameterError("limit", "it must be between 1 and 1000")
        start, end = query.optional_integer("start"), query.optional_integer("end")
        if start is not None and end is None:
            page = self.oldest(query, market, step, start * 1000, query.now_ms + 1, limit)
        else:
            stop = query.now_ms + 1 if end is None else end * 1000 + 1
            page = self.newest(query, market, step, (start or 0) * 1000, stop, limit)
        columns = (page.open, page.high, page.low, page.close, page.volume)
        names = ("timestamp", "open", "high", "low", "close", "volume")
        rows = zip(map(str, seconds(page)), *map(texts, columns), strict=True)
        ohlc = [dict(zip(names, row, strict=True)) for row in rows]
        return {"data": {"pair": market.symbol, "ohlc": ohlc}}

    def markets(self, query: Query) -> Json:
        """The listing."""
        return [
            {
                "name": market.symbol,
                "description": f"{market.base} / {market.quote}",
                "market_symbol": self.market_id(market),
                "market_type": "SPOT",
                "base_currency": market.base,
                "base_decimals": market.lot_decimals,
                "counter_currency": market.quote,
                "counter_decimals": market.price_decimals,
                "minimum_order_value": "10.0",
                "trading": "Enabled" if market.is_active(query.now_ms) else "Disabled",
            }
            for market in self.listing
        ]
