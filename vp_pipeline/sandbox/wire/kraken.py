"""Kraken: the last 720 candles and nothing older, whatever `since` says."""

from collections.abc import Iterable, Sequence
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
    numbered,
    seconds,
    texts,
)

_PAGE = 720
# Currencies of the first years carry a prefix: X for coins, Z for state money; a pair shows both or neither.
_COINS = {
    "BTC": "XXBT",
    "ETH": "XETH",
    "LTC": "XLTC",
    "XRP": "XXRP",
    "DOGE": "XXDG",
    "ETC": "XETC",
    "XMR": "XXMR",
}
_MONEY = {"USD": "ZUSD", "EUR": "ZEUR", "GBP": "ZGBP", "CAD": "ZCAD", "JPY": "ZJPY"}
_SHORT = {"BTC": "XBT", "DOGE": "XDG"}


class Kraken(Wire):
    """`since` in seconds is exclusive and can only shorten the answer; the open candle is its last row."""

    exchange = "kraken"
    timeframes = numbered(60_000, "1m", "5m", "15m", "30m", "1h", "4h", "1d")

    def endpoints(self) -> Sequence[Endpoint | MarketEndpoint]:
        """OHLC, asset pairs, assets and time."""
        return (
            MarketEndpoint("/0/public/OHLC", "pair", self.ohlc),
            Endpoint("/0/public/AssetPairs", self.asset_pairs),
            Endpoint("/0/public/Assets", self.assets),
            Endpoint("/0/public/Time", lambda query: _result({"unixtime": query.now_ms // 1000})),
        )

    def market_id(self, market: Market) -> str:
        """Such as XXBTZUSD, or XBTUSDT where one side is too young for a prefix."""
        if market.base in _COINS and (market.quote in _MONEY or market.quote in _COINS):
            return _asset(market.base) + _asset(market.quote)
        return self._altname(market)

    def market_ids(self, market: Market) -> Iterable[str]:
        """The id and the short name."""
        return (self.market_id(market), self._altname(market))

    def unknown_market(self) -> WireError:
        """HTTP 200 with an error list."""
        return WireError(200, {"error": ["EQuery:Unknown asset pair"]})

    def bad_parameter(self, error: BadParameterError) -> WireError:
        """HTTP 200 with an error list."""
        return WireError(200, {"error": [f"EGeneral:Invalid arguments:{error.name}"]})

    def ohlc(self, query: Query, market: Market) -> Json:
        """Rows of time (s), open, high, low, close, vwap, volume, count; `last` is the last closed candle."""
        step = self.step(query, "interval", "1")
        start = query.now_ms - query.now_ms % step - (_PAGE - 1) * step
        since = query.optional_integer("since")
        if since is not None:
            start = max(start, since * 1000 + 1)
        page = self.newest(query, market, step, start, query.now_ms + 1, _PAGE)
        weighted = [
            _average(turnover, volume, market.price_decimals)
            for turnover, volume in zip(page.quote_volume.tolist(), page.volume.tolist(), strict=True)
        ]
        prices = (texts(column) for column in (page.open, page.high, page.low, page.close))
        rows = zip(seconds(page), *prices, weighted, texts(page.volume), counts(page.trades), strict=True)
        last = (query.now_ms // step - 1) * step // 1000
        return _result({self.market_id(market): [list(row) for row in rows], "last": last})

    def asset_pairs(self, query: Query) -> Json:
        """The listing, by id."""
        return _result(
            {
                self.market_id(market): {
                    "altname": self._altname(market),
                    "wsname": f"{_SHORT.get(market.base, market.base)}/{market.quote}",
                    "base": _asset(market.base),
                    "quote": _asset(market.quote),
                    "pair_decimals": market.price_decimals,
                    "lot_decimals": 8,
                    "status": "online" if market.is_active(query.now_ms) else "delisted",
                }
                for market in self.listing
            }
        )

    def assets(self, _: Query) -> Json:
        """Every currency of the listing, by id."""
        return _result(
            {
                _asset(name): {"altname": _SHORT.get(name, name), "decimals": 10, "status": "enabled"}
                for name in self.currency_names()
            }
        )

    def _altname(self, market: Market) -> str:
        return _SHORT.get(market.base, market.base) + _SHORT.get(market.quote, market.quote)


def _average(turnover: float, volume: float, decimals: int) -> str | None:
    if not volume:
        return "0.0"
    return None if isnan(turnover) else f"{turnover / volume:.{decimals}f}"


def _asset(name: str) -> str:
    return _COINS.get(name) or _MONEY.get(name) or name


def _result(result: Json) -> Json:
    return {"error": [], "result": result}
