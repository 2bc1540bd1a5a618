"""Bybit v5: arrays of strings, newest first."""

from collections.abc import Sequence

from vp_pipeline.sandbox.candles import STEPS_MS, Market
from vp_pipeline.sandbox.wire.base import (
    BadParameterError,
    Endpoint,
    Json,
    MarketEndpoint,
    Query,
    Wire,
    WireError,
    increment,
    numbered,
    texts,
    texts_or_null,
)


class Bybit(Wire):
    """`start` and `end` in ms, both inclusive; limit 200, at most 1000."""

    exchange = "bybit"
    timeframes = numbered(60_000, "1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "12h") | {
        "D": STEPS_MS["1d"]
    }

    def endpoints(self) -> Sequence[Endpoint | MarketEndpoint]:
        """Klines, instruments and time."""
        return (
            MarketEndpoint("/v5/market/kline", "symbol", self.kline),
            Endpoint("/v5/market/instruments-info", self.instruments),
            Endpoint("/v5/market/time", self.time),
        )

    def market_id(self, market: Market) -> str:
        """Such as BTCUSDT."""
        return market.base + market.quote

    def unknown_market(self) -> WireError:
        """Code 10001."""
        return _error("Not supported symbols")

    def bad_parameter(self, error: BadParameterError) -> WireError:
        """Code 10001."""
        return _error(f"params error: {error.name} {error.reason}")

    def kline(self, query: Query, market: Market) -> Json:
        """Rows of time (ms), open, high, low, close, base volume, turnover."""
        step = self.step(query, "interval")
        limit = min(query.integer("limit", 200), 1000)
        start, end = query.optional_integer("start"), query.optional_integer("end")
        if start is not None and end is None:
            page = self.oldest(query, market, step, start, query.now_ms + 1, limit)
        else:
            stop = query.now_ms + 1 if end is None else end + 1
            page = self.newest(query, market, step, start or 0, stop, limit)
        times = [str(time) for time in page.open_time.tolist()]
        columns = (page.open, page.high, page.low, page.close, page.volume)
        turnover = texts_or_null(page.quote_volume)
        rows = [list(row) for row in zip(times, *map(texts, columns), turnover, strict=True)][::-1]
        return _result(query, {"category": "spot", "symbol": self.market_id(market), "list": rows})

    def instruments(self, query: Query) -> Json:
        """The listing; only category spot has any."""
        listing = self.listing if query.text("category") == "spot" else ()
        instruments = [
            {
                "symbol": self.market_id(market),
                "baseCoin": market.base,
                "quoteCoin": market.quote,
                "status": "Trading" if market.is_active(query.now_ms) else "Closed",
                "marginTrading": "none",
                "lotSizeFilter": {"basePrecision": increment(market.lot_decimals)},
                "priceFilter": {"tickSize": increment(market.price_decimals)},
            }
            for market in listing
        ]
        return _result(query, {"category": query.text("category"), "list": instruments})

    def time(self, query: Query) -> Json:
        """Server time, in seconds and nanoseconds."""
        now = {"timeSecond": str(query.now_ms // 1000), "timeNano": f"{query.now_ms}000000"}
        return _result(query, now)


def _result(query: Query, result: Json) -> Json:
    return {"retCode": 0, "retMsg": "OK", "result": result, "retExtInfo": {}, "time": query.now_ms}


def _error(message: str) -> WireError:
    return WireError(200, {"retCode": 10001, "retMsg": message, "result": {}, "retExtInfo": {}})
