"""The simulated source: every venue's minutes, made from the shared price paths; bars are their sums.

The paths are in `prices`, the listings in `universe`; how a candle is written is the wire formats' affair.
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import fields

import numpy as np

from vp_pipeline.sandbox import universe
from vp_pipeline.sandbox.candles import (
    DAY_MS,
    MINUTE_MS,
    QUOTE_DECIMALS,
    Candles,
    Floats,
    Market,
    aggregate,
    align_up,
    concatenate,
    empty,
)
from vp_pipeline.sandbox.prices import HORIZON_DAYS, MINUTES, Days, PricePaths, normals
from vp_pipeline.sandbox.source import Label

_TRADE_USD = 700.0  # turnover of a usual trade
_CACHED_DAYS = 192  # 115 kB each
_BLOCK_DAYS = 4  # simulated in one go: arrays that still fit a processor's cache


class GeneratedSource:
    """Deterministic markets from 2020-01-01 to the end of 2041: one seed, one history."""

    label: Label = "simulated"

    def __init__(self, seed: int = 0) -> None:
        if seed < 0:
            raise ValueError(f"the seed must not be negative, got {seed}")
        self.seed = seed
        self._paths = PricePaths(seed)
        self._days: OrderedDict[tuple[Market, int], Candles] = OrderedDict()
        self._daily: dict[Market, Floats] = {}  # the columns after open_time, by day

    @property
    def description(self) -> str:
        """The label and the seed."""
        return f"{self.label}, seed {self.seed}"

    def markets(self, exchange: str) -> Sequence[Market]:
        """The simulated listing of one exchange."""
        return universe.listing(exchange)

    def candles(self, market: Market, step_ms: int, start_ms: int, stop_ms: int, now_ms: int) -> Candles:
        """Candles that open in [start_ms, stop_ms), the one open at `now_ms` as it stands then."""
        end_of_time = universe.START_MS + HORIZON_DAYS * DAY_MS
        first = align_up(max(start_ms, market.listed_ms), step_ms)
        last = min(stop_ms, now_ms + 1, market.delisted_ms or end_of_time, end_of_time)
        if first >= last:
            return empty()
        last = align_up(last, step_ms)  # a bar that opens before the stop is wanted whole
        closed = min(last, now_ms - now_ms % DAY_MS) if step_ms == DAY_MS else first
        bars = self._daily_bars(market, first, closed) if closed > first else empty()
        start = max(first, closed)
        if start >= last:
            return bars
        minutes = self._minutes(market, start, min(last, now_ms + 1), now_ms)
        if step_ms > MINUTE_MS:
            minutes = aggregate(minutes, step_ms, market.lot_decimals)
        return concatenate([bars, minutes]) if len(bars) else minutes

    def _daily_bars(self, market: Market, start_ms: int, stop_ms: int) -> Candles:
        """Bars of closed days, kept once made: they are asked for by the thousand."""
        if market not in self._daily:
            self._daily[market] = np.full((len(fields(Candles)) - 1, HORIZON_DAYS), np.nan)
        known = self._daily[market]
        days = np.arange(_day(start_ms), _day(stop_ms), dtype=np.int64)
        missing = days[np.isnan(known[0, days])]
        for position in range(0, missing.size, _BLOCK_DAYS):
            block = missing[position : position + _BLOCK_DAYS]
            bars = aggregate(self._simulate(market, block), DAY_MS, market.lot_decimals)
            for row, field in enumerate(fields(Candles)[1:]):
                known[row, block] = getattr(bars, field.name)
        return Candles(universe.START_MS + days * DAY_MS, *known[:, days])

    def _minutes(self, market: Market, start_ms: int, stop_ms: int, now_ms: int) -> Candles:
        # One minute more, so that an open minute knows the price at which it began.
        earlier = max(start_ms - MINUTE_MS, market.listed_ms)
        days = range(_day(earlier), _day(stop_ms - 1) + 1)
        minutes = concatenate([self._whole_day(market, day) for day in days]).between(earlier, stop_ms)
        if len(minutes) and minutes.open_time[-1] + MINUTE_MS > now_ms:
            minutes = concatenate([minutes.take(slice(0, -1)), _partial(minutes, market, now_ms)])
            if market.exchange in universe.OMIT_EMPTY:
                minutes = minutes.take(minutes.trades > 0)
        return minutes.between(start_ms, stop_ms)

    def _whole_day(self, market: Market, day: int) -> Candles:
        if (market, day) not in self._days:
            self._days[market, day] = self._simulate(market, np.array([day]))
            if len(self._days) > _CACHED_DAYS:
                self._days.popitem(last=False)
        self._days.move_to_end((market, day))
        return self._days[market, day]

    def _simulate(self, market: Market, days: Days) -> Candles:
        """All minutes of the days that the venue writes, oldest first."""
        base = self._paths.days(market.base, days)
        drawn = normals(self.seed, f"{market.exchange} {market.symbol}", days, 6 * MINUTES)
        wick_up, wick_down, own, taker, size, venue = (
            drawn[:, column * MINUTES : (column + 1) * MINUTES] for column in range(6)
        )
        log_price = base.log_price - self._paths.quote(market.quote, days)
        # A venue strays a little from the common price, except at midnight, where days are joined.
        log_price[:, 1:-1] += 2e-5 * venue[:, :-1]
        price: Floats = np.round(np.exp(log_price), market.price_decimals).astype(np.float64, copy=False)
        share = universe.SHARES[market.exchange][market.symbol]
        turnover = universe.ASSETS[market.base].daily_turnover / MINUTES * share
        expected = turnover / _TRADE_USD * np.exp(base.log_activity + 0.3 * own)
        # `size` decides the fraction too: its own noise would cost a tenth of the running time.
        trades = np.floor(expected + (np.abs(size) * 1e3) % 1)
        trades[:, -1] = np.maximum(trades[:, -1], 1)  # so that the day closes at the price it must
        opens, closes = price[:, :-1], price[:, 1:]
        opens, closes = _standing_still(opens, closes, trades)
        spread = np.abs(np.diff(base.log_price, axis=1)) * 0.35 + 3e-5
        tick = market.price_decimals
        high = np.round(np.maximum(opens, closes) * (1 + spread * np.abs(wick_up)), tick)
        low = np.round(np.minimum(opens, closes) * (1 - spread * np.abs(wick_down)), tick)
        single = trades <= 1  # no trade or one: a single price
        high, low = np.where(single, closes, high), np.where(single, closes, low)
        opens = np.where(single, closes, opens)
        usd_price = np.exp(base.log_price[:, 1:])
        lot = market.lot_decimals
        volume = np.round(trades * _TRADE_USD * np.exp(0.35 * size) / usd_price, lot)
        volume = np.where(trades > 0, np.maximum(volume, 10.0**-lot), 0.0)
        average = (opens + high + low + closes) / 4
        tilt = np.sign(closes - opens) * 0.06
        buyers = np.round(volume * np.clip(0.5 + tilt + 0.09 * taker, 0.02, 0.98), lot)
        open_time = universe.START_MS + (days[:, None] * MINUTES + np.arange(MINUTES)) * MINUTE_MS
        minutes = Candles(
            open_time.ravel(),
            opens.ravel(),
            high.ravel(),
            low.ravel(),
            closes.ravel(),
            volume.ravel(),
            np.round(volume * average, QUOTE_DECIMALS).ravel(),
            trades.ravel(),
            buyers.ravel(),
            np.round(buyers * average, QUOTE_DECIMALS).ravel(),
        )
        return minutes.take(minutes.trades > 0) if market.exchange in universe.OMIT_EMPTY else minutes


def _day(time_ms: int) -> int:
    return (time_ms - universe.START_MS) // DAY_MS


def _standing_still(opens: Floats, closes: Floats, trades: Floats) -> tuple[Floats, Floats]:
    """Prices in which a minute without a trade repeats the last traded close."""
    if (trades > 0).all():
        return opens, closes
    minute = np.broadcast_to(np.arange(MINUTES), trades.shape)
    last = np.maximum.accumulate(np.where(trades > 0, minute, -1), axis=1)
    closes = np.where(last >= 0, np.take_along_axis(closes, np.maximum(last, 0), axis=1), opens[:, :1])
    return np.concatenate([opens[:, :1], closes[:, :-1]], axis=1), closes


def _partial(minutes: Candles, market: Market, now_ms: int) -> Candles:
    """The last minute as it stands at `now_ms`: on its way from its open, its volume still growing."""
    whole = minutes.take(slice(-1, None))
    passed = (now_ms - int(whole.open_time[0])) / MINUTE_MS
    trades = np.floor(whole.trades * passed)
    if trades[0] < 1:
        nothing = np.zeros(1)
        price = minutes.close[-2:-1] if len(minutes) > 1 else whole.open
        return Candles(whole.open_time, price, price, price, price, *[nothing] * 5)

    def so_far(value: Floats) -> Floats:
        return np.round(whole.open + (value - whole.open) * passed, market.price_decimals)

    volume = np.maximum(np.round(whole.volume * passed, market.lot_decimals), 10.0**-market.lot_decimals)
    buyers = np.minimum(np.round(whole.taker_buy_volume * passed, market.lot_decimals), volume)
    close, high, low = so_far(whole.close), so_far(whole.high), so_far(whole.low)
    average = (whole.open + high + low + close) / 4
    return Candles(
        whole.open_time,
        whole.open,
        high,
        low,
        close,
        volume,
        np.round(volume * average, QUOTE_DECIMALS),
        trades,
        buyers,
        np.round(buyers * average, QUOTE_DECIMALS),
    )
