"""Reads the times of a candle file.

Here belong the ways in which open_time may be written: ISO 8601, where a time without an offset is UTC, or
Unix time. Its unit follows from the magnitude: below 1e11 seconds (until the year 5138), below 1e14
milliseconds (from March 1973 on), below 1e17 microseconds. A file keeps to one way.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from vp_pipeline.analytics.price_rows import Floats
from vp_pipeline.own_data.cells import finite

_UNITS = ("seconds", "milliseconds", "microseconds")
_LIMITS = np.array([1e11, 1e14, 1e17])
_MICROSECONDS = (1_000_000, 1_000, 1)
_DATES = (19_000_101, 21_001_231)
"""Whole numbers between these are taken for dates without hyphens, not for the year 1970."""


class WrongTimeError(ValueError):
    """The time of `row`, counted from 0, cannot be read; `said` tells why and what to do."""

    def __init__(self, row: int, said: str) -> None:
        super().__init__(f"row {row}: {said}")
        self.row = row
        self.said = said


def parse(texts: Sequence[str]) -> pd.DatetimeIndex:
    """The times in UTC, to the microsecond, in their order.

    Raises:
        WrongTimeError: the first that cannot be read, or is not in the unit of the first.
    """
    if finite(texts[0]) is None:
        return _iso(texts)
    values = np.empty(len(texts))
    for row, text in enumerate(texts):
        value = finite(text)
        if value is None:
            raise WrongTimeError(row, f"open_time is {text!r}, not Unix time as above: write all in one way")
        values[row] = value
    return _from_unix(texts, values)


def _from_unix(texts: Sequence[str], values: Floats) -> pd.DatetimeIndex:
    wrong = (values < 0) | (values >= _LIMITS[-1])
    if wrong.any():
        row = int(np.argmax(wrong))
        raise WrongTimeError(
            row,
            f"open_time {texts[row]} is no Unix time in seconds, milliseconds or microseconds: convert it",
        )
    dates = (values >= _DATES[0]) & (values <= _DATES[1])
    if dates.any():
        row = int(np.argmax(dates))
        raise WrongTimeError(row, f"open_time {texts[row]} looks like a date: write it as 2024-01-31")
    unit = np.searchsorted(_LIMITS, values, side="right")
    if (unit != unit[0]).any():
        row = int(np.argmax(unit != unit[0]))
        raise WrongTimeError(
            row,
            f"open_time {texts[row]} is in {_UNITS[unit[row]]} by its magnitude, the first is in"
            f" {_UNITS[unit[0]]}: write all in one unit",
        )
    factor = _MICROSECONDS[unit[0]]
    whole = np.floor(values)
    # In parts, as the product has more digits than a float.
    microseconds = whole.astype(np.int64) * factor + np.rint((values - whole) * factor).astype(np.int64)
    return pd.DatetimeIndex(microseconds.astype("datetime64[us]"), tz="UTC")


def _iso(texts: Sequence[str]) -> pd.DatetimeIndex:
    # pandas also reads words such as "today".
    words = np.fromiter((not text[:4].isdigit() for text in texts), dtype=np.bool_, count=len(texts))
    parsed = pd.to_datetime(pd.Series(texts, dtype="str"), format="ISO8601", utc=True, errors="coerce")
    wrong = words | parsed.isna().to_numpy()
    if wrong.any():
        row = int(np.argmax(wrong))
        raise WrongTimeError(
            row,
            f"open_time is {texts[row]!r}, neither ISO 8601 nor Unix time: write it as 2024-01-31T13:05:00Z",
        )
    return pd.DatetimeIndex(parsed).as_unit("us")
