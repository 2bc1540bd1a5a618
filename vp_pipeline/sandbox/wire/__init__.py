"""The wire formats: one module per exchange, and the registry that maps a ccxt id to its format."""

from vp_pipeline.sandbox.wire.base import Wire
from vp_pipeline.sandbox.wire.binance import Binance, BinanceFutures, BinanceUS
from vp_pipeline.sandbox.wire.coinbaseexchange import CoinbaseExchange
from vp_pipeline.sandbox.wire.kraken import Kraken

_WIRES: tuple[type[Wire], ...] = (Binance, BinanceUS, CoinbaseExchange, Kraken, BinanceFutures)

WIRES: dict[str, type[Wire]] = {wire.exchange: wire for wire in _WIRES}
"""Every format by ccxt id; futures under `candles.FUTURES`."""
