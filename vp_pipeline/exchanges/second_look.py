"""Which absences in an answer are long enough to be doubted.

Here belongs the arithmetic; asking again is the affair of `doubts` and of the futures client.
"""

from collections.abc import Sequence
from datetime import timedelta

from vp_pipeline.exchanges.frames import Row
from vp_pipeline.windows import MINUTE, Window, from_ms, to_ms

DOUBTED = timedelta(minutes=10)
"""An absence at the end of an answer that is at least so long is asked for again."""


def absences(
    rows: Sequence[Row],
    window: Window,
    bar: timedelta = MINUTE,
    head: timedelta = DOUBTED,
    tail: timedelta = DOUBTED,
) -> list[Window]:
    """The window if no row (open time in ms first) lies in it; else its head and tail without, if so long.

    Candles missing between others are no sign of a cut answer.
    """
    if not window:
        return []
    times = times_in(rows, window)
    if not times:
        return [window]
    first, last = from_ms(min(times)), from_ms(max(times)) + bar
    ends = ((Window(window.start, first), head), (Window(min(last, window.end), window.end), tail))
    return [end for end, least in ends if end and end.end - end.start >= least]


def after_last(rows: Sequence[Row], window: Window) -> Window:
    """The part of a window of minutes after the last row that lies in it: all of it if none does."""
    times = times_in(rows, window)
    return Window(from_ms(max(times)) + MINUTE if times else window.start, window.end)


def count_in(rows: Sequence[Row], window: Window) -> int:
    """How many rows open in the window."""
    return len(times_in(rows, window))


def rows_in(rows: Sequence[Row], window: Window) -> list[Row]:
    """Those that open in the window."""
    start, end = to_ms(window.start), to_ms(window.end)
    return [row for row in rows if row[0] is not None and start <= row[0] < end]


def times_in(rows: Sequence[Row], window: Window) -> list[int]:
    """When the rows within the window open, in ms."""
    return [int(row[0]) for row in rows_in(rows, window) if row[0] is not None]
