"""The ledger: for every market and minute whether its candle is stored, the exchange said there was none,
or it is not known.

Here belongs keeping runs of minutes in Postgres and asking about them. Which statement wins is for
`minute_runs`; finding something out is for those that fetch or load.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import pandas as pd

from vp_pipeline.storage.candles import final_minutes
from vp_pipeline.storage.connection import Connection
from vp_pipeline.storage.markets import lock
from vp_pipeline.storage.minute_runs import Run, State, doubted, found, join, lay
from vp_pipeline.storage.rows import frame_of
from vp_pipeline.storage.tables import PgType
from vp_pipeline.windows import Window

__all__ = [
    "EXCHANGE_HAS_NONE",
    "Finding",
    "Run",
    "State",
    "by_hour",
    "counts",
    "frontier",
    "known",
    "record",
    "runs",
    "unknown",
]

# What people read of a minute that is exchange-empty; it is not stored again with every run.
EXCHANGE_HAS_NONE = "the exchange has no candle"

_OTHERWISE: dict[str, State] = {
    "answered": "exchange-empty",
    "unknown": "unknown",
    "unfetchable": "unfetchable",
}
_COUNTED: dict[str, PgType] = {"got": "int8", "empty": "int8", "unknown": "int8", "unfetchable": "int8"}
_MINUTES_BY_STATE = ", ".join(
    f"coalesce(sum(minutes) FILTER (WHERE state = '{state}'), 0)::bigint"
    for state in ("got", "exchange-empty", "unknown", "unfetchable")
)
# A window that may be absent, and markets that may be all.
_WITHIN = (
    " (%(start)s::timestamptz IS NULL OR end_time > %(start)s)"
    " AND (%(end)s::timestamptz IS NULL OR start_time < %(end)s)"
    " AND (%(numbers)s::int2[] IS NULL OR market_id = ANY(%(numbers)s))"
)


@dataclass(frozen=True)
class Finding:
    """What was learned of a market's minutes. Where a final candle is stored they are got in any case; of
    the others `kind` says that the exchange has none, or why they could not be had. The last minutes that are
    got before unfetchable ones of the same window were to be asked for again: their run says so.
    """

    market_id: int
    window: Window
    kind: Literal["answered", "unknown", "unfetchable"]
    reason: str = ""


def record(connection: Connection, findings: Iterable[Finding]) -> None:
    """Keep what was found, in the caller's transaction and after its candles are stored.

    Later findings come after earlier ones. Repeating changes nothing. Whoever records the same markets
    meanwhile waits.

    Raises:
        ValueError: a window does not begin and end on whole minutes.
    """
    kept = [finding for finding in findings if finding.window]
    if not kept:
        return
    windows = [(finding.market_id, finding.window) for finding in kept]
    lock(connection, [finding.market_id for finding in kept])
    present = final_minutes(connection, windows)
    before = _touched(connection, windows)
    after = {number: list(known) for number, known in before.items()}
    for finding in kept:
        reason = "" if finding.kind == "answered" else finding.reason
        minutes = present[finding.market_id]
        newer = found(finding.window, minutes, _OTHERWISE[finding.kind], reason)
        if finding.kind == "unfetchable":
            newer = doubted(newer)
        after[finding.market_id] = lay(after[finding.market_id], newer)
    _write(connection, before, after)


def runs(
    connection: Connection, market_ids: Sequence[int], window: Window | None = None
) -> dict[int, list[Run]]:
    """What is known of each market, in order of time; of the window alone if one is given."""
    known: dict[int, list[Run]] = {number: [] for number in market_ids}
    rows = connection.execute(
        "SELECT market_id, greatest(start_time, %(start)s), least(end_time, %(end)s), state, reason"  # noqa: S608  # constant parts
        f" FROM coverage_run WHERE {_WITHIN} ORDER BY market_id, start_time",
        _arguments(window, market_ids),
    )
    for number, *run in rows:
        known[number].append(Run(*run))
    return known


def unknown(connection: Connection, market_ids: Sequence[int]) -> dict[int, list[Window]]:
    """Windows of which nothing is known yet, oldest first; neighbours with different reasons are one."""
    asked: dict[int, list[Run]] = {number: [] for number in market_ids}
    rows = connection.execute(
        "SELECT market_id, start_time, end_time FROM coverage_run"
        " WHERE market_id = ANY(%s) AND state = 'unknown' ORDER BY market_id, start_time",
        [list(market_ids)],
    )
    for number, start, end in rows:
        asked[number].append(Run(start, end, "unknown"))
    return {number: [Window(run.start, run.end) for run in join(found)] for number, found in asked.items()}


def known(
    connection: Connection, market_ids: Sequence[int], window: Window | None = None
) -> dict[int, list[tuple[datetime, datetime]]]:
    """Stretches in which each market should have candles, in order of time; those that touch the window.

    Where a candle is stored or may still come, and where the exchange has none after its first: before it the
    market may not have begun, and what can no longer be had is missed by nobody.
    """
    found: dict[int, list[tuple[datetime, datetime]]] = {number: [] for number in market_ids}
    rows = connection.execute(
        "WITH first AS (SELECT number AS market_id, (SELECT start_time FROM coverage_run"  # noqa: S608  # constant parts
        " WHERE market_id = number AND state = 'got' ORDER BY start_time LIMIT 1) AS begun"
        " FROM unnest(%(numbers)s::int2[]) AS number),"
        " run AS (SELECT market_id, start_time, end_time,"
        " (start_time IS DISTINCT FROM lag(end_time) OVER of_market)::int AS begins"
        f" FROM coverage_run JOIN first USING (market_id) WHERE {_WITHIN}"
        " AND (state = 'unknown' OR state <> 'unfetchable' AND start_time >= begun)"
        " WINDOW of_market AS (PARTITION BY market_id ORDER BY start_time)),"
        " part AS (SELECT *, sum(begins) OVER (PARTITION BY market_id ORDER BY start_time) AS stretch"
        " FROM run)"
        " SELECT market_id, min(start_time), max(end_time) FROM part"
        " GROUP BY market_id, stretch ORDER BY market_id, stretch",
        _arguments(window, market_ids),
    )
    for number, start, end in rows:
        found[number].append((start, end))
    return found


def frontier(connection: Connection, market_ids: Sequence[int]) -> dict[int, datetime]:
    """Up to where something is known of each market; markets that were never asked are left out."""
    rows = connection.execute(
        "SELECT number, (SELECT end_time FROM coverage_run WHERE market_id = number"
        " ORDER BY start_time DESC LIMIT 1) FROM unnest(%s::int2[]) AS number",
        [list(market_ids)],
    )
    return {number: end for number, end in rows if end is not None}


def by_hour(connection: Connection, window: Window, market_ids: Sequence[int] | None = None) -> pd.DataFrame:
    """Minutes of each market's hours by state, of the hours in which anything is known.

    Returns:
        market_id, hour (UTC), got, empty, unknown, unfetchable, and the reason of the longest run of the
        hour that is not got, '' if all are; by market and hour.
    """
    rows = connection.execute(
        "WITH part AS (SELECT market_id, hour, state, reason, start_time,"  # noqa: S608  # constant parts
        " extract(epoch FROM least(end_time, hour + interval '1 hour', %(end)s)"
        " - greatest(start_time, hour, %(start)s))::int / 60 AS minutes"
        " FROM coverage_run, generate_series(date_bin('1 hour', greatest(start_time, %(start)s), 'epoch'),"
        f" least(end_time, %(end)s) - interval '1 minute', '1 hour') AS hour WHERE {_WITHIN})"
        f" SELECT market_id, hour, {_MINUTES_BY_STATE}, coalesce((array_agg("
        " CASE state WHEN 'exchange-empty' THEN %(none)s ELSE reason END"
        " ORDER BY minutes DESC, start_time) FILTER (WHERE state <> 'got'))[1], '')"
        " FROM part GROUP BY market_id, hour ORDER BY market_id, hour",
        {"none": EXCHANGE_HAS_NONE, **_arguments(window, market_ids)},
    ).fetchall()
    return frame_of(rows, {"market_id": "int2", "hour": "timestamptz", **_COUNTED, "reason": "text"})


def counts(
    connection: Connection, window: Window | None, market_ids: Sequence[int] | None = None
) -> pd.DataFrame:
    """Minutes of each market by state, within the window or of all time: market_id, got, empty, unknown,
    unfetchable. Markets of which nothing is known are left out.
    """
    rows = connection.execute(
        "WITH part AS (SELECT market_id, state, extract(epoch FROM"  # noqa: S608  # constant parts
        " least(end_time, %(end)s) - greatest(start_time, %(start)s))::bigint / 60 AS minutes"
        f" FROM coverage_run WHERE {_WITHIN})"
        f" SELECT market_id, {_MINUTES_BY_STATE} FROM part GROUP BY market_id ORDER BY market_id",
        _arguments(window, market_ids),
    ).fetchall()
    return frame_of(rows, {"market_id": "int2", **_COUNTED})


def _arguments(window: Window | None, market_ids: Sequence[int] | None) -> dict[str, Any]:
    return {
        "start": None if window is None else window.start,
        "end": None if window is None else window.end,
        "numbers": None if market_ids is None else list(market_ids),
    }


def _touched(connection: Connection, windows: Sequence[tuple[int, Window]]) -> dict[int, list[Run]]:
    """Stored runs that the windows overlap or adjoin, by market; an entry for each market."""
    touched: dict[int, list[Run]] = {number: [] for number, _ in windows}
    rows = connection.execute(
        "SELECT DISTINCT run.* FROM unnest(%b::int2[], %b::timestamptz[], %b::timestamptz[])"
        " AS asked (number, first, last) CROSS JOIN LATERAL ("
        "SELECT market_id, start_time, end_time, state, reason FROM coverage_run"
        " WHERE market_id = number AND start_time <= last AND start_time >= coalesce("
        # Runs are disjoint: of those that begin before the window only the last can reach it.
        "(SELECT max(start_time) FROM coverage_run WHERE market_id = number AND start_time < first), first)"
        ") AS run ORDER BY market_id, start_time",
        [
            [number for number, _ in windows],
            [window.start for _, window in windows],
            [window.end for _, window in windows],
        ],
    )
    for number, *run in rows:
        touched[number].append(Run(*run))
    return touched


def _write(connection: Connection, before: Mapping[int, list[Run]], after: Mapping[int, list[Run]]) -> None:
    """Turn the stored runs `before` into `after`: only rows that differ, in at most three statements."""
    old = {(number, run.start): run for number, runs in before.items() for run in runs}
    new = {(number, run.start): run for number, runs in after.items() for run in runs}
    gone = old.keys() - new.keys()
    if gone:
        connection.execute(
            "DELETE FROM coverage_run USING unnest(%b::int2[], %b::timestamptz[]) AS gone (number, start)"
            " WHERE market_id = number AND start_time = start",
            [[number for number, _ in gone], [start for _, start in gone]],
        )
    changed = {key: run for key, run in new.items() if key in old and old[key] != run}
    if changed:
        connection.execute(
            "UPDATE coverage_run SET end_time = stop, state = now_state, reason = now_reason"  # noqa: S608  # constant parts
            f" FROM {_UNNESTED} WHERE market_id = number AND start_time = start",
            _columns(changed),
        )
    added = {key: run for key, run in new.items() if key not in old}
    if added:
        connection.execute(
            "INSERT INTO coverage_run (market_id, start_time, end_time, state, reason)"  # noqa: S608  # constant parts
            f" SELECT * FROM {_UNNESTED}",
            _columns(added),
        )


_UNNESTED = (
    "unnest(%b::int2[], %b::timestamptz[], %b::timestamptz[], %b::text[], %b::text[])"
    " AS run (number, start, stop, now_state, now_reason)"
)


def _columns(rows: Mapping[tuple[int, datetime], Run]) -> list[list[Any]]:
    return [
        [number for number, _ in rows],
        [run.start for run in rows.values()],
        [run.end for run in rows.values()],
        [run.state for run in rows.values()],
        [run.reason for run in rows.values()],
    ]
