"""Volume by price of any window and any venues, at the venues' own prices in US dollars.

Here belongs choosing where it comes from: the store of hours, days, months and years, or candles where the
store has nothing or another placement is asked for. What is added up is in `storage.profiles`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import pandas as pd

from vp_pipeline.analytics.price_rows import Floats, Placement, PriceRows, volume_by_price
from vp_pipeline.analytics.value_area import point_of_control
from vp_pipeline.analytics.venue_profiles import Traded, dollars, hourly_profiles
from vp_pipeline.site.bar_queries import hours_lacking, hours_stored
from vp_pipeline.storage import candles, profiles, rows
from vp_pipeline.storage.connection import Connection
from vp_pipeline.storage.profile_rows import LEVELS, Level, made, read
from vp_pipeline.storage.tables import VENUE_VERDICT
from vp_pipeline.windows import DAY, HOUR, Window, ceil, floor, hours_of, union

_COLUMNS = ("market_id", "open_time", "open", "high", "low", "close", "volume", "taker_buy_volume")
_AT_ONCE = 7 * DAY
# So much that the store lacks is made up for by candles; more is said to be missing.
_MADE_UP = 31 * DAY
# Steps of the developing point of control by length of the window.
_STEPS: tuple[tuple[timedelta, Level], ...] = ((14 * DAY, "hour"), (730 * DAY, "day"))
_BY_CANDLES = 12 * HOUR
_MOST_STEPS = 30
_MOST_SHOWN = 120


@dataclass(frozen=True)
class Venues:
    """Markets of an instrument that count, by number: names and quote currencies."""

    base: str
    row_size: float
    names: Mapping[int, str]
    quotes: Mapping[int, str]


def by_venue(
    connection: Connection, venues: Venues, window: Window, placement: Placement
) -> tuple[dict[int, PriceRows], int]:
    """Rows of each venue that traded, by market number, and how many hours of the window are in none."""
    if placement != "uniform":
        return _placed(connection, venues, window, placement), 0
    if profiles.row_size(connection, venues.base) != venues.row_size:
        lacking = hours_stored(connection, venues.base, window)
        found: dict[int, list[PriceRows]] = {}
        whole = [window]
    else:
        stored = profiles.profile(connection, venues.base, window, set(venues.names))
        found = {number: [part.rows] for number, part in stored.items()}
        inner = Window(ceil(window.start, HOUR), max(ceil(window.start, HOUR), floor(window.end, HOUR)))
        lacking = hours_lacking(connection, venues.base, inner)
        whole = union(hours_of(lacking))
    if len(lacking) * HOUR <= _MADE_UP:
        for span in whole:
            for number, part in _traded(connection, venues, span):
                found.setdefault(number, []).append(part.rows)
        lacking = []
    return {number: PriceRows.sum_of(parts) for number, parts in sorted(found.items())}, len(lacking)


def developing_poc(
    connection: Connection, venues: Venues, window: Window, *, all_venues: bool
) -> list[tuple[datetime, float]]:
    """(moment, point of control of the window up to that moment), in order, volume spread evenly.

    Short windows go by parts of an hour, longer ones by stored hours, days or months.
    """
    if window.end - window.start <= _BY_CANDLES:
        parts = _short_parts(connection, venues, window)
    else:
        parts = _stored_parts(connection, venues, window, all_venues=all_venues)
    first = min((part.first_row for _, part in parts if len(part.volume)), default=0)
    last = max((part.first_row + len(part.volume) for _, part in parts if len(part.volume)), default=first)
    so_far: Floats = np.zeros(last - first)
    found = []
    # More moments could not be told apart.
    every = -(-len(parts) // _MOST_SHOWN)
    for number, (moment, part) in enumerate(parts, 1):
        at = part.first_row - first
        if len(part.volume):
            so_far[at : at + len(part.volume)] += part.volume
        if (number % every == 0 or number == len(parts)) and so_far.any():
            poc = point_of_control(PriceRows(first, venues.row_size, so_far))
            found.append((min(moment, window.end), poc))
    return found


def _stored_parts(
    connection: Connection, venues: Venues, window: Window, *, all_venues: bool
) -> list[tuple[datetime, PriceRows]]:
    if profiles.row_size(connection, venues.base) != venues.row_size:
        return []
    length = window.end - window.start
    level = next((level for longest, level in _STEPS if length <= longest), "month")
    found: dict[datetime, list[PriceRows]] = {}
    left = [window]
    # What the months or days at the ends lack comes by smaller steps.
    for step in reversed(LEVELS[: LEVELS.index(level) + 1]):
        rest = []
        for gap in left:
            spans = made(connection, venues.base, step, gap)
            rest += [Window(gap.start, spans[0].start), Window(spans[-1].end, gap.end)] if spans else [gap]
            ends = {span.start: span.end for span in spans}
            stored = read(connection, venues.base, step, gap, venues.row_size, total=all_venues)
            for row in stored:
                if row.start in ends and row.included and (all_venues or row.market_id in venues.names):
                    found.setdefault(ends[row.start], []).append(row.part.rows)
        left = [gap for gap in rest if gap]
    return [(end, PriceRows.sum_of(parts)) for end, parts in sorted(found.items())]


def _short_parts(connection: Connection, venues: Venues, window: Window) -> list[tuple[datetime, PriceRows]]:
    frame, usd = _candles(connection, venues, window)
    priced = _priced(frame, usd)
    step = max(window.end - window.start, timedelta(minutes=_MOST_STEPS)) / _MOST_STEPS
    number = ((priced["open_time"] - pd.Timestamp(window.start)) // pd.Timedelta(step)).to_numpy()
    order = np.argsort(number, kind="stable")
    priced, number = priced.iloc[order], number[order]
    starts = np.flatnonzero(np.diff(number, prepend=-1))
    ends = np.append(starts[1:], len(number))
    return [
        (
            window.start + (int(number[start]) + 1) * step,
            volume_by_price(priced.iloc[start:end], venues.row_size),
        )
        for start, end in zip(starts, ends, strict=True)
    ]


def _placed(
    connection: Connection, venues: Venues, window: Window, placement: Placement
) -> dict[int, PriceRows]:
    found: dict[int, list[PriceRows]] = {}
    for part in window.split(_AT_ONCE):
        frame, usd = _candles(connection, venues, part)
        for number, of_venue in _priced(frame, usd).groupby("market_id", sort=True):
            made_rows = volume_by_price(of_venue, venues.row_size, placement)
            found.setdefault(int(str(number)), []).append(made_rows)
    return {number: PriceRows.sum_of(parts) for number, parts in sorted(found.items())}


def _traded(connection: Connection, venues: Venues, window: Window) -> list[tuple[int, Traded]]:
    found = []
    for part in window.split(_AT_ONCE):
        frame, usd = _candles(connection, venues, part)
        found += [
            (number, traded)
            for (number, _), traded in sorted(hourly_profiles(frame, usd, venues.row_size).items())
        ]
    return found


def _candles(connection: Connection, venues: Venues, window: Window) -> tuple[pd.DataFrame, Floats]:
    """Candles that count, and for each what its quote currency was worth."""
    frame = candles.read(connection, list(venues.names), window, _COLUMNS)
    frame = frame[~_left_out(connection, venues.base, frame, window)].reset_index(drop=True)
    rates = profiles.read_rates(connection, set(venues.quotes.values()), [window])
    return frame, dollars(frame, dict(venues.quotes), rates)


def _left_out(connection: Connection, base: str, frame: pd.DataFrame, window: Window) -> "pd.Series[bool]":
    hours = Window(floor(window.start, HOUR), ceil(window.end, HOUR))
    verdicts = rows.read(connection, VENUE_VERDICT, {"base": base}, hours, ["market_id", "hour"])
    out: pd.Series[bool] = pd.Series(data=False, index=frame.index, dtype=bool)
    if len(verdicts):
        named = pd.MultiIndex.from_frame(verdicts.astype({"market_id": "int64"}))
        of_candle = pd.MultiIndex.from_arrays(
            [frame["market_id"].astype("int64"), frame["open_time"].dt.floor("h")]
        )
        out[:] = of_candle.isin(named)
    return out


def _priced(frame: pd.DataFrame, usd: Floats) -> pd.DataFrame:
    """Candles with volume and prices in dollars, as `volume_by_price` takes them."""
    made_of = {name: frame[name].to_numpy(dtype=np.float64) * usd for name in ("low", "high", "close")}
    volume = frame["volume"].to_numpy(dtype=np.float64)
    sound = np.isfinite(volume) & (volume > 0) & (made_of["low"] > 0) & (made_of["high"] >= made_of["low"])
    sound &= np.isfinite(made_of["high"])
    found = pd.DataFrame(
        {"market_id": frame["market_id"], "open_time": frame["open_time"], **made_of, "volume": volume}
    )
    chosen: pd.DataFrame = found[sound]
    return chosen


def venues_of(
    connection: Connection, base: str, row_size: float, names: Sequence[str], chosen: Sequence[str]
) -> Venues:
    """The venues of an instrument, those of the markets file alone; of them the chosen, if any are."""
    stored = connection.execute(
        "SELECT market_id, exchange || ' ' || symbol, split_part(symbol, '/', 2) FROM market"
        " WHERE split_part(symbol, '/', 1) = %s ORDER BY market_id",
        [base],
    ).fetchall()
    known = [row for row in stored if row[1] in (chosen or names)]
    return Venues(base, row_size, {row[0]: row[1] for row in known}, {row[0]: row[2] for row in known})
