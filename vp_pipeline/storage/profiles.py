"""The profile store: what every venue traded at which price, by hour, day, month and year.

Here belong keeping those parts and adding up any window of them. Every part stands on the one grid of its
instrument, so that a window is a sum of years, months, days and hours, and the minutes at its ends come from
candles. How parts are made of candles is in `analytics.venue_profiles`; when, is for the assets.

An hour has a row for each venue that traded and one for all that count together (`market_id` 0), which also
says that the hour was made. A venue that `venue_verdict` leaves out is kept as not included, and is in no
total. Days, months and years are sums of their children in one order, written when they are over and made
anew with any of their hours: never by adding a difference, so that the same hours give the same bytes.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import groupby, pairwise

import pandas as pd
from psycopg import sql

from vp_pipeline.analytics.venue_profiles import Traded, dollars, hourly_profiles
from vp_pipeline.storage import candles, packed
from vp_pipeline.storage.connection import Connection
from vp_pipeline.storage.locks import Lock
from vp_pipeline.storage.profile_rows import LEVELS, TOTAL, Level, Row, made, period, read, write
from vp_pipeline.storage.tables import QUOTE_RATE
from vp_pipeline.windows import HOUR, Window, ceil, floor, minus, union

_COLUMNS = ("market_id", "open_time", "open", "high", "low", "close", "volume", "taker_buy_volume")


def row_size(connection: Connection, base: str) -> float | None:
    """The height of the instrument's rows in dollars, None if nothing is stored."""
    found = connection.execute("SELECT row_size FROM profile_grid WHERE base = %s", [base]).fetchone()
    return float(found[0]) if found else None


def set_row_size(connection: Connection, base: str, size: float) -> list[datetime]:
    """Let the instrument's rows have this height; the hours that have to be made anew.

    Rows of another height cannot be added: they go, and their hours are handed back.
    """
    connection.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", [Lock.PROFILES, base])
    if row_size(connection, base) == size:
        return []
    lost = hours_made(connection, base)
    connection.execute("DELETE FROM profile WHERE base = %s", [base])
    connection.execute(
        "INSERT INTO profile_grid (base, row_size) VALUES (%s, %s)"
        " ON CONFLICT (base) DO UPDATE SET row_size = excluded.row_size",
        [base, size],
    )
    return lost


def hours_made(connection: Connection, base: str, window: Window | None = None) -> list[datetime]:
    """Hours of the window, or of all time, that have been made, in order."""
    within = "" if window is None else " AND start_time >= %(start)s AND start_time < %(end)s"
    found = connection.execute(
        "SELECT start_time FROM profile WHERE base = %(base)s AND level = 'hour' AND market_id = 0"  # noqa: S608  # constant parts
        f"{within} ORDER BY start_time",
        {
            "base": base,
            "start": None if window is None else window.start,
            "end": None if window is None else window.end,
        },
    )
    return [start for (start,) in found]


def make(connection: Connection, base: str, quotes: Mapping[int, str], window: Window) -> list[datetime]:
    """Make the window's hours from stored candles and quote rates, and all that they are part of.

    Returns the hours that this changed.

    Args:
        connection: everything happens in its transaction; whoever makes hours of the base meanwhile waits.
        base: the instrument, whose row size is set.
        quotes: its markets, retired ones too, with their quote currencies.
        window: whole UTC hours.

    Raises:
        ValueError: the window has no whole hours, or the row size was not set.
    """
    if window.start != floor(window.start, HOUR) or window.end != floor(window.end, HOUR):
        raise ValueError(f"profiles are made of whole UTC hours, {window} has others")
    connection.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", [Lock.PROFILES, base])
    size = _size(connection, base)
    frame = candles.read(connection, list(quotes), window, _COLUMNS)
    parts = _hourly(connection, frame, quotes, [window], size)
    hours = [hour.start for hour in window.split(HOUR)]
    left_out = _left_out(connection, base, hours)
    found: dict[datetime, list[Row]] = {hour: [] for hour in hours}
    for (number, start), part in sorted(parts.items()):
        hour = start.to_pydatetime()
        found[hour].append(Row(hour, number, (number, hour) not in left_out, part))
    for hour, of_hour in found.items():
        counted = [row.part for row in of_hour if row.included]
        of_hour.append(Row(hour, TOTAL, True, Traded.sum_of(counted, size, hours=1)))
    changed = write(connection, base, "hour", hours, [row for many in found.values() for row in many])
    _roll_up(connection, base, changed, size)
    return changed


def profile(
    connection: Connection,
    base: str,
    window: Window,
    venues: Collection[int] | None = None,
    *,
    left_out: bool = False,
) -> dict[int, Traded]:
    """What each venue traded within the window, by market number.

    Args:
        connection: to read from.
        base: the instrument.
        window: any; minutes of hours it does not hold whole come from candles.
        venues: these alone, by default all.
        left_out: count the hours of a venue in which it was left out, too.

    Raises:
        ValueError: nothing is stored of the base, or the window does not begin and end on whole minutes.
    """
    size = _size(connection, base)
    found: dict[int, list[Traded]] = {}
    for number, included, part in _parts(connection, base, window, size, total=False):
        if (included or left_out) and (venues is None or number in venues):
            found.setdefault(number, []).append(part)
    return {number: Traded.sum_of(found[number], size) for number in sorted(found)}


def total(connection: Connection, base: str, window: Window) -> Traded:
    """The same of all venues together that count; `hours` says how many whole hours of it were made.

    Raises:
        ValueError: as `profile`.
    """
    size = _size(connection, base)
    return Traded.sum_of(
        (part for _, included, part in _parts(connection, base, window, size, total=True) if included), size
    )


def _size(connection: Connection, base: str) -> float:
    size = row_size(connection, base)
    if size is None:
        raise ValueError(
            f"no profile of {base} is stored: materialize profile_hours/{base.lower()} for its hours"
        )
    return size


def _parts(
    connection: Connection, base: str, window: Window, size: float, *, total: bool
) -> Iterable[tuple[int, bool, Traded]]:
    """All parts of the window: its largest whole periods, and the minutes at its ends."""
    inner_start = ceil(window.start, HOUR)
    inner = Window(inner_start, max(inner_start, floor(window.end, HOUR)))
    left = [inner] if inner else []
    for level in reversed(LEVELS):
        if level == "hour":
            chosen = left
        else:
            chosen = [span for part in left for span in made(connection, base, level, part)]
        for stretch in union(chosen):
            for row in read(connection, base, level, stretch, size, total=total):
                yield row.market_id, row.included, row.part
        left = [gap for part in left for gap in minus(part, chosen)]
    first = Window(window.start, min(inner.start, window.end))
    last = Window(max(inner.end, first.end), max(inner.end, first.end, window.end))
    ends = [end for end in (first, last) if end]
    if ends:
        yield from _minutes(connection, base, ends, size)


def _minutes(
    connection: Connection, base: str, ends: Sequence[Window], size: float
) -> Iterable[tuple[int, bool, Traded]]:
    """Parts of hours, from their candles, of the markets that the hour was made of.

    A market that the markets file names no longer still has candles. An hour that was not made has all.
    """
    found = connection.execute(
        "SELECT market_id, split_part(symbol, '/', 2) FROM market WHERE split_part(symbol, '/', 1) = %s",
        [base],
    )
    quotes: dict[int, str] = dict(found.fetchall())
    hours = [floor(end.start, HOUR) for end in ends]
    left_out, traded = _left_out(connection, base, hours), _traded(connection, base, hours)
    frame = candles.read_windows(connection, list(quotes), ends, _COLUMNS)
    for (number, start), part in sorted(_hourly(connection, frame, quotes, ends, size).items()):
        hour = start.to_pydatetime()
        if hour not in traded or number in traded[hour]:
            yield number, (number, hour) not in left_out, _no_hour(part)


def _traded(connection: Connection, base: str, hours: Sequence[datetime]) -> dict[datetime, set[int]]:
    """The markets of each of the hours that was made."""
    found = connection.execute(
        "SELECT start_time, array_agg(market_id) FROM profile"
        " WHERE base = %s AND level = 'hour' AND start_time = ANY(%s) GROUP BY start_time",
        [base, list(hours)],
    )
    return {start: set(numbers) for start, numbers in found}


def _no_hour(part: Traded) -> Traded:
    return Traded.sum_of([part], part.row_size, hours=0)


def _hourly(
    connection: Connection,
    frame: pd.DataFrame,
    quotes: Mapping[int, str],
    windows: Sequence[Window],
    size: float,
) -> dict[tuple[int, pd.Timestamp], Traded]:
    """Parts by venue and hour of candles of the windows."""
    usd = dollars(frame, dict(quotes), read_rates(connection, set(quotes.values()), windows))
    return hourly_profiles(frame, usd, size)


def read_rates(connection: Connection, quotes: Collection[str], windows: Sequence[Window]) -> pd.DataFrame:
    """Dollars for one unit of each of the quote currencies but the dollar: quote, open_time, usd."""
    kinds = {name: QUOTE_RATE.columns[name] for name in ("open_time", "usd")}
    query = sql.SQL("SELECT {} FROM quote_rate WHERE quote = %s AND ({})").format(
        packed.select_list(kinds),
        sql.SQL(" OR ").join([sql.SQL("open_time >= %s AND open_time < %s")] * len(windows)),
    )
    moments = [moment for window in windows for moment in (window.start, window.end)]
    found = [pd.DataFrame({"quote": [], "open_time": pd.DatetimeIndex([], tz="UTC"), "usd": []})]
    for quote in sorted(set(quotes) - {"USD"}):
        row = connection.execute(query, [quote, *moments], binary=True).fetchone()
        rates = packed.frame(row, kinds)
        rates.insert(0, "quote", quote)
        found.append(rates)
    return found[-1] if len(found) < 3 else pd.concat(found[1:], ignore_index=True)


def _left_out(connection: Connection, base: str, hours: Sequence[datetime]) -> set[tuple[int, datetime]]:
    found = connection.execute(
        "SELECT market_id, hour FROM venue_verdict WHERE base = %s AND hour = ANY(%s)", [base, list(hours)]
    )
    return set(found.fetchall())


def _roll_up(connection: Connection, base: str, hours: Sequence[datetime], size: float) -> None:
    """Make the days, months and years anew that hold these hours and are over."""
    newest = connection.execute(
        "SELECT max(start_time) FROM profile WHERE base = %s AND level = 'hour'", [base]
    ).fetchone()
    if newest is None or newest[0] is None:
        return
    touched, until = list(hours), newest[0] + HOUR
    for below, level in pairwise(LEVELS):
        spans = {period(level, start) for start in (*touched, *_late(connection, base, below, level))}
        over = sorted((span for span in spans if span.end <= until), key=lambda span: span.start)
        touched = []
        for span in over:
            sums = list(_summed(read(connection, base, below, span, size, total=None), span.start, size))
            touched += write(connection, base, level, [span.start], sums)


def _late(connection: Connection, base: str, below: Level, level: Level) -> list[datetime]:
    """Moments of periods after the last that was summed: they may be over by now without a change."""
    found = connection.execute(
        "SELECT DISTINCT date_trunc(%(level)s, start_time, 'UTC') FROM profile"
        " WHERE base = %(base)s AND level = %(below)s AND market_id = 0 AND start_time > coalesce((SELECT"
        " max(start_time) FROM profile WHERE base = %(base)s AND level = %(level)s), '-infinity')",
        {"base": base, "below": below, "level": level},
    )
    return [start for (start,) in found]


def _summed(parts: Iterable[Row], start: datetime, size: float) -> Iterator[Row]:
    """One row for each venue, of rows by venue and time."""
    for (number, included), of_venue in groupby(parts, key=lambda row: (row.market_id, row.included)):
        yield Row(start, number, included, Traded.sum_of((row.part for row in of_venue), size))
