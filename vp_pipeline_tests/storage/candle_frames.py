"""Made-up candles, and the rows of the table `candle` as tests look at them."""

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd

from vp_pipeline.storage.connection import Connection
from vp_pipeline.windows import MINUTE, Window

START = datetime(2026, 3, 1, tzinfo=UTC)


def minutes(first: int, last: int) -> Window:
    return Window(START + first * MINUTE, START + last * MINUTE)


def candles(first: int, last: int, price: float = 100.0, **columns: Any) -> pd.DataFrame:
    """Final candles of the minutes first to last (exclusive), with turnover and without taker volume."""
    number = np.arange(first, last, dtype=float)
    frame = pd.DataFrame(
        {
            "open_time": pd.date_range(START + first * MINUTE, periods=last - first, freq="min"),
            "open": price + number,
            "high": price + number + 2,
            "low": price + number - 2,
            "close": price + number + 1,
            "volume": 1 + number / 7,
            "quote_volume": price * number,
            "taker_buy_volume": np.nan,
            "provisional": False,
        }
    )
    return frame.assign(**columns)


def stored(connection: Connection, number: int, columns: str = "*") -> list[tuple[Any, ...]]:
    return connection.execute(
        f"SELECT {columns} FROM candle WHERE market_id = %s ORDER BY open_time", [number]
    ).fetchall()
