"""Crypto.com Exchange v1: objects of strings, oldest first."""

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
    texts,
)

_CANDLES = "public/get-candlestick"
_INSTRUMENTS = "public/get-instruments"


class CryptoCom(Wire):
    """`start_ts` and `end_ts` in ms; the last `count` (25, at most 300) rows between them.

    The bounds are unverified. ccxt starts a candle early and ends one late, asking for `count` rows from
    `since`: that fits a range with its start included and its end not, of which the newest rows are kept.
    """

    exchange = "cryptocom"
    timeframes = named(lambda name: name.replace("d", "D"))

    def endpoints(self) -> Sequence[Endpoint | MarketEndpoint]:
        """Candlesticks and instruments."""
        return (
            MarketEndpoint(f"/exchange/v1/{_CANDLES}", "instrument_name", self.candlestick),
            Endpoint(f"/exchange/v1/{_INSTRUMENTS}", self.instruments),
        )

    def market_id(self, market: Market) -> str:
        """Such as BTC_USD."""
        return f"{market.base}_{market.quote}"

    def unknown_market(self) -> WireError:
        """Code 30003."""
        return _error(30003, "Invalid instrument_name")

    def bad_parameter(self, error: BadParameterError) -> WireError:
        """Code 40003."""
        return _error(40003, f"Invalid request: {error.name} {error.reason}")

    def candlestick(self, query: Query, market: Market) -> Json:
        """Objects of o, h, l, c, v (base volume) and t (ms)."""
        step = self.step(query, "timeframe", "1m")
        start, stop = query.integer("start_ts", 0), query.integer("end_ts", query.now_ms + 1)
        page = self.newest(query, market, step, start, stop, min(query.integer("count", 25), 300))
        columns = map(texts, (page.open, page.high, page.low, page.close, page.volume))
        data = [
            {"o": opens, "h": high, "l": low, "c": close, "v": volume, "t": time}
            for opens, high, low, close, volume, time in zip(*columns, page.open_time.tolist(), strict=True)
        ]
        instrument = {"instrument_name": self.market_id(market), "interval": query.text("timeframe", "1m")}
        return _result(_CANDLES, {**instrument, "data": data})

    def instruments(self, query: Query) -> Json:
        """The listing."""
        data = [
            {
                "symbol": self.market_id(market),
                "inst_type": "CCY_PAIR",
                "base_ccy": market.base,
                "quote_ccy": market.quote,
                "price_tick_size": increment(market.price_decimals),
                "qty_tick_size": increment(market.lot_decimals),
                "tradable": market.is_active(query.now_ms),
            }
            for market in self.listing
        ]
        return _result(_INSTRUMENTS, {"data": data})


def _result(method: str, result: Json) -> Json:
    return {"id": -1, "method": method, "code": 0, "result": result}


def _error(code: int, message: str) -> WireError:
    return WireError(400, {"id": -1, "code": code, "message": message})
