"""What a day's volume profile is made of, read from the database.

Here belongs gathering it: the day's parts from the profile store, its candles in US dollars, the coverage
behind them, and the levels of the days before. What is made of it is in `profile_day`.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import pandas as pd

from vp_pipeline.analytics.session_hours import SESSIONS, session_codes
from vp_pipeline.analytics.venue_profiles import Traded, dollars
from vp_pipeline.catalog import Market
from vp_pipeline.settings import Settings
from vp_pipeline.storage import candles, dollar_minutes, ledger, profiles, rows
from vp_pipeline.storage.connection import Connection
from vp_pipeline.storage.markets import market_ids
from vp_pipeline.storage.profile_rows import read as read_rows
from vp_pipeline.storage.tables import AGGREGATE, VENUE_VERDICT, VOLUME_PROFILE
from vp_pipeline.windows import DAY, EPOCH, Window

# Days before the day that the study of levels looks at.
STUDY_DAYS = 60


@dataclass(frozen=True, eq=False)
class Span:
    """A stretch of time by its name, and what was traded in it."""

    name: str
    window: Window
    traded: Traded


@dataclass(frozen=True, eq=False)
class DayInputs:
    """All of a day.

    Attributes:
        aggregate: open_time, close (as the lead traded), volume.
        prices: candles in US dollars: open_time, open, high, low, close, volume.
        total: of all venues that count.
        venues: of each venue that counts, by market.
        left_out: volume of each venue in the hours in which it does not count.
        candles: of each venue that counts, by name, in US dollars.
        sessions: the day's sessions, in order.
        composites: week, month and year up to and with the day.
        coverage: minutes of all venues: got, empty, unknown, unfetchable.
        levels: of the stored days before: day (midnight UTC), poc, vah, val, low, high.
        past: prices of the last of these days.
    """

    base: str
    day: Window
    aggregate: pd.DataFrame
    prices: pd.DataFrame
    total: Traded
    venues: dict[Market, Traded]
    left_out: dict[Market, float]
    candles: dict[str, pd.DataFrame]
    sessions: list[Span]
    composites: list[Span]
    coverage: dict[str, int]
    levels: pd.DataFrame
    past: pd.DataFrame


def gather(connection: Connection, settings: Settings, base: str, day: Window) -> DayInputs:
    """Everything of the day, whose hours are in the store."""
    markets = {(m.exchange, m.symbol): m for m in settings.catalog.markets_of(base)}
    ids = market_ids(connection, list(markets))
    by_number = {ids[name]: market for name, market in markets.items()}
    counted = profiles.profile(connection, base, day, by_number)
    kept = profiles.profile(connection, base, day, by_number, left_out=True)
    counts = ledger.counts(connection, day, list(by_number))
    levels = _levels(connection, base, day)
    studied = Window(max(EPOCH, day.start - STUDY_DAYS * DAY), day.start)
    return DayInputs(
        base,
        day,
        rows.read(connection, AGGREGATE, {"base": base}, day, ["open_time", "close", "volume"]),
        dollar_minutes.read(connection, base, day),
        profiles.total(connection, base, day),
        {by_number[number]: part for number, part in counted.items()},
        {
            by_number[number]: part.rows.total - (counted[number].rows.total if number in counted else 0.0)
            for number, part in kept.items()
        },
        _candles(connection, base, day, by_number),
        _sessions(connection, base, day),
        _composites(connection, base, day),
        {name: int(counts[name].sum()) for name in ("got", "empty", "unknown", "unfetchable")},
        levels,
        dollar_minutes.read(connection, base, studied),
    )


def _candles(
    connection: Connection, base: str, day: Window, by_number: dict[int, Market]
) -> dict[str, pd.DataFrame]:
    """Of hours in which the venue counts, of minutes with volume and a rate."""
    columns = ("market_id", "open_time", "open", "high", "low", "close", "volume")
    frame = candles.read(connection, list(by_number), day, columns)
    quotes = {number: market.quote for number, market in by_number.items()}
    usd = dollars(frame, quotes, profiles.read_rates(connection, set(quotes.values()), [day]))
    verdicts = rows.read(connection, VENUE_VERDICT, {"base": base}, day, ["market_id", "hour"])
    out = set(zip(verdicts["market_id"], verdicts["hour"], strict=True))
    counts = np.isfinite(usd) & (frame["volume"].to_numpy() > 0)
    counts &= (frame["low"].to_numpy() > 0) & (frame["high"].to_numpy() >= frame["low"].to_numpy())
    if out:
        hours = frame["open_time"].dt.floor("h")
        counts &= [key not in out for key in zip(frame["market_id"], hours, strict=True)]
    prices = {name: frame[name] * usd for name in ("open", "high", "low", "close")}
    frame = frame.assign(**prices)[counts]
    parts = {number: frame[frame["market_id"] == number] for number in by_number}
    return {
        by_number[number].name: part.drop(columns="market_id").reset_index(drop=True)
        for number, part in parts.items()
        if len(part)
    }


def _sessions(connection: Connection, base: str, day: Window) -> list[Span]:
    """By the document's hours, of the UTC day: its first and last hours are one session."""
    size = profiles.row_size(connection, base)
    if size is None:
        return []
    hours = read_rows(connection, base, "hour", day, size, total=True)
    codes = session_codes(pd.DatetimeIndex([row.start for row in hours]).as_unit("us"))
    spans = []
    for code, name in enumerate(SESSIONS):
        own = [row for row, of_hour in zip(hours, codes.tolist(), strict=True) if of_hour == code]
        traded = Traded.sum_of((row.part for row in own), size)
        if traded.rows.total > 0:
            window = Window(own[0].start, own[-1].start + timedelta(hours=1))
            spans.append(Span(name, window, traded))
    return spans


def _composites(connection: Connection, base: str, day: Window) -> list[Span]:
    starts: dict[str, datetime] = {
        "week": day.start - day.start.weekday() * DAY,
        "month": day.start.replace(day=1),
        "year": day.start.replace(month=1, day=1),
    }
    windows = {name: Window(start, day.end) for name, start in starts.items()}
    return [Span(name, window, profiles.total(connection, base, window)) for name, window in windows.items()]


def _levels(connection: Connection, base: str, day: Window) -> pd.DataFrame:
    columns = ["day", "poc", "vah", "val", "row_size", "low", "high"]
    frame = rows.read(connection, VOLUME_PROFILE, {"base": base}, Window(EPOCH, day.start), columns)
    frame["day"] = frame["day"].dt.tz_localize("UTC")
    # Levels on rows of another height are those of another grid; days of before have no range.
    usable = (frame["row_size"] == profiles.row_size(connection, base)) & frame["low"].notna()
    return frame[usable].reset_index(drop=True)
