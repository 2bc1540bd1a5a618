"""Candles of many venues as tables of minutes x venues.

Here belong the venue, the table and hourly statistics of it; what is concluded from them does not.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

PRICES = ("open", "high", "low", "close")
VALUES = (*PRICES, "volume", "quote_volume", "taker_buy_volume")
HOURS = 24

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]
Times = npt.NDArray[np.datetime64]


@dataclass(frozen=True)
class Venue:
    """A market of the aggregate.

    Attributes:
        until: from then on it is retired: no longer expected, nor missing.
        known: stretches (UTC, half-open, in microseconds) in which anything is known of it, if only that it
            did not answer; None if it counts as asked at all times.
    """

    number: int
    name: str
    quote: str
    until: pd.Timestamp | None = None
    known: tuple[tuple[np.datetime64, np.datetime64], ...] | None = None


@dataclass(frozen=True)
class Grid:
    """Minutes x venues from `start` on: whether there is a candle, and its values (NaN where not)."""

    start: np.datetime64
    venues: tuple[Venue, ...]
    present: Bools
    values: dict[str, Floats]

    def __getitem__(self, name: str) -> Floats:
        """One of `VALUES`."""
        return self.values[name]

    @property
    def minutes(self) -> Times:
        """The open time of each row, UTC."""
        return self.start + np.arange(len(self.present)).astype("timedelta64[m]")

    @property
    def typical(self) -> Floats:
        """(high + low + close) / 3."""
        return (self["high"] + self["low"] + self["close"]) / 3

    @property
    def turnover(self) -> Floats:
        """The wire's turnover, else volume x typical price."""
        given = self["quote_volume"]
        return np.where(np.isnan(given), self["volume"] * self.typical, given)


def lay_out(candles: pd.DataFrame, venues: Sequence[Venue], start: np.datetime64, end: np.datetime64) -> Grid:
    """The candles of [start, end) as a grid; those outside are not looked at.

    A candle without finite positive prices and a finite volume of at least 0 is no candle. Columns
    quote_volume and taker_buy_volume may be lacking.

    Raises:
        ValueError: there are no venues, a candle's market is none, its time is no whole minute, or
            there are two of one.
    """
    if not venues:
        raise ValueError("there are no venues")
    numbers = np.array([venue.number for venue in venues], dtype=np.int64)
    order = np.argsort(numbers)
    minute = (utc_times(candles["open_time"]) - start) / np.timedelta64(1, "m")
    market = candles["market_id"].to_numpy(dtype=np.int64)
    rows = int((end - start) / np.timedelta64(1, "m"))
    inside = (minute >= 0) & (minute < rows)
    minute, market = minute[inside], market[inside]
    row = minute.astype(np.int64)
    if (row != minute).any():
        raise ValueError(
            f"a candle opens {minute[row != minute][0]:g} minutes after {start}: no whole minute"
        )
    place = np.minimum(np.searchsorted(numbers, market, sorter=order), len(numbers) - 1)
    column = order[place]
    if (numbers[column] != market).any():
        stranger = market[numbers[column] != market][0]
        raise ValueError(f"market {stranger} is none of {', '.join(map(str, numbers))}")

    shape = (rows, len(numbers))
    present = np.zeros(shape, dtype=bool)
    present[row, column] = True
    if int(present.sum()) < len(row):
        raise ValueError("a market has two candles of one minute")
    values = {}
    for name in VALUES:
        values[name] = np.full(shape, np.nan)
        if name in candles:
            values[name][row, column] = candles[name].to_numpy(dtype=np.float64)[inside]
    present &= np.isfinite(values["volume"]) & (values["volume"] >= 0)
    for name in PRICES:
        present &= np.isfinite(values[name]) & (values[name] > 0)
    for table in values.values():
        table[~present] = np.nan
    return Grid(start, tuple(venues), present, values)


def utc_times(times: pd.Series) -> Times:
    """UTC-aware times as numpy's, in microseconds."""
    if not isinstance(times.dtype, pd.DatetimeTZDtype):
        raise ValueError(f"open_time must be UTC-aware, not {times.dtype}")
    return np.asarray(times.dt.tz_convert("UTC").dt.tz_localize(None), dtype="datetime64[us]")


def utc_moment(moment: pd.Timestamp) -> np.datetime64:
    """A UTC-aware time as numpy's, in microseconds."""
    return np.datetime64(moment.tz_convert("UTC").tz_localize(None).to_pydatetime(), "us")


def expected(venues: Sequence[Venue], minutes: Times) -> Bools:
    """Minutes x venues: whether the venue should have a candle in the minute.

    It should if it is not retired and has one of its `known` stretches in the trailing 24 hours of the
    minute's hour: a market whose history is not loaded is not missed. Where none has, all should.

    Args:
        minutes: ascending.
    """
    asked = np.ones((len(minutes), len(venues)), dtype=bool)
    for column, venue in enumerate(venues):
        if venue.known is None:
            continue
        asked[:, column] = False
        for start, end in venue.known:
            newest = (end - np.timedelta64(1, "us")).astype("datetime64[h]")
            edges = np.array([start.astype("datetime64[h]"), newest + np.timedelta64(HOURS, "h")])
            first, last = np.searchsorted(minutes, edges)
            asked[first:last, column] = True
    asked[~asked.any(axis=1)] = True
    for column, venue in enumerate(venues):
        if venue.until is not None:
            asked[:, column] &= minutes < utc_moment(venue.until)
    return asked


def hourly_sum(table: Bools | Floats) -> Floats:
    """Minutes x venues summed to hours x venues; NaN counts as 0."""
    return np.asarray(np.nansum(table.reshape(-1, 60, table.shape[1]), axis=1, dtype=np.float64))


def trailing(hourly: Floats) -> Floats:
    """For each hour from the 24th on, the 24 hours up to and with it, as a last axis."""
    return np.lib.stride_tricks.sliding_window_view(hourly, HOURS, axis=0)


def trailing_sum(table: Bools | Floats) -> Floats:
    """Minutes x venues summed over the 24 hours up to and with each hour from the 24th on."""
    return np.asarray(trailing(hourly_sum(table)).sum(axis=-1))
