"""Coinbase Exchange: bare arrays of numbers, newest first, no candle for a minute without a trade."""

from collections.abc import Sequence
from datetime import UTC, datetime

from vp_pipeline.sandbox.candles import Market, align_up
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
    seconds,
)

_PAGE = 300


class CoinbaseExchange(Wire):
    """`start` and `end` are ISO 8601, both inclusive; more than 300 candles asked for is an error."""

    exchange = "coinbaseexchange"
    timeframes = numbered(1000, "1m", "5m", "15m", "1h", "6h", "1d")

    def endpoints(self) -> Sequence[Endpoint | MarketEndpoint]:
        """Candles, products, currencies and time."""
        return (
            MarketEndpoint("/products/{id}/candles", "id", self.candles),
            Endpoint("/products", self.products),
            Endpoint("/currencies", self.currencies),
            Endpoint("/time", self.time),
        )

    def market_id(self, market: Market) -> str:
        """Such as BTC-USD."""
        return f"{market.base}-{market.quote}"

    def unknown_market(self) -> WireError:
        """HTTP 404."""
        return WireError(404, {"message": "NotFound"})

    def bad_parameter(self, error: BadParameterError) -> WireError:
        """HTTP 400 with a message."""
        return WireError(400, {"message": f"Invalid {error.name}: {error.reason}"})

    def candles(self, query: Query, market: Market) -> Json:
        """Rows of time (s), low, high, open, close, volume."""
        step = self.step(query, "granularity", "60")
        start, stop = 0, query.now_ms + 1
        if "start" in query.parameters and "end" in query.parameters:  # either alone is ignored
            start, stop = _instant(query, "start"), _instant(query, "end") + 1
            asked = (align_up(stop, step) - align_up(start, step)) // step
            if asked > _PAGE:
                text = f"Count of aggregations requested exceeds {_PAGE}"
                text = f"granularity too small for the requested time range. {text}"
                raise WireError(400, {"message": text})
        page = self.newest(query, market, step, start, stop, _PAGE)
        columns = (page.low, page.high, page.open, page.close, page.volume)
        rows = zip(seconds(page), *(column.tolist() for column in columns), strict=True)
        return [list(row) for row in rows][::-1]

    def products(self, query: Query) -> Json:
        """The listing."""
        return [
            {
                "id": self.market_id(market),
                "base_currency": market.base,
                "quote_currency": market.quote,
                "base_increment": increment(market.lot_decimals),
                "quote_increment": increment(market.price_decimals),
                "status": "online" if market.is_active(query.now_ms) else "delisted",
            }
            for market in self.listing
        ]

    def currencies(self, _: Query) -> Json:
        """Every currency of the listing."""
        return [
            {"id": name, "name": name, "status": "online", "max_precision": "0.00000001"}
            for name in self.currency_names()
        ]

    def time(self, query: Query) -> Json:
        """Server time, as ISO 8601 and in seconds."""
        now = datetime.fromtimestamp(query.now_ms / 1000, UTC)
        return {
            "iso": now.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "epoch": query.now_ms / 1000,
        }


def _instant(query: Query, name: str) -> int:
    text = query.text(name)
    if text.isdigit():
        return int(text) * 1000
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise BadParameterError(name, f"{text!r} is neither ISO 8601 nor Unix seconds") from None
    return round((instant if instant.tzinfo else instant.replace(tzinfo=UTC)).timestamp() * 1000)
