"""Point of control and value area as they stood at each moment of a window.

Here belongs one pass over the candles that keeps the profile so far; the definitions are those of
`value_area`. A moment costs what its own candles and the rows of the profile cost, however many candles came
before.
"""

from itertools import pairwise

import numpy as np
import pandas as pd

from vp_pipeline.analytics.price_rows import Floats, PriceRows, volume_by_price
from vp_pipeline.analytics.value_area import value_area

COLUMNS = ("open_time", "poc", "vah", "val", "volume")


def developing_levels(
    candles: pd.DataFrame,
    row_size: float,
    every: pd.Timedelta | None = None,
) -> pd.DataFrame:
    """Levels of the profile from the window's first candle up to and with each moment's candles.

    Args:
        candles: as `volume_by_price` needs them, with open_time (UTC, ascending).
        row_size: as there.
        every: length of a step, aligned at midnight UTC; by default each candle is one.

    Returns:
        Columns `COLUMNS`, one row for each step that has candles, from the first with volume on: open_time of
        the step's last candle, whose close is the moment; `volume` is that of the profile so far.
    """
    steps = _steps(candles["open_time"], every)
    found: list[tuple[float, float, float, float]] = []
    moments = []
    whole = volume_by_price(candles, row_size)
    so_far: Floats = np.zeros(len(whole.volume))
    for start, end in pairwise(steps):
        part = volume_by_price(candles.iloc[start:end], row_size)
        at = part.first_row - whole.first_row
        so_far[at : at + len(part.volume)] += part.volume
        rows = PriceRows(whole.first_row, row_size, so_far)
        if rows.total <= 0:
            continue
        area = value_area(rows)
        found.append((area.poc, area.vah, area.val, rows.total))
        moments.append(candles["open_time"].iloc[end - 1])
    levels = pd.DataFrame(found, columns=list(COLUMNS[1:]), dtype=np.float64)
    levels.insert(0, "open_time", pd.DatetimeIndex(moments, tz="UTC"))
    return levels


def _steps(opened: pd.Series, every: pd.Timedelta | None) -> list[int]:
    """Where each step begins, and the end."""
    if every is None:
        return list(range(len(opened) + 1))
    step = opened.dt.floor(every).to_numpy()
    return [0, *(np.flatnonzero(step[1:] != step[:-1]) + 1).tolist(), len(opened)] if len(opened) else [0]
