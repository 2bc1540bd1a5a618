"""Minutes made into longer candles.

Here belong the timeframes and how each column is condensed; where minutes come from does not.
"""

import numpy as np
import pandas as pd

from vp_pipeline.analytics.grid import Floats, Ints, utc_times

MINUTES = {
    "1m": 1,
    "3m": 3,
    "5m": 5,
    "15m": 15,
    "30m": 30,
    "1h": 60,
    "2h": 120,
    "4h": 240,
    "6h": 360,
    "12h": 720,
    "1d": 1440,
    "1w": 10080,
}
SUMS = ("volume", "quote_volume", "quote_volume_usd", "taker_buy_volume")
MEANS = ("vwap", "robust_price")
# 1970-01-01 was a Thursday; weeks begin on Monday.
_MONDAY = pd.Timestamp("1970-01-05", tz="UTC")


def floor(moment: pd.Timestamp, timeframe: str) -> pd.Timestamp:
    """When the candle of a UTC-aware moment opens; weeks on Monday 00:00 UTC.

    Raises:
        ValueError: the timeframe is none of `MINUTES`.
    """
    length = pd.Timedelta(minutes=_minutes(timeframe))
    return moment - (moment - _MONDAY) % length


def resample(minutes: pd.DataFrame, timeframe: str) -> pd.DataFrame:
    """Candles of a timeframe from minutes, which may be of the aggregate or of one market.

    Args:
        minutes: open_time (UTC-aware, ascending), open, high, low, close, volume and any of vwap,
            robust_price, quote_volume_usd, quote_volume, taker_buy_volume. Whole candles of the timeframe,
            as far as there are minutes.
        timeframe: a key of `MINUTES`.

    Returns:
        open_time; open, high, low, close of the minutes with a price, NaN if there is none; sums of volume,
        quote_volume_usd, quote_volume and taker_buy_volume over the minutes where they are known, NaN if
        none; vwap and robust_price, weighted by volume over the minutes that have one; minutes: how many
        there are; complete: whether that is all of them. A candle exists if any of its minutes does.

    Raises:
        ValueError: the timeframe is none of `MINUTES`, or the times do not ascend.
    """
    length = _minutes(timeframe)
    times = utc_times(minutes["open_time"])
    if not (times[1:] > times[:-1]).all():
        raise ValueError("minutes must be in order, each once")
    monday = np.datetime64(_MONDAY.tz_localize(None).to_pydatetime(), "us")
    number = (times - monday) // np.timedelta64(length, "m")
    first = np.flatnonzero(np.diff(number, prepend=number[:1] - 1))
    count = np.diff(np.append(first, len(times)))
    columns: dict[str, object] = {
        "open_time": pd.DatetimeIndex(monday + number[first] * np.timedelta64(length, "m")).tz_localize(
            "UTC"
        ),
        **_prices(minutes, first),
    }
    volume = minutes["volume"].to_numpy(dtype=np.float64)
    for name in minutes.columns:
        values = minutes[name].to_numpy(dtype=np.float64) if name in SUMS + MEANS else volume
        if name in SUMS:
            columns[name] = _sum(values, first)
        elif name in MEANS:
            weights = np.where(np.isfinite(values), volume, np.nan)
            total = _sum(weights, first)
            columns[name] = np.divide(
                _sum(values * weights, first), total, out=np.full(len(total), np.nan), where=total > 0
            )
    return pd.DataFrame(columns | {"minutes": count, "complete": count == length})


def _minutes(timeframe: str) -> int:
    if timeframe not in MINUTES:
        raise ValueError(f"no timeframe {timeframe!r}: choose one of {', '.join(MINUTES)}")
    return MINUTES[timeframe]


def _prices(minutes: pd.DataFrame, first: Ints) -> dict[str, Floats]:
    close = minutes["close"].to_numpy(dtype=np.float64)
    rows = np.arange(len(close))
    priced = np.isfinite(close)
    any_priced = _reduce(np.logical_or, priced, first).astype(bool)
    earliest = _reduce(np.minimum, np.where(priced, rows, len(rows)), first)[any_priced]
    latest = _reduce(np.maximum, np.where(priced, rows, -1), first)[any_priced]
    found = {
        "open": minutes["open"].to_numpy(dtype=np.float64)[earliest],
        "high": _reduce(np.fmax, minutes["high"].to_numpy(dtype=np.float64), first)[any_priced],
        "low": _reduce(np.fmin, minutes["low"].to_numpy(dtype=np.float64), first)[any_priced],
        "close": close[latest],
    }
    prices = {}
    for name, values in found.items():
        prices[name] = np.full(len(first), np.nan)
        prices[name][any_priced] = values
    return prices


def _sum(values: Floats, first: Ints) -> Floats:
    """Of the known values of each stretch, NaN if there is none."""
    known = np.isfinite(values)
    some = _reduce(np.logical_or, known, first).astype(bool)
    return np.where(some, _reduce(np.add, np.where(known, values, 0.0), first), np.nan)


def _reduce(how: np.ufunc, values: np.ndarray, first: Ints) -> np.ndarray:
    return np.asarray(how.reduceat(values, first)) if len(first) else values[:0]
