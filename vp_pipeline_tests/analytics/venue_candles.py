"""Candles of venues for tests, as numpy makes them and as they were recorded."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from vp_pipeline.analytics.grid import Venue

START = pd.Timestamp("2024-01-02", tz="UTC")
DAY_BEFORE = START - pd.Timedelta(days=1)
COLUMNS = ["open", "high", "low", "close", "volume", "quote_volume", "taker_buy_volume"]


def times(first: pd.Timestamp, minutes: int) -> pd.DatetimeIndex:
    return pd.date_range(first, periods=minutes, freq="min", unit="us")


def walk(
    number: int, minutes: int, price: float = 40_000.0, seed: int = 0, first: pd.Timestamp = DAY_BEFORE
) -> pd.DataFrame:
    """A market whose price wanders; every minute traded."""
    rng = np.random.default_rng([number, seed])
    close = price * np.exp(np.cumsum(rng.normal(0, 1e-4, minutes)))
    open_ = np.concatenate([[price], close[:-1]])
    volume = rng.exponential(3.0, minutes) + 1e-3
    return pd.DataFrame(
        {
            "market_id": number,
            "open_time": times(first, minutes),
            "open": open_,
            "high": np.maximum(open_, close),
            "low": np.minimum(open_, close),
            "close": close,
            "volume": volume,
            "quote_volume": np.nan,
            "taker_buy_volume": np.nan,
        }
    )


def flat(rows: Mapping[tuple[int, int], tuple[float, float]], first: pd.Timestamp = START) -> pd.DataFrame:
    """Candles at one price: (price, volume) by (market, minute after `first`)."""
    frame = pd.DataFrame(
        [
            (market, first + pd.Timedelta(minutes=minute), *[price] * 4, volume, np.nan, np.nan)
            for (market, minute), (price, volume) in rows.items()
        ],
        columns=["market_id", "open_time", *COLUMNS],
    )
    return frame.astype(
        {"market_id": "int64", "open_time": "datetime64[us, UTC]"} | dict.fromkeys(COLUMNS, float)
    )


def at_par(*quotes: str, first: pd.Timestamp = DAY_BEFORE, minutes: int = 5 * 1440) -> pd.DataFrame:
    """A rate of 1 for each quote in each minute."""
    index = times(first, minutes)
    return pd.concat(
        [pd.DataFrame({"quote": quote, "open_time": index, "usd": 1.0, "markets": 1}) for quote in quotes],
        ignore_index=True,
    )


def recorded(folder: Path) -> tuple[pd.DataFrame, list[Venue]]:
    """The candles of a folder of `<exchange>_<BASE>-<QUOTE>.csv.gz`, and their venues."""
    frames, venues = [], []
    for number, path in enumerate(sorted(folder.glob("*.csv.gz"))):
        exchange, pair = path.name.removesuffix(".csv.gz").split("_")
        frame = pd.read_csv(path).rename(columns={"taker_buy_base": "taker_buy_volume"})
        opened = pd.to_datetime(frame["open_time_ms"], unit="ms", utc=True).astype("datetime64[us, UTC]")
        frames.append(frame.assign(market_id=number, open_time=opened))
        venues.append(Venue(number, f"{exchange} {pair.replace('-', '/')}", pair.split("-")[1]))
    candles = pd.concat(frames, ignore_index=True)
    return candles.reindex(columns=["market_id", "open_time", *COLUMNS]), venues
