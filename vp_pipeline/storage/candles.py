"""Minute candles in and out of the partitioned table, many markets at once.

Here belongs how candles are stored (what is new is copied in, what differs is updated, all else is left
alone) and read (as packed columns). What a frame must be is in `candle_frames`, what counts as a difference
in `candle_changes`, the bytes of COPY in `candle_copy`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt
import pandas as pd
from psycopg import sql

from vp_pipeline.storage import candle_copy, packed
from vp_pipeline.storage.candle_changes import (
    CLOSE,
    KNOWN,
    VALUES,
    VOLUME,
    Changes,
    Minutes,
    compare,
    per_market,
    sorting_key,
)
from vp_pipeline.storage.candle_frames import minutes_of
from vp_pipeline.storage.connection import Connection
from vp_pipeline.storage.markets import lock
from vp_pipeline.storage.tables import CANDLE, PgType
from vp_pipeline.windows import DAY, EPOCH, HOUR, MINUTE, Window

BLOCK = 30 * DAY
# So many rows come by one query: 3 MB. Of more, each query brings a part of one market that stays in the
# processor's cache.
_AT_ONCE = 45_000
_PART = 10 * DAY
# Minutes apart by more than this are read separately, so that a tick that heals an old hour reads no month.
_APART = 6 * HOUR // MINUTE
_MOST_SEGMENTS = 200

Times = npt.NDArray[np.datetime64]
Segment = tuple[int, datetime, datetime]


@dataclass(frozen=True)
class Stored:
    """What storing a market's candles changed.

    Attributes:
        inserted: rows that are new, provisional ones included.
        finalized: provisional rows that became final.
        revised: final rows of which the exchange now gives other numbers.
        changed_hours: hours in which any final row is new, finalized, revised, or known better than before.
    """

    inserted: int
    finalized: int
    revised: int
    changed_hours: tuple[datetime, ...]


def store(connection: Connection, frames: Mapping[int, pd.DataFrame]) -> dict[int, Stored]:
    """Store candles by market number, in the caller's transaction; equal rows are left alone, none deleted.

    A final row replaces a provisional one, never the other way round. Other numbers of a final row
    replace it and are counted in `revision`. Whoever stores the same markets meanwhile waits.

    Args:
        frames: columns open_time (UTC, whole minutes), open, high, low, close, volume (base asset), in any
            order of rows; quote_volume, taker_buy_volume (NaN where not known, which never erases a
            known number) and provisional, which are not known and false if absent.

    Raises:
        ValueError: a frame lacks a column, repeats a minute or holds what is no number or no minute.
        psycopg.errors.CheckViolation: a market number that is not registered.
    """
    new = Minutes.concatenate([minutes_of(number, frames[number]) for number in sorted(frames)])
    lock(connection, list(frames))
    changes = compare(_stored(connection, _segments(new)), new)
    if len(changes.insert):
        candle_copy.copy_in(connection, changes.insert)
    if len(changes.update):
        _update(connection, changes.update)
    if changes.revised.any():
        _count_revisions(connection, changes.before.take(changes.revised))
    return _report(frames, changes)


def read(
    connection: Connection,
    market_ids: Sequence[int],
    window: Window,
    columns: Sequence[str] | None = None,
    provisional: bool = False,
) -> pd.DataFrame:
    """Candles within the window, by market and time: final ones, and provisional ones if asked for.

    Columns are those of the table `candle`, or those named, in that order; NaN where nothing is known.
    """
    names = list(columns or CANDLE.columns)
    kinds = {name: CANDLE.columns[name] for name in dict.fromkeys([*CANDLE.key, *names])}
    numbers = sorted(set(market_ids))
    which = sql.SQL("true" if provisional else "NOT provisional")
    if len(numbers) * window.count(MINUTE) <= _AT_ONCE:
        found = _block(connection, numbers, window, kinds, which)
    else:
        found = _long(connection, numbers, window, kinds, which)
    return _frame({name: found[name] for name in names})


def read_windows(
    connection: Connection, market_ids: Sequence[int], windows: Sequence[Window], columns: Sequence[str]
) -> pd.DataFrame:
    """Final candles within any of some short windows, as `read` gives them, by one query."""
    kinds = {name: CANDLE.columns[name] for name in dict.fromkeys([*CANDLE.key, *columns])}
    segments = _hulls([(number, window) for number in market_ids for window in windows])
    found = _ordered(_segments_of(connection, segments, kinds, sql.SQL("NOT provisional")))
    return _frame({name: found[name] for name in columns})


def read_blocks(
    connection: Connection,
    market_id: int,
    window: Window,
    block: timedelta = BLOCK,
    columns: Sequence[str] | None = None,
) -> Iterator[pd.DataFrame]:
    """Final candles of one market, `block` at a time, so that years need no more memory than a block."""
    for part in _extent(connection, market_id, window).split(block):
        frame = read(connection, [market_id], part, columns)
        if len(frame):
            yield frame


def newest(connection: Connection, market_ids: Sequence[int]) -> dict[int, datetime]:
    """Open time of each market's last final candle; markets without any are left out."""
    rows = connection.execute(
        "SELECT number, (SELECT open_time FROM candle WHERE market_id = number AND NOT provisional"
        " ORDER BY open_time DESC LIMIT 1) FROM unnest(%s::int2[]) AS number",
        [list(market_ids)],
    )
    return {number: moment for number, moment in rows if moment is not None}


def final_minutes(connection: Connection, windows: Sequence[tuple[int, Window]]) -> dict[int, Times]:
    """By market, open times of its stored final candles within its windows, ascending, UTC."""
    kinds: dict[str, PgType] = {name: CANDLE.columns[name] for name in CANDLE.key}
    found = _segments_of(connection, _hulls(windows), kinds, sql.SQL("NOT provisional"))
    numbers = {number for number, _ in windows}
    return {number: np.sort(found["open_time"][found["market_id"] == number]) for number in numbers}


def _segments(new: Minutes) -> list[Segment]:
    """The stretches of time, by market, whose stored rows are to be compared."""
    found: list[Segment] = []
    for number in np.unique(new.market).tolist():
        minute = new.minute[new.market == number]
        breaks = np.flatnonzero(np.diff(minute) > _APART) + 1
        pieces = np.split(minute, breaks) if len(breaks) < _MOST_SEGMENTS else [minute]
        found += [(number, _moment(piece[0]), _moment(piece[-1] + 1)) for piece in pieces]
    return found


def _hulls(windows: Sequence[tuple[int, Window]]) -> list[Segment]:
    """The windows with those joined that overlap or are neighbours."""
    hulls: list[Segment] = []
    for number, window in sorted(windows, key=lambda one: (one[0], one[1].start)):
        last = hulls[-1] if hulls else None
        if last is not None and last[0] == number and window.start <= last[2]:
            hulls[-1] = (number, last[1], max(last[2], window.end))
        else:
            hulls.append((number, window.start, window.end))
    return hulls


def _stored(connection: Connection, segments: Sequence[Segment]) -> Minutes:
    """All rows of the segments."""
    found = _segments_of(connection, segments, CANDLE.columns, sql.SQL("true"))
    values = np.empty((len(found["open_time"]), len(VALUES)))
    for column, name in enumerate(VALUES):
        values[:, column] = found.pop(name)
    minute = found["open_time"].astype("datetime64[m]").astype(np.int64)
    rows = Minutes(found["market_id"], minute, found["provisional"], values)
    return rows if (np.diff(rows.key) > 0).all() else rows.take(np.argsort(rows.key))


def _segments_of(
    connection: Connection, segments: Sequence[Segment], kinds: Mapping[str, PgType], which: sql.Composable
) -> packed.Arrays:
    """Packed columns of the segments' rows, in no certain order, by one query."""
    if not segments:
        return packed.empty(kinds)
    # Markets by stretch of time: those of a tick share one, and each scan is planned by itself.
    shared: dict[tuple[datetime, datetime], list[int]] = {}
    for number, start, end in segments:
        shared.setdefault((start, end), []).append(number)
    # Numbers and not a join: the planner sees at once which partitions count.
    scan = sql.SQL(
        "SELECT {} FROM candle WHERE market_id = ANY(%s) AND open_time >= %s AND open_time < %s AND {}"
    ).format(sql.SQL(", ").join(map(sql.Identifier, kinds)), which)
    query = sql.SQL("SELECT {} FROM ({}) AS candle").format(
        packed.select_list(kinds, VALUES[KNOWN:]), sql.SQL(" UNION ALL ").join([scan] * len(shared))
    )
    arguments = [value for (start, end), numbers in shared.items() for value in (numbers, start, end)]
    row = connection.execute(query, arguments, binary=True, prepare=False).fetchone()
    return packed.unpack(row or (), kinds)


def _block(
    connection: Connection,
    numbers: Sequence[int],
    window: Window,
    kinds: Mapping[str, PgType],
    which: sql.Composable,
) -> packed.Arrays:
    """Rows of the window in order, by one query."""
    sent = {name: kind for name, kind in kinds.items() if len(numbers) != 1 or name != "market_id"}
    # The plan is made anew each time: one for any market would look into every partition.
    query = sql.SQL(
        "SELECT {} FROM candle WHERE market_id = ANY(%s) AND open_time >= %s AND open_time < %s AND {}"
    ).format(packed.select_list(sent, VALUES[KNOWN:]), which)
    row = connection.execute(
        query, [list(numbers), window.start, window.end], binary=True, prepare=False
    ).fetchone()
    found = packed.unpack(row or (), sent)
    if len(numbers) == 1:
        found["market_id"] = np.full(len(found["open_time"]), numbers[0], dtype=np.int16)
    return _ordered(found)


def _ordered(found: packed.Arrays) -> packed.Arrays:
    """The rows by market and time."""
    market, minute = found["market_id"], found["open_time"].astype("datetime64[m]").astype(np.int64)
    key = sorting_key(market, minute)
    if (key[1:] > key[:-1]).all():
        return found
    order = np.argsort(key)
    return {name: values[order] for name, values in found.items()}


def _long(
    connection: Connection,
    numbers: Sequence[int],
    window: Window,
    kinds: Mapping[str, PgType],
    which: sql.Composable,
) -> packed.Arrays:
    """The same for many rows: a part at a time, each put in its place at once."""
    extents = {number: _extent(connection, number, window) for number in numbers}
    most = sum(extent.count(MINUTE) for extent in extents.values())
    # Memory that no row fills is never touched, so that the system does not have to find it.
    whole = {name: np.empty(most, dtype=values.dtype) for name, values in packed.empty(kinds).items()}
    reached = 0
    for number, extent in extents.items():
        for part in extent.split(_PART):
            block = _block(connection, [number], part, kinds, which)
            start, reached = reached, reached + len(block["open_time"])
            for name, values in block.items():
                whole[name][start:reached] = values
    return {name: values[:reached] for name, values in whole.items()}


def _extent(connection: Connection, number: int, window: Window) -> Window:
    """The part of the window from the first stored candle to the last."""
    row = connection.execute(
        "SELECT min(open_time), max(open_time) FROM candle"
        " WHERE market_id = %s AND open_time >= %s AND open_time < %s",
        [number, window.start, window.end],
        prepare=False,
    ).fetchone()
    if row is None or row[0] is None:
        return Window(window.start, window.start)
    return Window(row[0], row[1] + MINUTE)


def _frame(columns: packed.Arrays) -> pd.DataFrame:
    series = {
        name: pd.DatetimeIndex(values).tz_localize("UTC") if values.dtype.kind == "M" else values
        for name, values in columns.items()
    }
    return pd.DataFrame(series, copy=False)


def _update(connection: Connection, rows: Minutes) -> None:
    connection.execute(
        "UPDATE candle SET provisional = new.provisional, open = new.open, high = new.high, low = new.low,"
        " close = new.close, volume = new.volume, quote_volume = nullif(new.quote_volume, 'NaN'),"
        " taker_buy_volume = nullif(new.taker_buy_volume, 'NaN')"
        " FROM unnest(%b::int2[], %b::timestamptz[], %b::bool[], %b::float8[], %b::float8[], %b::float8[],"
        " %b::float8[], %b::float8[], %b::float8[], %b::float8[]) AS new (market_id, open_time, provisional,"
        " open, high, low, close, volume, quote_volume, taker_buy_volume)"
        " WHERE candle.market_id = new.market_id AND candle.open_time = new.open_time"
        # Said twice: with constants the planner leaves out the other partitions.
        " AND candle.market_id = ANY(%b)",
        [
            rows.market.tolist(),
            _moments(rows),
            rows.provisional.tolist(),
            *(rows.values[:, column].tolist() for column in range(len(VALUES))),
            np.unique(rows.market).tolist(),
        ],
        prepare=False,
    )


def _count_revisions(connection: Connection, before: Minutes) -> None:
    connection.execute(
        "INSERT INTO revision (market_id, times, open_time, first_volume, first_close, last_at)"
        " SELECT market_id, 1, open_time, volume, close, now()"
        " FROM unnest(%b::int2[], %b::timestamptz[], %b::float8[], %b::float8[])"
        " AS old (market_id, open_time, volume, close)"
        " ON CONFLICT (market_id, open_time)"
        " DO UPDATE SET times = least(revision.times + 1, 32767), last_at = excluded.last_at",
        [
            before.market.tolist(),
            _moments(before),
            before.values[:, VOLUME].tolist(),
            before.values[:, CLOSE].tolist(),
        ],
    )


def _report(frames: Mapping[int, pd.DataFrame], changes: Changes) -> dict[int, Stored]:
    inserted = per_market(changes.insert.market)
    finalized = per_market(changes.update.market, changes.finalized)
    revised = per_market(changes.update.market, changes.revised)
    final = changes.final
    return {
        number: Stored(
            inserted.get(number, 0),
            finalized.get(number, 0),
            revised.get(number, 0),
            tuple(EPOCH + h * HOUR for h in np.unique(final.minute[final.market == number] // 60).tolist()),
        )
        for number in frames
    }


def _moment(minute: int) -> datetime:
    return EPOCH + int(minute) * MINUTE


def _moments(rows: Minutes) -> list[datetime]:
    return [_moment(minute) for minute in rows.minute.tolist()]
