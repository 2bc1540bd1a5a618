"""The simulated world's listings: which markets exist, how large they are and how their numbers look.

The figures are orders of magnitude of 2020-2025, chosen so that large, small and nearly dead markets all
occur; none is a measurement.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

from vp_pipeline.sandbox.candles import FUTURES, Market


def _ms(year: int, month: int = 1, day: int = 1) -> int:
    return int(datetime(year, month, day, tzinfo=UTC).timestamp()) * 1000


START_MS = _ms(2020)


@dataclass(frozen=True)
class Asset:
    """A base currency: USD prices, daily volatility, weight of the common factor, USD spot turnover."""

    first_price: float
    usual_price: float
    volatility: float
    beta: float
    daily_turnover: float
    price_decimals: int
    lot_decimals: int


ASSETS: dict[str, Asset] = {
    "BTC": Asset(7_200, 45_000, 0.026, 0.90, 6e9, 2, 5),
    "ETH": Asset(130, 2_400, 0.034, 0.85, 3e9, 2, 4),
    "SOL": Asset(1.5, 110, 0.048, 0.75, 1e9, 2, 3),
    "XRP": Asset(0.19, 0.75, 0.042, 0.70, 8e8, 4, 1),
    "BNB": Asset(13.7, 420, 0.036, 0.75, 7e8, 2, 3),
    "OP": Asset(1.2, 1.8, 0.055, 0.75, 2e8, 4, 1),
    "LINK": Asset(1.8, 13, 0.046, 0.75, 4e8, 3, 2),
}

# USD value of one unit of the quote currency: where it rests and its daily volatility.
QUOTES: dict[str, tuple[float, float]] = {
    "USD": (1.0, 0.0),
    "USDT": (1.0004, 0.0003),
    "USDC": (1.0, 0.0002),
    "BUSD": (1.0, 0.0002),
    "EUR": (1.10, 0.004),
}

# Share of the base's spot turnover, per market.
SHARES: dict[str, dict[str, float]] = {
    "binance": {
        "BTC/USDT": 0.38, "BTC/USDC": 0.03, "BTC/BUSD": 0.06, "BTC/EUR": 0.004, "ETH/USDT": 0.36,
    },
    "binanceus": {"BTC/USD": 0.002, "BTC/USDT": 0.001, "BTC/USDC": 0.00004},
    "coinbaseexchange": {"BTC/USD": 0.12, "BTC/USDT": 0.0002, "BTC/EUR": 0.0004, "ETH/USD": 0.12},
    "htx": {"BTC/USDT": 0.05, "BTC/USDC": 0.0002, "ETH/USDT": 0.05},
    "gate": {"BTC/USDT": 0.05, "BTC/USD": 0.0001, "ETH/USDT": 0.05},
    "kraken": {
        "BTC/USD": 0.025, "BTC/USDT": 0.0006, "BTC/USDC": 0.0001, "BTC/EUR": 0.008, "ETH/USD": 0.02,
    },
    "okx": {"BTC/USDT": 0.10, "ETH/USDT": 0.10},
    "bybit": {"BTC/USDT": 0.10, "ETH/USDT": 0.09},
    "kucoin": {"BTC/USDT": 0.02, "ETH/USDT": 0.02},
    "bitstamp": {"BTC/USD": 0.008, "ETH/USD": 0.004},
    "bitfinex": {"BTC/USD": 0.004, "ETH/USD": 0.0008},
    "cryptocom": {"BTC/USD": 0.02, "BTC/USDT": 0.01},
    FUTURES: {
        "BTC/USDT": 2.5, "ETH/USDT": 2.5, "XRP/USDT": 1.8, "BNB/USDT": 1.2, "SOL/USDT": 2.0,
        "OP/USDT": 1.5, "LINK/USDT": 1.2,
    },
}  # fmt: skip

DELISTED_MS: dict[tuple[str, str], int] = {("binance", "BTC/BUSD"): _ms(2023, 12, 15)}

# Coarser price steps than the asset's usual one, in decimals taken away.
COARSER: dict[str, int] = {"kraken": 1, "bitfinex": 2, FUTURES: 1}

# These write no candle for a minute without a trade; the others repeat the last price with volume 0.
# KuCoin's documentation says so of itself; the first two are known from recordings.
OMIT_EMPTY = frozenset({"coinbaseexchange", "bitfinex", "kucoin"})


def listing(exchange: str) -> list[Market]:
    """The simulated markets of one exchange; none if it is unknown."""
    markets = []
    for symbol in SHARES.get(exchange, {}):
        base, quote = symbol.split("/")
        asset = ASSETS[base]
        # A coarse step must still resolve the price: nothing is taken from assets worth a few dollars.
        coarser = COARSER.get(exchange, 0) if asset.usual_price > 1_000 else 0
        markets.append(
            Market(
                exchange=exchange,
                base=base,
                quote=quote,
                listed_ms=START_MS,
                delisted_ms=DELISTED_MS.get((exchange, symbol)),
                price_decimals=asset.price_decimals - coarser,
                lot_decimals=min(asset.lot_decimals, 3) if exchange == FUTURES else asset.lot_decimals,
            )
        )
    return markets
