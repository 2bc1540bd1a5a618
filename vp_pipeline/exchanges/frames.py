"""Candle frames: the one shape in which candles travel from the wire to storage.

A frame holds closed candles of one series, sorted and unique by `open_time` (UTC), prices in the quote
asset, volume in the base asset.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

import pandas as pd

from vp_pipeline.windows import Window, to_ms

CANDLE_COLUMNS = ("open_time", "open", "high", "low", "close", "volume")


class BadCandles(ValueError):
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
        BadCandles: a row lacks a price, is not a finite number, or is negative where it cannot be.
    """
    closed_before = min(to_ms(window.end), to_ms(exchange_time) - bar_ms + 1)
    kept: dict[int, Sequence[float | None]] = {}
    for row in rows:
        open_ms = row[0]
        if not isinstance(open_ms, int) or open_ms % bar_ms:
            raise BadCandles(f"a candle opens at {open_ms!r}, which is not a whole bar of {bar_ms} ms")
        if to_ms(window.start) <= open_ms < closed_before:
            _check(row, columns)
            kept[open_ms] = row
    ordered = [kept[open_ms] for open_ms in sorted(kept)]
    frame = pd.DataFrame(ordered, columns=list(columns))
    frame["open_time"] = pd.to_datetime(frame["open_time"].astype("int64"), unit="ms", utc=True)
    return frame.astype(dict.fromkeys(columns[1:], "float64"))


def _check(row: Sequence[float | None], columns: Sequence[str]) -> None:
    for name, value in zip(columns[1:], row[1:], strict=True):
        if value is None and name not in CANDLE_COLUMNS:
            continue
        if (
            value is None
            or not math.isfinite(value)
            or value < 0
            or (value == 0 and name != "volume" and name in CANDLE_COLUMNS)
        ):
            raise BadCandles(f"the candle at {row[0]} has {name} {value!r}")
