"""Gate: arrays of strings, oldest first, no further back than 10,000 candles."""

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
    seconds,
    texts,
    texts_or_null,
)

_DEPTH = 10_000
_PAGE = 1000


class Gate(Wire):
    """`from` and `to` in seconds, both inclusive, or `limit` (100, at most 1000), but not together."""

    exchange = "gate"
    timeframes = STEPS_MS

    def endpoints(self) -> Sequence[Endpoint | MarketEndpoint]:
        """Candlesticks, pairs, currencies and time."""
        return (
            MarketEndpoint("/api/v4/spot/candlesticks", "currency_pair", self.candlesticks),
            Endpoint("/api/v4/spot/currency_pairs", self.currency_pairs),
            Endpoint("/api/v4/margin/currency_pairs", lambda _: []),
            Endpoint("/api/v4/spot/currencies", self.currencies),
            Endpoint("/api/v4/spot/time", lambda query: {"server_time": query.now_ms}),
        )

    def market_id(self, market: Market) -> str:
        """Such as BTC_USDT."""
        return f"{market.base}_{market.quote}"

    def unknown_market(self) -> WireError:
        """HTTP 400 with a label."""
        return _refused("INVALID_CURRENCY_PAIR", "Invalid currency pair")

    def bad_parameter(self, error: BadParameterError) -> WireError:
        """HTTP 400 with a label."""
        return _refused("INVALID_PARAM_VALUE", f"Invalid {error.name}: {error.reason}")

    def candlesticks(self, query: Query, market: Market) -> Json:
        """Rows of time (s), quote volume, close, high, low, open, base volume, whether closed."""
        step = self.step(query, "interval", "30m")
        start, stop = query.optional_integer("from"), query.integer("to", query.now_ms // 1000)
        if "limit" in query.parameters and start is not None:
            raise BadParameterError("limit", "it conflicts with from and to")
        limit = query.integer("limit", 100)
        if limit > _PAGE or (start is not None and stop - start > _PAGE * step // 1000):
            text = f"Candlestick range too broad. Maximum {_PAGE} data points are allowed per request"
            raise _refused("INVALID_PARAM_VALUE", text)
        if start is None:
            page = self.newest(query, market, step, 0, stop * 1000 + 1, limit)
        else:
            if start * 1000 < query.now_ms - _DEPTH * step:
                text = f"Candlestick too long ago. Maximum {_DEPTH} points ago are allowed"
                raise _refused("INVALID_PARAM_VALUE", text)
            page = self.oldest(query, market, step, start * 1000, stop * 1000 + 1, _PAGE)
        columns = (page.close, page.high, page.low, page.open, page.volume)
        turnover = texts_or_null(page.quote_volume)
        closed = ["true" if ends <= query.now_ms else "false" for ends in (page.open_time + step).tolist()]
        rows = zip(map(str, seconds(page)), turnover, *map(texts, columns), closed, strict=True)
        return [list(row) for row in rows]

    def currency_pairs(self, query: Query) -> Json:
        """The listing."""
        return [
            {
                "id": self.market_id(market),
                "base": market.base,
                "quote": market.quote,
                "fee": "0.2",
                "amount_precision": market.lot_decimals,
                "precision": market.price_decimals,
                "trade_status": "tradable" if market.is_active(query.now_ms) else "untradable",
            }
            for market in self.listing
        ]

    def currencies(self, _: Query) -> Json:
        """Every currency of the listing."""
        return [{"currency": name, "name": name, "delisted": False} for name in self.currency_names()]


def _refused(label: str, message: str) -> WireError:
    return WireError(400, {"label": label, "message": message})
