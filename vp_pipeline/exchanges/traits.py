"""What differs between exchanges' candle endpoints, as far as our requests depend on it.

Figures from the exchanges' documentation and ccxt's source; where a live exchange disagrees, it is right.
Adding an exchange that ccxt knows takes one line here; one that is not here gets the cautious default.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

RECENT = timedelta(days=1)
"""So long after a minute an exchange that shows nothing since is asked again rather than believed."""


@dataclass(frozen=True)
class Extras:
    """Where a candle on the wire has what ccxt leaves out: index in the row, or name, None if nowhere.

    `turnover` is in the quote currency; where there is only an average price, `average` times volume gives
    it. `taker_buy` is in the base.
    """

    turnover: int | str | None = None
    average: int | None = None
    taker_buy: int | None = None


@dataclass(frozen=True)
class Traits:
    """`page`: candles a request may ask for. `depth`: how far back minutes are served, None for years.

    `until_offset_ms` is added to the open time of the last candle wanted, where the exchange takes the
    bound as exclusive. `by_clock`: ccxt forms its candle requests by the clock, which must be the exchange's.
    `options` are ccxt's.
    """

    page: int = 300
    depth: timedelta | None = None
    until_offset_ms: int = 0
    by_clock: bool = False
    options: dict[str, Any] = field(default_factory=dict)
    extras: Extras = field(default_factory=Extras)

    @property
    def doubted(self) -> timedelta:
        """How long minutes after the last candle shown are asked for again: while they are surely served."""
        return RECENT if self.depth is None else min(RECENT, self.depth / 2)


_KLINE = Extras(turnover=7, taker_buy=9)
_SPOT_ONLY = {"fetchMarkets": {"types": ["spot"]}}

TRAITS = {
    "binance": Traits(page=1000, options=_SPOT_ONLY, extras=_KLINE),
    "binanceus": Traits(page=1000, options=_SPOT_ONLY, extras=_KLINE),
    "bitfinex": Traits(page=10_000),
    "bitstamp": Traits(page=1000),
    "bybit": Traits(page=1000, options=_SPOT_ONLY, extras=Extras(turnover=6)),
    "coinbaseexchange": Traits(page=300),
    "cryptocom": Traits(page=300),
    "gate": Traits(
        page=1000,
        depth=timedelta(minutes=9_990),
        by_clock=True,
        options=_SPOT_ONLY,
        extras=Extras(turnover=1),
    ),
    "htx": Traits(
        page=1000,
        options={"fetchMarkets": {"types": {"spot": True, "linear": False, "inverse": False}}},
        extras=Extras(turnover="vol"),
    ),
    "kraken": Traits(page=720, depth=timedelta(minutes=719), extras=Extras(average=5)),
    "kucoin": Traits(page=1500, options=_SPOT_ONLY, extras=Extras(turnover=6)),
    "okx": Traits(page=300, until_offset_ms=1, by_clock=True, options=_SPOT_ONLY, extras=Extras(turnover=7)),
}


def traits_of(exchange: str) -> Traits:
    """The exchange's traits."""
    return TRAITS.get(exchange, Traits(by_clock=True))


def shortest_depth(exchanges: Iterable[str]) -> timedelta | None:
    """How far back all of these exchanges serve minutes; None if each does for years."""
    return min((t.depth for t in map(traits_of, exchanges) if t.depth is not None), default=None)
