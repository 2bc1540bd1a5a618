"""KuCoin: arrays of strings, newest first, no candle for a minute without a trade."""

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
    increment,
    named,
    seconds,
    texts,
    texts_or_null,
)

_PAGE = 1500


def _timeframe(name: str) -> str:
    return name.replace("m", "min").replace("h", "hour").replace("d", "day")


class KuCoin(Wire):
    """`startAt` (inclusive) and `endAt` (exclusive) in seconds; a page is 1500."""

    exchange = "kucoin"
    timeframes = named(_timeframe)

    def endpoints(self) -> Sequence[Endpoint | MarketEndpoint]:
        """Candles, symbols, tickers (for ccxt's fees), currencies and time."""
        return (
            MarketEndpoint("/api/v1/market/candles", "symbol", self.candles),
            Endpoint("/api/v1/symbols", self.symbols),
            Endpoint("/api/v2/symbols", self.symbols),
            Endpoint("/api/v1/market/allTickers", lambda query: _data({"time": query.now_ms, "ticker": []})),
            Endpoint("/api/v1/currencies", self.currencies),
            Endpoint("/api/v3/currencies", self.currencies),
            Endpoint("/api/v1/timestamp", lambda query: _data(query.now_ms)),
        )

    def market_id(self, market: Market) -> str:
        """Such as BTC-USDT."""
        return f"{market.base}-{market.quote}"

    def unknown_market(self) -> WireError:
        """Code 400100."""
        return WireError(200, {"code": "400100", "msg": "Unsupported trading pair."})

    def bad_parameter(self, error: BadParameterError) -> WireError:
        """Code 400100."""
        return WireError(200, {"code": "400100", "msg": f"Parameter {error.name}: {error.reason}"})

    def candles(self, query: Query, market: Market) -> Json:
        """Rows of time (s), open, close, high, low, base volume, turnover."""
        step = self.step(query, "type")
        start = query.integer("startAt", 0) * 1000
        end = query.optional_integer("endAt")
        # Whether endAt is exclusive is unverified; ccxt asks for one candle more than it wants.
        stop = query.now_ms + 1 if end is None else end * 1000
        page = self.newest(query, market, step, start, stop, _PAGE)
        columns = (page.open, page.close, page.high, page.low, page.volume)
        turnover = texts_or_null(page.quote_volume)
        rows = zip(map(str, seconds(page)), *map(texts, columns), turnover, strict=True)
        return _data([list(row) for row in rows][::-1])

    def symbols(self, query: Query) -> Json:
        """The listing."""
        return _data(
            [
                {
                    "symbol": self.market_id(market),
                    "name": self.market_id(market),
                    "baseCurrency": market.base,
                    "quoteCurrency": market.quote,
                    "baseIncrement": increment(market.lot_decimals),
                    "priceIncrement": increment(market.price_decimals),
                    "enableTrading": market.is_active(query.now_ms),
                    "isMarginEnabled": False,
                }
                for market in self.listing
            ]
        )

    def currencies(self, _: Query) -> Json:
        """Every currency of the listing, without chains."""
        names = self.currency_names()
        return _data([{"currency": name, "fullName": name, "precision": 8, "chains": []} for name in names])


def _data(data: Json) -> Json:
    return {"code": "200000", "data": data}
