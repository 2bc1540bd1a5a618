"""Minute candles in and out of the partitioned table, many markets at once.

Here belongs how candles are stored (what is new is copied in, what differs is updated, all else is left
alone) and read. What a frame must be is in `candle_frames`, what counts as a difference in `candle_changes`,
the bytes of COPY in `candle_copy`, the queries in `candle_queries`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt
import pandas as pd

from vp_pipeline.storage import candle_copy, packed
from vp_pipeline.storage.candle_changes import (
    CLOSE,
    VALUES,
    VOLUME,
    Changes,
    Minutes,
    compare,
    per_market,
)
from vp_pipeline.storage.candle_frames import minutes_of
from vp_pipeline.storage.candle_queries import ANY, FINAL, Segment, Wanted, extent_of, hulls_of, ordered
from vp_pipeline.storage.connection import Connection
from vp_pipeline.storage.markets import lock
from vp_pipeline.storage.tables import CANDLE
from vp_pipeline.windows import DAY, EPOCH, HOUR, MINUTE, Window

BLOCK = 30 * DAY
# Minutes apart by more than this are read separately, so that a tick that heals an old hour reads no month.
_APART = 6 * HOUR // MINUTE
_MOST_SEGMENTS = 200

Times = npt.NDArray[np.datetime64]


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
    wanted = Wanted.named(connection, names, ANY if provisional else FINAL)
    found = wanted.of_window(sorted(set(market_ids)), window)
    return _frame({name: found[name] for name in names})


def read_windows(
    connection: Connection, market_ids: Sequence[int], windows: Sequence[Window], columns: Sequence[str]
) -> pd.DataFrame:
    """Final candles within any of some short windows, as `read` gives them, by one query."""
    segments = hulls_of([(number, window) for number in market_ids for window in windows])
    found = ordered(Wanted.named(connection, columns).of_segments(segments))
    return _frame({name: found[name] for name in columns})


def read_blocks(
    connection: Connection,
    market_id: int,
    window: Window,
    block: timedelta = BLOCK,
    columns: Sequence[str] | None = None,
) -> Iterator[pd.DataFrame]:
    """Final candles of one market, `block` at a time, so that years need no more memory than a block."""
    for part in extent_of(connection, market_id, window).split(block):
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


def following(
    connection: Connection, moments: Sequence[tuple[int, datetime]]
) -> dict[tuple[int, datetime], datetime]:
    """Open time of a market's first final candle from a moment on; where there is none it is left out."""
    rows = connection.execute(
        "SELECT number, moment, (SELECT open_time FROM candle WHERE market_id = number"
        " AND open_time >= moment AND NOT provisional ORDER BY open_time LIMIT 1)"
        " FROM unnest(%s::int2[], %s::timestamptz[]) AS asked (number, moment)",
        [[number for number, _ in moments], [moment for _, moment in moments]],
    )
    return {(number, moment): first for number, moment, first in rows if first is not None}


def final_minutes(connection: Connection, windows: Sequence[tuple[int, Window]]) -> dict[int, Times]:
    """By market, open times of its stored final candles within its windows, ascending, UTC."""
    found = Wanted.named(connection).of_segments(hulls_of(windows))
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


def _stored(connection: Connection, segments: Sequence[Segment]) -> Minutes:
    """All rows of the segments."""
    found = Wanted.named(connection, CANDLE.columns, ANY).of_segments(segments)
    values = np.empty((len(found["open_time"]), len(VALUES)))
    for column, name in enumerate(VALUES):
        values[:, column] = found.pop(name)
    minute = found["open_time"].astype("datetime64[m]").astype(np.int64)
    rows = Minutes(found["market_id"], minute, found["provisional"], values)
    return rows if (np.diff(rows.key) > 0).all() else rows.take(np.argsort(rows.key))


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
