"""Seeded random paths: one USD price and one level of activity per base, one basis per quote currency.

A day's end points come from a daily walk, the minutes between them from a bridge, so any day can be had
without the days before it. What a venue makes of the path is in `generator`.
"""

from dataclasses import dataclass
from functools import cache
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from vp_pipeline.sandbox.candles import Floats
from vp_pipeline.sandbox.universe import ASSETS, QUOTES

MINUTES = 1440
HORIZON_DAYS = 8036  # from 2020-01-01 to the end of 2041
_KNOTS = 96  # changes of the intraday volatility level: one per quarter of an hour

Days = NDArray[np.int64]


@dataclass(frozen=True)
class BaseDays:
    """Whole days of one base: log USD price at the minute bounds (D, 1441), log activity (D, 1440)."""

    log_price: Floats
    log_activity: Floats


def random_stream(seed: int, name: str, day: int) -> np.random.Generator:
    """The random numbers of one purpose on one day, the same in every process."""
    return np.random.Generator(np.random.SFC64([seed, crc32(name.encode()), day]))


def normals(seed: int, name: str, days: Days, count: int) -> NDArray[np.float32]:
    """Standard normal numbers, `count` for each day: shape (D, count)."""
    drawn = np.empty((days.size, count), dtype=np.float32)
    for row, day in enumerate(days.tolist()):
        random_stream(seed, name, day).standard_normal(count, dtype=np.float32, out=drawn[row])
    return drawn


@cache
def seasonality() -> Floats:
    """Relative level of activity by minute of the UTC day: Asia's open, Europe's, and the US peak."""
    minute = np.arange(MINUTES)

    def bump(centre: float, width: float) -> Floats:
        away = (minute - centre + MINUTES / 2) % MINUTES - MINUTES / 2
        return np.asarray(np.exp(-0.5 * (away / width) ** 2))

    level = 0.55 + 0.35 * bump(15, 70) + 0.35 * bump(490, 100) + 1.3 * bump(880, 85) + 0.5 * bump(1000, 170)
    return np.asarray(level / level.mean())


def weekday_level(days: Days) -> Floats:
    """Relative level of activity of each day, lower at weekends; day 0 is Wednesday 2020-01-01."""
    return np.where((days + 2) % 7 >= 5, 0.6, 1.15)


class PricePaths:
    """The random paths of one seed."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._anchors: dict[str, tuple[Floats, Floats]] = {}
        self._quotes: dict[str, Floats] = {}
        common = random_stream(seed, "common factor", 0)
        self._factor = common.standard_t(4, HORIZON_DAYS) / np.sqrt(2)
        self._log_volatility = _autoregression(common.standard_normal(HORIZON_DAYS), 0.95, 0.45)

    def daily(self, base: str) -> tuple[Floats, Floats]:
        """Log USD price at the bounds of the days (N + 1) and volatility of each day (N)."""
        if base not in self._anchors:
            asset = ASSETS[base]
            own = random_stream(self._seed, f"daily {base}", 0).standard_t(4, HORIZON_DAYS) / np.sqrt(2)
            volatility = asset.volatility * np.exp(self._log_volatility - 0.1)
            shocks = volatility * (asset.beta * self._factor + np.sqrt(1 - asset.beta**2) * own)
            log_price = np.empty(HORIZON_DAYS + 1)
            log_price[0] = np.log(asset.first_price)
            # Slowly drawn to the usual price, so that decades of walking do not end at zero or infinity.
            usual = np.log(asset.usual_price)
            for day, shock in enumerate(np.clip(shocks, -0.35, 0.35).tolist()):
                log_price[day + 1] = log_price[day] + (usual - log_price[day]) / 400 + shock
            self._anchors[base] = (log_price, volatility)
        return self._anchors[base]

    def days(self, base: str, days: Days) -> BaseDays:
        """Minutes of the given days (counted from 2020-01-01)."""
        anchors, volatility = self.daily(base)
        drawn = normals(self._seed, f"minutes {base}", days, 2 * MINUTES + _KNOTS)
        level = 0.45 * np.repeat(drawn[:, 2 * MINUTES :], MINUTES // _KNOTS, axis=1)
        level += 0.4 * drawn[:, MINUTES : 2 * MINUTES]
        scale = np.sqrt(seasonality()) * np.exp(level)
        scale *= (volatility[days] / np.sqrt((scale**2).sum(axis=1)))[:, None]
        steps = scale * drawn[:, :MINUTES]
        # The bridge: what the walk misses its end by is spread over the minutes by their variance.
        weight = scale**2 / (volatility[days] ** 2)[:, None]
        missed = anchors[days + 1] - anchors[days] - steps.sum(axis=1)
        log_price = np.empty((days.size, MINUTES + 1))
        log_price[:, 0] = anchors[days]
        np.cumsum(steps + weight * missed[:, None], axis=1, out=log_price[:, 1:])
        log_price[:, 1:] += anchors[days][:, None]
        log_price[:, -1] = anchors[days + 1]
        busy = 0.7 * (self._log_volatility[days] + np.log(weekday_level(days)))
        activity = np.log(seasonality()) + 0.9 * level + busy[:, None]
        return BaseDays(log_price, activity)

    def quote(self, quote: str, days: Days) -> Floats:
        """Log USD value of the quote currency at the minute bounds of the days: shape (D, 1441)."""
        if quote not in self._quotes:
            rests_at, volatility = QUOTES[quote]
            walk = random_stream(self._seed, f"quote {quote}", 0).standard_normal(HORIZON_DAYS + 1)
            spread = volatility / np.sqrt(1 - 0.97**2)
            self._quotes[quote] = np.log(rests_at) + _autoregression(walk, 0.97, spread)
        bounds = self._quotes[quote]
        share = np.linspace(0, 1, MINUTES + 1)
        start, end = bounds[days][:, None], bounds[days + 1][:, None]
        return np.asarray(start + (end - start) * share)


def _autoregression(shocks: Floats, memory: float, spread: float) -> Floats:
    """A stationary first-order autoregression with the given standard deviation."""
    scale = spread * np.sqrt(1 - memory**2)
    value, path = spread * float(shocks[0]), []
    for shock in shocks.tolist():
        value = memory * value + scale * shock
        path.append(value)
    return np.array(path)
