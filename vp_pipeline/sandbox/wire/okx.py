"""OKX: arrays of strings, newest first, bounds exclusive; too small a page loses the oldest rows."""

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
    named,
    texts,
    texts_or_null,
)

_RECENT = 1440


def _bar(name: str) -> str:
    # Bars from six hours on are cut at midnight in Hong Kong unless their name says UTC.
    return name.upper() + "utc" if STEPS_MS[name] > STEPS_MS["4h"] else name.replace("h", "H")


class Okx(Wire):
    """`before` and `after` in ms: rows newer than the one, older than the other; limit 100, at most 300."""

    exchange = "okx"
    timeframes = named(_bar)

    def endpoints(self) -> Sequence[Endpoint | MarketEndpoint]:
        """Recent and older candles, instruments and time."""
        return (
            MarketEndpoint("/api/v5/market/candles", "instId", self.candles),
            MarketEndpoint("/api/v5/market/history-candles", "instId", self.history_candles),
            Endpoint("/api/v5/public/instruments", self.instruments),
            Endpoint("/api/v5/public/time", lambda query: _data([{"ts": str(query.now_ms)}])),
        )

    def market_id(self, market: Market) -> str:
        """Such as BTC-USDT."""
        return f"{market.base}-{market.quote}"

    def unknown_market(self) -> WireError:
        """Code 51001."""
        return _error("51001", "Instrument ID, Instrument ID code, or Spread ID doesn't exist.")

    def bad_parameter(self, error: BadParameterError) -> WireError:
        """Code 51000."""
        return _error("51000", f"Parameter {error.name} error: {error.reason}")

    def candles(self, query: Query, market: Market) -> Json:
        """The last 1440 candles, the open one included (confirm "0")."""
        step = self.step(query, "bar", "1m")
        newest = query.now_ms - query.now_ms % step
        return self._page(query, market, step, newest - (_RECENT - 1) * step, query.now_ms + 1)

    def history_candles(self, query: Query, market: Market) -> Json:
        """Closed candles of any age."""
        step = self.step(query, "bar", "1m")
        return self._page(query, market, step, 0, query.now_ms - query.now_ms % step)

    def _page(self, query: Query, market: Market, step: int, start: int, stop: int) -> Json:
        start = max(start, query.integer("before", start - 1) + 1)
        stop = min(stop, query.integer("after", stop))
        page = self.newest(query, market, step, start, stop, min(query.integer("limit", 100), 300))
        times = [str(time) for time in page.open_time.tolist()]
        prices = map(texts, (page.open, page.high, page.low, page.close))
        turnover = texts_or_null(page.quote_volume)
        confirm = ["1" if ends <= query.now_ms else "0" for ends in (page.open_time + step).tolist()]
        rows = zip(times, *prices, texts(page.volume), turnover, turnover, confirm, strict=True)
        return _data([list(row) for row in rows][::-1])

    def instruments(self, query: Query) -> Json:
        """The listing; only instType SPOT has any."""
        if query.text("instType") != "SPOT":
            return _data([])
        return _data(
            [
                {
                    "instType": "SPOT",
                    "instId": self.market_id(market),
                    "baseCcy": market.base,
                    "quoteCcy": market.quote,
                    "lotSz": increment(market.lot_decimals),
                    "tickSz": increment(market.price_decimals),
                    "state": "live" if market.is_active(query.now_ms) else "suspend",
                }
                for market in self.listing
            ]
        )


def _data(data: Json) -> Json:
    return {"code": "0", "msg": "", "data": data}


def _error(code: str, message: str) -> WireError:
    return WireError(200, {"code": code, "msg": message, "data": []})
