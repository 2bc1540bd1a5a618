"""HTX: objects of numbers, newest first; `amount` is base volume, `vol` turnover."""

from collections.abc import Sequence
from math import isnan

from vp_pipeline.sandbox.candles import Market
from vp_pipeline.sandbox.wire.base import (
    BadParameterError,
    Endpoint,
    Json,
    MarketEndpoint,
    Query,
    Wire,
    WireError,
    counts,
    named,
    seconds,
)

_NAMES = {
    "1m": "1min",
    "5m": "5min",
    "15m": "15min",
    "30m": "30min",
    "1h": "60min",
    "4h": "4hour",
    "1d": "1day",
}


class Htx(Wire):
    """`from` and `to` in seconds, both inclusive; size 150, at most 1000."""

    exchange = "htx"
    timeframes = named(_NAMES.__getitem__, *_NAMES)

    def endpoints(self) -> Sequence[Endpoint | MarketEndpoint]:
        """Candles, symbols, currencies and time."""
        return (
            MarketEndpoint("/market/history/candles", "symbol", self.candles),
            Endpoint("/v1/common/symbols", self.symbols),
            Endpoint("/v2/reference/currencies", self.currencies),
            Endpoint("/v1/common/timestamp", lambda query: {"status": "ok", "data": query.now_ms}),
        )

    def market_id(self, market: Market) -> str:
        """Such as btcusdt."""
        return (market.base + market.quote).lower()

    def unknown_market(self) -> WireError:
        """HTTP 200, status error."""
        return _error("invalid-parameter", "invalid symbol")

    def bad_parameter(self, error: BadParameterError) -> WireError:
        """HTTP 200, status error."""
        return _error("invalid-parameter", f"invalid {error.name}, {error.reason}")

    def candles(self, query: Query, market: Market) -> Json:
        """Objects of id (s), open, close, low, high, amount (base), vol (quote), count."""
        step = self.step(query, "period")
        size = min(query.integer("size", 150), 1000)
        start = query.optional_integer("from")
        stop = query.integer("to", query.now_ms // 1000) * 1000 + 1
        # Which end a range wider than `size` loses is not documented; ccxt asks for both to agree.
        if start is None:
            page = self.newest(query, market, step, 0, stop, size)
        else:
            page = self.oldest(query, market, step, start * 1000, stop, size)
        columns = (page.open, page.close, page.low, page.high, page.volume)
        turnover = [None if isnan(value) else value for value in page.quote_volume.tolist()]
        columns_of_rows = (seconds(page), *(column.tolist() for column in columns), turnover)
        rows = zip(*columns_of_rows, counts(page.trades), strict=True)
        names = ("id", "open", "close", "low", "high", "amount", "vol", "count")
        data = [dict(zip(names, row, strict=True)) for row in rows][::-1]
        return {"status": "ok", "ts": query.now_ms, "data": data}

    def symbols(self, query: Query) -> Json:
        """The listing."""
        data = [
            {
                "symbol": self.market_id(market),
                "base-currency": market.base.lower(),
                "quote-currency": market.quote.lower(),
                "price-precision": market.price_decimals,
                "amount-precision": market.lot_decimals,
                "value-precision": 8,
                "state": "online" if market.is_active(query.now_ms) else "offline",
            }
            for market in self.listing
        ]
        return {"status": "ok", "data": data}

    def currencies(self, _: Query) -> Json:
        """Every currency of the listing, without chains."""
        data = [
            {"currency": name.lower(), "chains": [], "instStatus": "normal"} for name in self.currency_names()
        ]
        return {"code": 200, "data": data}


def _error(code: str, message: str) -> WireError:
    return WireError(200, {"status": "error", "err-code": code, "err-msg": message, "data": None})
