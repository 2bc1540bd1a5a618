"""Candle frames: the one shape in which candles travel from the wire to storage.

A frame holds the candles of one series, sorted and unique by `open_time` (UTC), prices in the quote asset,
volume as the client says. Asking for the candles is the clients' affair.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from vp_pipeline.windows import DAY, MINUTE, Window, floor, to_ms

if TYPE_CHECKING:  # a process that only needs the numbers does without its memory
    import pandas as pd

CANDLE_COLUMNS = ("open_time", "open", "high", "low", "close", "volume", "quote_volume", "taker_buy_volume")
PROVISIONAL = "provisional"
# How long after its close a candle may still change without that being a revision.
GRACE = timedelta(seconds=45)
_PRICES = ("open", "high", "low", "close")
_NEEDED = (*_PRICES, "volume")
# Beyond any price or volume; a number above it is a broken one.
_LARGEST = 1e18
_FIRST_MS = to_ms(datetime(2009, 1, 1, tzinfo=UTC))

Row = Sequence[float | None]


class BadCandlesError(ValueError):
    """Rows that cannot be candles; the message says which and why."""


@dataclass(frozen=True)
class Fetched:
    """Candles of the window that was asked for, and how far the exchange's answer can be relied upon.

    `answered` is the part of the window in which every minute had closed at least GRACE before the
    exchange's time and was served: a minute of it without a candle is one for which the exchange has none.
    `silent` are the parts of the window after the last candle of each answer: that there is none may as well
    be a feed that lags. `note` says why it begins after the window, if it does. `ahead` is how far the
    exchange's clock was ahead of ours.
    """

    frame: "pd.DataFrame"
    window: Window
    answered: Window
    exchange_time: datetime
    note: str = field(default="")
    ahead: timedelta = field(default=timedelta(0))
    silent: Sequence[Window] = field(default=())


def settled(moment: datetime, bar: timedelta = MINUTE) -> datetime:
    """The end of the last bar that had closed at least GRACE before `moment`."""
    return floor(moment - GRACE, bar)


def candles_of(rows: Sequence[Row], window: Window, moment: datetime) -> "pd.DataFrame":
    """Minutes of CANDLE_COLUMNS that open within the window, and the column `provisional`, as `minutes_of`.

    Raises:
        BadCandlesError: as `frame_of`.
    """
    values = minutes_of(rows, window, moment)
    frame = _framed(values, CANDLE_COLUMNS)
    frame[PROVISIONAL] = values[:, 0] >= to_ms(settled(moment))
    return frame


def minutes_of(rows: Sequence[Row], window: Window, moment: datetime) -> NDArray[np.float64]:
    """Minutes of the window as numbers: one row each, CANDLE_COLUMNS with the open time in ms, in order.

    Provisional are the candle that is open at `moment` and those closed for less than GRACE; one of these
    without its numbers is left out, for the exchange may not have written it yet.

    Raises:
        BadCandlesError: as `frame_of`.
    """
    final_before = to_ms(settled(moment))
    if rows:
        _in_time(_numbers(rows, len(CANDLE_COLUMNS))[:, 0], moment)
    values = _within(_numbers(rows, len(CANDLE_COLUMNS)), window, 60_000)
    values = values[values[:, 0] <= to_ms(moment + GRACE)]  # one from the future is none
    provisional = values[:, 0] >= final_before
    whole = ~_broken(values, CANDLE_COLUMNS).any(axis=1)
    return _believed(values[~provisional | whole], CANDLE_COLUMNS)


def _in_time(opens: NDArray[np.float64], moment: datetime) -> None:
    """Refuse times of another unit: they would be taken for rows before or after the window."""
    astray = ~((opens >= _FIRST_MS) & (opens <= to_ms(moment + DAY)))
    if astray.any():
        raise BadCandlesError(f"a candle opens at {opens[astray][0]:.15g} ms, at which nothing was traded")


def frame_of(
    rows: Sequence[Row],
    window: Window,
    bar: timedelta,
    moment: datetime,
    columns: Sequence[str] = CANDLE_COLUMNS,
) -> "pd.DataFrame":
    """Rows (open time in ms first) as a frame of the window's bars closed at least GRACE before `moment`.

    The last of doubles is kept. Columns other than prices and volume may be missing (None, NaN).

    Raises:
        BadCandlesError: a row lacks a price or its volume, is beyond range, not on a whole bar, or negative
            or upside down where it cannot be.
    """
    values = _within(_numbers(rows, len(columns)), window, bar // timedelta(milliseconds=1))
    return _framed(_believed(values[values[:, 0] < to_ms(settled(moment, bar))], columns), columns)


def _numbers(rows: Sequence[Row], width: int) -> NDArray[np.float64]:
    """The rows as a table, None as NaN."""
    if not rows:
        return np.empty((0, width))
    try:
        values = np.array(rows, dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise BadCandlesError(f"candles are not rows of {width} numbers: {error}") from error
    if values.shape != (len(rows), width):
        raise BadCandlesError(f"candles are not rows of {width} numbers: {str(rows[0])[:80]}")
    return values


def _within(values: NDArray[np.float64], window: Window, bar_ms: int) -> NDArray[np.float64]:
    """The rows that open in the window; all must open with a whole bar."""
    opens = values[:, 0]
    with np.errstate(invalid="ignore"):
        askew = ~(opens % bar_ms == 0)  # not `!=`: what is not a number must not pass
    if askew.any():
        raise BadCandlesError(
            f"a candle opens at {opens[askew][0]:.15g}, which is not a whole bar of {bar_ms} ms"
        )
    return values[(opens >= to_ms(window.start)) & (opens < to_ms(window.end))]


def _believed(values: NDArray[np.float64], columns: Sequence[str]) -> NDArray[np.float64]:
    """The values in order of time, of doubles the last; refused if one is none that a candle can have."""
    broken = _broken(values, columns)
    if broken.any():
        row, column = (int(position) for position in np.argwhere(broken)[0])
        what = f"{columns[column]} {values[row, column]:g}"
        raise BadCandlesError(f"the candle at {values[row, 0]:.0f} has {what}")
    low, high = values[:, columns.index("low")], values[:, columns.index("high")]
    if (high < low).any():
        row = int(np.argmax(high < low))
        raise BadCandlesError(f"the candle at {values[row, 0]:.0f} has its high below its low")
    ordered = values[np.argsort(values[:, 0], kind="stable")]
    last: NDArray[np.bool_] = np.append(np.diff(ordered[:, 0]) > 0, True)[: len(ordered)]
    return np.asarray(ordered[last])


def _framed(values: NDArray[np.float64], columns: Sequence[str]) -> "pd.DataFrame":
    import pandas as pd

    frame = pd.DataFrame(values, columns=list(columns))
    frame["open_time"] = pd.to_datetime(frame["open_time"].astype("int64"), unit="ms", utc=True)
    return frame


def _broken(values: NDArray[np.float64], columns: Sequence[str]) -> NDArray[np.bool_]:
    """Where a value is none that a candle can have."""
    bad = np.zeros(values.shape, dtype=bool)
    for position, name in enumerate(columns[1:], start=1):
        column = values[:, position]
        bad[:, position] = ~np.isfinite(column) | (column < 0) | (column > _LARGEST)
        if name in _PRICES:
            bad[:, position] |= column == 0
        elif name not in _NEEDED:
            bad[:, position] &= ~np.isnan(column)
    return bad
