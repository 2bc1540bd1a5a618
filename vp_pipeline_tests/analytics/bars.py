"""Bars for the tests of sessions."""

import numpy as np
import pandas as pd

FIVE_MINUTES = pd.Timedelta(minutes=5)
SUNDAY = "2024-02-04"


def klines(closes: list[float], start: str = SUNDAY, bar: pd.Timedelta = FIVE_MINUTES) -> pd.DataFrame:
    """Bars from `start` on, volume 10, 20, ..., 4 trades each, a quarter bought by takers."""
    volume = 10.0 * np.arange(1, len(closes) + 1)
    return pd.DataFrame(
        {
            "open_time": pd.date_range(start, periods=len(closes), freq=bar, tz="UTC"),
            "open": [100.0, *closes[:-1]],
            "high": closes,
            "low": closes,
            "close": closes,
            "volume": volume,
            "trades": 4.0,
            "taker_buy_volume": volume / 4,
        }
    )


def random_bars(
    seed: int = 1, bar: pd.Timedelta = FIVE_MINUTES, days: int = 14, scale: float = 0.002
) -> pd.DataFrame:
    """Bars of a random walk from a Sunday on, with random volumes."""
    rng = np.random.default_rng(seed)
    count = int(pd.Timedelta(days=days) / bar)
    frame = klines((100 * np.exp(rng.normal(0, scale, count).cumsum())).tolist(), bar=bar)
    frame["volume"] = rng.gamma(2, 10, count)
    frame["trades"] = rng.integers(1, 50, count).astype(float)
    frame["taker_buy_volume"] = frame["volume"] * rng.uniform(0.3, 0.7, count)
    return frame
