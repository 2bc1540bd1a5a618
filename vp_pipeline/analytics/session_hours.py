"""When the trading sessions are.

Here belongs which session a time falls into; what is computed of each is in `sessions`.

`document` has fixed UTC hours, as published. `exchange` goes by the local hours of three places, so that it
follows their changes of the clock, which come in different weeks: Europe and America are open together for
four hours in most of the year and for five in the weeks between their changes. Every day of the week counts,
as these markets never close.

Sessions begin and end on quarters of an hour, as every clock of today differs from UTC by whole quarters. So
the sessions of a history are a table of its quarters (`sessions_of_slots`), and those of its bars are looked
up in it.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

Preset = Literal["document", "exchange"]
Codes = npt.NDArray[np.int8]

SESSIONS: Mapping[str, tuple[int, int]] = MappingProxyType(
    {"AS": (23, 6), "ASEU": (6, 8), "EU": (8, 12), "EUNA": (12, 15), "NA": (15, 21), "OTHERS": (21, 23)}
)
"""First and end hour of each session, UTC, half-open: Asia, Asia and Europe, Europe, and so on."""

EXCHANGES: Mapping[str, tuple[str, int, int]] = MappingProxyType(
    {"AS": ("Asia/Tokyo", 9, 18), "EU": ("Europe/London", 8, 17), "NA": ("America/New_York", 8, 17)}
)
"""Zone, first and end hour of local time of each place, half-open."""

HOURS: Mapping[Preset, Mapping[str, str]] = MappingProxyType(
    {
        "document": {name: f"{start}-{end}" for name, (start, end) in SESSIONS.items()},
        "exchange": {
            "AS": "Tokyo",
            "ASEU": "Tokyo, London",
            "EU": "London",
            "EUNA": "London, NY",
            "NA": "New York",
            "OTHERS": "none",
        },
    }
)
"""For labels: hours UTC, or the places that are open."""

BLOCK = 1 << 15
"""Bars worked on at once: a few arrays that stay in the processor's cache."""
UNITS: Mapping[str, int] = MappingProxyType({"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9})
"""How many units of a time make a second."""

SLOT_SECONDS = 900
SLOTS_A_DAY = 96


def _session_of_hour() -> Codes:
    lookup = np.empty(24, dtype=np.int8)
    for code, (start, end) in enumerate(SESSIONS.values()):
        lookup[np.arange(start, end if end > start else end + 24) % 24] = code
    return lookup


_SESSION_OF_HOUR = _session_of_hour()


def session_codes(times: pd.DatetimeIndex, preset: Preset = "document") -> Codes:
    """The session of each time (aware), as an index into SESSIONS.

    Raises:
        ValueError: `preset` is unknown.
    """
    ticks = times.asi8
    if not len(ticks):
        return sessions_of_slots(0, 0, preset)
    length = SLOT_SECONDS * UNITS[times.unit]
    first, last = int(ticks.min() // length), int(ticks.max() // length)
    table = sessions_of_slots(first, last - first + 1, preset)
    codes = np.empty(len(ticks), dtype=np.int8)
    for start in range(0, len(ticks), BLOCK):
        rows = slice(start, start + BLOCK)
        # Clipping never happens; raising would copy.
        np.take(table, ticks[rows] // length - first, out=codes[rows], mode="clip")
    return codes


def sessions_of_slots(first: int, count: int, preset: Preset = "document") -> Codes:
    """The sessions of `count` quarters of an hour from the `first` on, counted from the Unix epoch.

    Raises:
        ValueError: `preset` is unknown.
    """
    slots = first + np.arange(count)
    if preset == "document":
        return _SESSION_OF_HOUR[slots // 4 % 24]
    if preset != "exchange":
        raise ValueError(f"unknown preset {preset!r}: use document or exchange")
    times = pd.DatetimeIndex((slots * SLOT_SECONDS).astype("datetime64[s]"), tz="UTC")
    asia, europe, america = (_is_open(times, *place) for place in EXCHANGES.values())
    # Tokyo closes at 9:00 UTC and New York opens at 12:00 UTC at the earliest: they never overlap.
    open_now = [asia & europe, europe & america, asia, europe, america]
    names = ["ASEU", "EUNA", "AS", "EU", "NA"]
    order = list(SESSIONS)
    codes = np.select(open_now, [order.index(name) for name in names], default=order.index("OTHERS"))
    return codes.astype(np.int8)


def _is_open(times: pd.DatetimeIndex, zone: str, start: int, end: int) -> npt.NDArray[np.bool_]:
    hour = times.tz_convert(zone).hour
    return np.asarray((hour >= start) & (hour < end))
