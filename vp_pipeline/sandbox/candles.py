"""What every candle source and every wire format share: a market, a block of candles, aggregation.

Nothing here knows an exchange's format, nor where candles come from.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from vp_pipeline.recordings.intervals import INTERVALS_MS

MINUTE_MS = 60_000
DAY_MS = 86_400_000
STEPS_MS = INTERVALS_MS
"""Candle lengths in milliseconds by name; each divides a day."""

FUTURES = "binanceusdm"
"""Name of the USD-M futures venue among the exchanges (ccxt's id for it)."""

QUOTE_DECIMALS = 4

Floats = NDArray[np.float64]
Times = NDArray[np.int64]


def align_up(time_ms: int, step_ms: int) -> int:
    """The first multiple of `step_ms` that is not before `time_ms`."""
    return -(-time_ms // step_ms) * step_ms


@dataclass(frozen=True)
class Market:
    """One listed market; times are Unix milliseconds and the life of it is [listed_ms, delisted_ms)."""

    exchange: str
    base: str
    quote: str
    listed_ms: int
    delisted_ms: int | None = None
    price_decimals: int = 8
    lot_decimals: int = 8

    @property
    def symbol(self) -> str:
        """The market's name in ccxt's form, such as BTC/USDT."""
        return f"{self.base}/{self.quote}"

    def is_active(self, now_ms: int) -> bool:
        """Whether the market still trades."""
        return self.delisted_ms is None or now_ms < self.delisted_ms


@dataclass(frozen=True)
class Candles:
    """Columns of equal length, oldest first: open time in ms, prices in quote, volumes in base units.

    A value nobody knows (a recording without trade counts, say) is NaN.
    """

    open_time: Times
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    quote_volume: Floats
    trades: Floats
    taker_buy_volume: Floats
    taker_buy_quote_volume: Floats

    def __len__(self) -> int:
        return self.open_time.size

    def take(self, rows: slice | NDArray[np.bool_]) -> Self:
        """The chosen rows."""
        return replace(self, **{field.name: getattr(self, field.name)[rows] for field in fields(self)})

    def between(self, start_ms: int, stop_ms: int) -> Self:
        """The rows that open in [start_ms, stop_ms)."""
        first, last = np.searchsorted(self.open_time, (start_ms, stop_ms))
        return self.take(slice(int(first), int(last)))


def empty() -> Candles:
    """A block of no candles."""
    none = np.empty(0)
    return Candles(np.empty(0, dtype=np.int64), *[none] * 9)


def concatenate(blocks: Sequence[Candles]) -> Candles:
    """The blocks one after another."""
    if not blocks:
        return empty()
    return Candles(
        *[np.concatenate([getattr(block, field.name) for block in blocks]) for field in fields(Candles)]
    )


def aggregate(minutes: Candles, step_ms: int, lot_decimals: int) -> Candles:
    """Candles of `step_ms` summed from shorter ones; volumes stay exact multiples of the lot.

    Rounding the sums removes only the error of adding binary fractions: it is far below half a lot.
    """
    if not len(minutes):
        return minutes
    bucket = minutes.open_time - minutes.open_time % step_ms
    starts = np.flatnonzero(np.diff(bucket, prepend=bucket[0] - 1))
    ends = np.append(starts[1:], len(minutes)) - 1

    def total(column: Floats, decimals: int) -> Floats:
        return np.asarray(np.round(np.add.reduceat(column, starts), decimals), dtype=np.float64)

    return Candles(
        open_time=bucket[starts],
        open=minutes.open[starts],
        high=np.maximum.reduceat(minutes.high, starts),
        low=np.minimum.reduceat(minutes.low, starts),
        close=minutes.close[ends],
        volume=total(minutes.volume, lot_decimals),
        quote_volume=total(minutes.quote_volume, QUOTE_DECIMALS),
        trades=total(minutes.trades, 0),
        taker_buy_volume=total(minutes.taker_buy_volume, lot_decimals),
        taker_buy_quote_volume=total(minutes.taker_buy_quote_volume, QUOTE_DECIMALS),
    )
