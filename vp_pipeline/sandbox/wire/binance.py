"""Binance, Binance.US and Binance USD-M futures: one kline format, three hosts."""

from collections.abc import Sequence
from dataclasses import fields
from typing import ClassVar

from vp_pipeline.sandbox.candles import FUTURES, STEPS_MS, Candles, Market
from vp_pipeline.sandbox.wire.base import (
    BadParameterError,
    Endpoint,
    Json,
    MarketEndpoint,
    Query,
    Wire,
    WireError,
    counts,
    increment,
    texts_or_null,
)


class Binance(Wire):
    """Spot. Klines oldest first; startTime and endTime in ms, both inclusive; limit 500, at most 1000."""

    exchange = "binance"
    timeframes = STEPS_MS
    root: ClassVar[str] = "/api/v3"
    largest_page: ClassVar[int] = 1000

    def endpoints(self) -> Sequence[Endpoint | MarketEndpoint]:
        """Klines, listing, time and ping."""
        return (
            MarketEndpoint(f"{self.root}/klines", "symbol", self.klines),
            Endpoint(f"{self.root}/exchangeInfo", self.exchange_info),
            Endpoint(f"{self.root}/time", lambda query: {"serverTime": query.now_ms}),
            Endpoint(f"{self.root}/ping", lambda _: {}),
        )

    def market_id(self, market: Market) -> str:
        """Such as BTCUSDT."""
        return market.base + market.quote

    def unknown_market(self) -> WireError:
        """Code -1121."""
        return WireError(400, {"code": -1121, "msg": "Invalid symbol."})

    def bad_parameter(self, error: BadParameterError) -> WireError:
        """Codes -1120 (interval), -1102 (missing) and -1100 (malformed)."""
        if "mandatory" in error.reason:
            text = f"Mandatory parameter '{error.name}' was not sent, was empty/null, or malformed."
            return WireError(400, {"code": -1102, "msg": text})
        if error.name == "interval":
            return WireError(400, {"code": -1120, "msg": "Invalid interval."})
        text = f"Illegal characters found in parameter '{error.name}': {error.reason}"
        return WireError(400, {"code": -1100, "msg": text})

    def klines(self, query: Query, market: Market) -> Json:
        """Twelve columns: prices and volumes as strings, times and the trade count as numbers."""
        step = self.step(query, "interval")
        limit = min(query.integer("limit", 500), self.largest_page)
        start = query.optional_integer("startTime")
        stop = query.integer("endTime", query.now_ms) + 1
        if start is None:
            candles = self.newest(query, market, step, 0, stop, limit)
        else:
            candles = self.oldest(query, market, step, start, stop, limit)
        return _rows(candles, step)

    def exchange_info(self, query: Query) -> Json:
        """The listing; a retired market stays in it with status BREAK."""
        return {
            "timezone": "UTC",
            "serverTime": query.now_ms,
            "symbols": [self._symbol(market, query.now_ms) for market in self.listing],
        }

    def _symbol(self, market: Market, now_ms: int) -> dict[str, Json]:
        return {
            "symbol": self.market_id(market),
            "status": "TRADING" if market.is_active(now_ms) else "BREAK",
            "baseAsset": market.base,
            "quoteAsset": market.quote,
            "baseAssetPrecision": 8,
            "quotePrecision": 8,
            "permissions": ["SPOT"],
            "filters": [
                {"filterType": "PRICE_FILTER", "tickSize": increment(market.price_decimals)},
                {"filterType": "LOT_SIZE", "stepSize": increment(market.lot_decimals)},
            ],
        }


class BinanceUS(Binance):
    """The same format with its own markets."""

    exchange = "binanceus"


class BinanceFutures(Binance):
    """USD-M futures. Limit 500, at most 1500."""

    exchange = FUTURES
    root = "/fapi/v1"
    largest_page = 1500

    def _symbol(self, market: Market, now_ms: int) -> dict[str, Json]:
        return {
            **super()._symbol(market, now_ms),
            "pair": self.market_id(market),
            "contractType": "PERPETUAL",
            "marginAsset": market.quote,
            "deliveryDate": 4133404800000,
            "onboardDate": market.listed_ms,
            "pricePrecision": market.price_decimals,
            "quantityPrecision": market.lot_decimals,
        }


def _rows(candles: Candles, step: int) -> list[Json]:
    opened = candles.open_time.tolist()
    strings = {field.name: texts_or_null(getattr(candles, field.name)) for field in fields(candles)[1:]}
    return [
        [time, *prices, time + step - 1, quote_volume, count, taker_base, taker_quote, "0"]
        for time, *prices, quote_volume, count, taker_base, taker_quote in zip(
            opened,
            *(strings[name] for name in ("open", "high", "low", "close", "volume", "quote_volume")),
            counts(candles.trades),
            strings["taker_buy_volume"],
            strings["taker_buy_quote_volume"],
            strict=True,
        )
    ]
