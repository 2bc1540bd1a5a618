"""Frames of candles as the arrays that are compared and stored.

Here belongs what a frame must hold to be stored. What is done with it is for `candles`.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from vp_pipeline.storage.candle_changes import KNOWN, VALUES, Minutes


def minutes_of(number: int, frame: pd.DataFrame) -> Minutes:
    """The candles of one market, sorted.

    Raises:
        ValueError: the frame lacks a column, repeats a minute or holds what is no number or no minute.
    """
    absent = [name for name in ("open_time", *VALUES[:KNOWN]) if name not in frame.columns]
    if absent:
        raise ValueError(f"candles of market {number} lack {', '.join(absent)}")
    times = _times(number, frame["open_time"])
    order = np.argsort(times, kind="stable")
    minute = times[order].astype("datetime64[m]").astype(np.int64)
    values = np.full((len(frame), len(VALUES)), np.nan)
    for column, name in enumerate(VALUES):
        if name in frame.columns:
            values[:, column] = _numbers(frame[name])[order]
    bad = ~np.isfinite(values[:, :KNOWN]).all(axis=1) | np.isinf(values[:, KNOWN:]).any(axis=1)
    bad[1:] |= minute[1:] == minute[:-1]
    if bad.any():
        raise ValueError(
            f"candles of market {number}: {times[order][bad][0]} comes twice or holds what is no number"
        )
    provisional = np.zeros(len(frame), dtype=bool)
    if "provisional" in frame.columns:
        provisional = frame["provisional"].to_numpy(dtype=bool)[order]
    return Minutes(np.full(len(frame), number, dtype=np.int16), minute, provisional, values)


def _numbers(column: "pd.Series[Any]") -> npt.NDArray[np.float64]:
    if column.dtype == np.float64:
        return column.to_numpy()  # as it is, which takes a tenth of the time
    return column.to_numpy(dtype=np.float64, na_value=np.nan)


def _times(number: int, column: "pd.Series[Any]") -> npt.NDArray[np.datetime64]:
    if not len(column):
        return np.empty(0, dtype="datetime64[us]")
    if not isinstance(column.dtype, pd.DatetimeTZDtype):
        raise ValueError(f"candles of market {number}: open_time has no time zone")
    times: npt.NDArray[np.datetime64] = column.to_numpy(dtype="datetime64[us]")  # UTC, whatever the zone
    askew = times != times.astype("datetime64[m]")
    if askew.any():
        raise ValueError(f"candles of market {number}: {times[askew][0]} is not a whole minute")
    return times
