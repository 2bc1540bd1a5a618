"""Candle frames: the one shape in which candles travel from the wire to storage.

A frame holds closed candles of one series, sorted and unique by `open_time` (UTC), prices in the quote
asset, volume in the base asset. Asking for the candles is the clients' affair.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vp_pipeline.windows import Window, to_ms

CANDLE_COLUMNS = ("open_time", "open", "high", "low", "close", "volume")
_PRICES = ("open", "high", "low", "close")


class BadCandlesError(ValueError):
    """Rows that cannot be candles; the message says which and why."""


@dataclass(frozen=True)
class Fetched:
    """Candles of a window. Only about `answered` (part of the window) does the exchange's answer say
    anything: a minute of it without a candle is one for which the exchange has none.
    """

    frame: pd.DataFrame
    answered: Window
    exchange_time: datetime
    note: str = field(default="")


def frame_of(
    rows: Sequence[Sequence[float | None]],
    window: Window,
    bar_ms: int,
    exchange_time: datetime,
    columns: Sequence[str] = CANDLE_COLUMNS,
) -> pd.DataFrame:
    """Rows (open time in ms first) as a frame of the window's closed candles, the last of doubles kept.

    Columns after the first six may be missing (None); the first six may not.

    Raises:
        BadCandlesError: a row lacks a price, is not a finite number, or is negative where it cannot be.
    """
    values = _numbers(rows, len(columns))
    opens = values[:, 0]
    askew = ~(opens % bar_ms == 0)  # not `!=`: what is not a number must not pass
    if askew.any():
        raise BadCandlesError(
            f"a candle opens at {opens[askew][0]:.15g}, which is not a whole bar of {bar_ms} ms"
        )
    closed_before = min(to_ms(window.end), to_ms(exchange_time) - bar_ms + 1)
    values = values[(opens >= to_ms(window.start)) & (opens < closed_before)]
    _check(values, columns)
    frame = pd.DataFrame(values, columns=list(columns))
    frame = frame.drop_duplicates("open_time", keep="last").sort_values("open_time", ignore_index=True)
    frame["open_time"] = pd.to_datetime(frame["open_time"].astype("int64"), unit="ms", utc=True)
    return frame


def _numbers(rows: Sequence[Sequence[float | None]], width: int) -> NDArray[np.float64]:
    """The rows as a table, None as NaN."""
    if not rows:
        return np.empty((0, width))
    try:
        values = np.array(rows, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise BadCandlesError(f"candles are not rows of {width} numbers: {error}") from error
    if values.shape != (len(rows), width):
        raise BadCandlesError(f"candles are not rows of {width} numbers: {str(rows[0])[:80]}")
    return values


def _check(values: NDArray[np.float64], columns: Sequence[str]) -> None:
    for name, column in zip(columns, values.T, strict=True):
        bad = ~np.isfinite(column) | (column < 0)
        if name in _PRICES:
            bad |= column == 0
        elif name not in CANDLE_COLUMNS:
            bad &= ~np.isnan(column)
        if bad.any():
            row = int(np.argmax(bad))
            raise BadCandlesError(f"the candle at {values[row, 0]:.0f} has {name} {column[row]:g}")
