"""Half-open windows of UTC time.

Here belongs the arithmetic of windows and nothing that knows candles, Dagster or Postgres.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Self

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def to_ms(moment: datetime) -> int:
    """Milliseconds since the Unix epoch."""
    return (moment - EPOCH) // timedelta(milliseconds=1)


def from_ms(milliseconds: int) -> datetime:
    """The UTC moment of so many milliseconds since the Unix epoch."""
    return EPOCH + timedelta(milliseconds=milliseconds)


def midnight(day: date) -> datetime:
    """The UTC moment in which a day begins."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def floor(moment: datetime, step: timedelta) -> datetime:
    """The last multiple of `step` since the epoch that is not after `moment`."""
    return moment - (moment - EPOCH) % step


def ceil(moment: datetime, step: timedelta) -> datetime:
    """The first multiple of `step` since the epoch that is not before `moment`."""
    return moment + (EPOCH - moment) % step


@dataclass(frozen=True)
class Window:
    """The moments t with start <= t < end, both UTC-aware; start == end is the empty window."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        if self.start.utcoffset() != timedelta(0) or self.end.utcoffset() != timedelta(0):
            raise ValueError(f"a window needs UTC-aware ends, got {self.start!r} and {self.end!r}")
        if self.end < self.start:
            raise ValueError(f"a window cannot end before it starts: {self.start} to {self.end}")

    def __str__(self) -> str:
        return f"{self.start:%Y-%m-%d %H:%M} to {self.end:%Y-%m-%d %H:%M} UTC"

    def __bool__(self) -> bool:
        return self.start < self.end

    def __contains__(self, moment: datetime) -> bool:
        return self.start <= moment < self.end

    def count(self, step: timedelta) -> int:
        """How many whole steps fit."""
        return (self.end - self.start) // step

    def intersect(self, other: Self) -> "Window":
        """What both hold; empty, at the later start, if nothing."""
        start = max(self.start, other.start)
        return Window(start, max(start, min(self.end, other.end)))

    def hull(self, other: Self) -> "Window":
        """The smallest window that holds both."""
        return Window(min(self.start, other.start), max(self.end, other.end))

    def split(self, step: timedelta) -> "Iterator[Window]":
        """Windows of `step` from the start on, oldest first; the last may be shorter."""
        if step <= timedelta(0):
            raise ValueError(f"a window cannot be split into steps of {step}")
        start = self.start
        while start < self.end:
            end = min(start + step, self.end)
            yield Window(start, end)
            start = end


def hours_of(starts: Iterable[datetime]) -> "Iterator[Window]":
    """The hours that begin at these moments."""
    return (Window(start, start + HOUR) for start in starts)


def union(windows: Iterable[Window]) -> list[Window]:
    """The moments that any of the windows holds, as windows with gaps between them, in order."""
    joined: list[Window] = []
    for window in sorted(filter(None, windows), key=lambda window: window.start):
        if joined and window.start <= joined[-1].end:
            joined[-1] = joined[-1].hull(window)
        else:
            joined.append(window)
    return joined


def minus(window: Window, taken: Sequence[Window]) -> list[Window]:
    """What of a window is in none of the others, oldest first."""
    left, start = [], window.start
    for part in union(taken):
        if part.end <= start or part.start >= window.end:
            continue
        if part.start > start:
            left.append(Window(start, part.start))
        start = part.end
    if start < window.end:
        left.append(Window(start, window.end))
    return left
