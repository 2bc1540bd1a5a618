"""The wire formats: one module per exchange, and the registry that maps a ccxt id to its format."""

from vp_pipeline.sandbox.candles import FUTURES
from vp_pipeline.sandbox.wire.base import Wire
from vp_pipeline.sandbox.wire.binance import Binance, BinanceFutures, BinanceUS
from vp_pipeline.sandbox.wire.bitfinex import Bitfinex
from vp_pipeline.sandbox.wire.bitstamp import Bitstamp
from vp_pipeline.sandbox.wire.bybit import Bybit
from vp_pipeline.sandbox.wire.coinbaseexchange import CoinbaseExchange
from vp_pipeline.sandbox.wire.cryptocom import CryptoCom
from vp_pipeline.sandbox.wire.gate import Gate
from vp_pipeline.sandbox.wire.htx import Htx
from vp_pipeline.sandbox.wire.kraken import Kraken
from vp_pipeline.sandbox.wire.kucoin import KuCoin
from vp_pipeline.sandbox.wire.okx import Okx

_WIRES: tuple[type[Wire], ...] = (
    Binance,
    BinanceUS,
    CoinbaseExchange,
    Htx,
    Gate,
    Kraken,
    Okx,
    Bybit,
    Bitstamp,
    Bitfinex,
    KuCoin,
    CryptoCom,
    BinanceFutures,
)

WIRES: dict[str, type[Wire]] = {wire.exchange: wire for wire in _WIRES}
"""Every format by ccxt id; futures under `candles.FUTURES`."""

SPOT_EXCHANGES: tuple[str, ...] = tuple(name for name in WIRES if name != FUTURES)
"""The ccxt ids of the exchanges with spot markets."""
