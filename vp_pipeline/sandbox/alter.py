"""What faults of content make of an answer: candles missing, late, doubled, out of order, early, or none.

Which fault a request meets is decided in `faults`.
"""

from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any, Literal

import numpy as np

from vp_pipeline.sandbox.candles import MINUTE_MS, Candles

Alteration = Literal["empty_list", "short", "reordered", "duplicated", "revised", "stalled"]

_EARLY = 0.75  # how much of its volume a candle shows before it is revised


def candles(kind: Alteration, minutes: float, now_ms: int) -> Callable[[Candles, int], Candles]:
    """The alteration of an answer's candles, oldest first, given the length of one in ms."""

    def alter(true: Candles, step_ms: int) -> Candles:
        match kind:
            case "empty_list":
                return true.take(slice(0, 0))
            case "short":
                return true.take(slice(len(true) // 2, None))
            case "duplicated":
                return _picked(true, np.repeat(np.arange(len(true)), 2))
            case "reordered":
                places = np.arange(len(true))
                return _picked(true, np.concatenate([places[1::2][::-1], places[::2]]))
            case "revised":
                return _early(true, now_ms - step_ms - round(minutes * MINUTE_MS), now_ms - step_ms)
            case "stalled":
                return true.take(slice(0, int((true.open_time <= now_ms - round(minutes * MINUTE_MS)).sum())))

    return alter


def garbage(body: Any) -> Any:
    """The answer with every value of its longest list of rows null."""
    rows = max(_lists(body), key=len, default=[])
    rows[:] = [dict.fromkeys(row) if isinstance(row, dict) else [None] * len(row) for row in rows]
    return body


def _lists(body: Any) -> list[list[Any]]:
    """All lists of rows in a body."""
    if isinstance(body, list):
        return [body] if body and all(isinstance(row, list | dict) for row in body) else []
    return [rows for value in body.values() for rows in _lists(value)] if isinstance(body, dict) else []


def _picked(true: Candles, places: Any) -> Candles:
    return replace(true, **{field.name: getattr(true, field.name)[places] for field in fields(true)})


def _early(true: Candles, after_ms: int, until_ms: int) -> Candles:
    """Less volume in candles that opened after the one moment and not after the other, i.e. are closed."""
    young = (true.open_time > after_ms) & (true.open_time <= until_ms)
    volumes = ("volume", "quote_volume", "taker_buy_volume", "taker_buy_quote_volume")
    columns = {name: getattr(true, name) for name in volumes}
    return replace(
        true,
        **{name: np.where(young, np.round(column * _EARLY, 8), column) for name, column in columns.items()},
    )
