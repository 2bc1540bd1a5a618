"""Rows in and out of the tables of `tables`.

Here belong the one way rows are written (replace what a window holds, in the caller's transaction)
and the one way they are read. Dagster's view of it is in `io_manager`; what the rows mean elsewhere.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

import pandas as pd
from psycopg import sql

from vp_pipeline.storage import binary_copy
from vp_pipeline.storage.connection import Connection
from vp_pipeline.storage.tables import PgType, Table
from vp_pipeline.windows import DAY, Window, ceil

Scope = Mapping[str, str | int]

_DTYPES: dict[PgType, str] = {
    "int2": "Int64",
    "int4": "Int64",
    "int8": "Int64",
    "float8": "float64",
    "bool": "boolean",
    "text": "str",
    "date": "datetime64[s]",
    "timestamptz": "datetime64[us, UTC]",
}


def replace(
    connection: Connection, table: Table, frame: pd.DataFrame, scope: Scope, window: Window | None = None
) -> None:
    """Make the rows of `scope` within `window` (all of the scope's if None) exactly those of `frame`.

    Columns of the scope that the frame lacks are filled in. Rows are in place when the caller's
    transaction commits; a second call with the same arguments changes nothing that can be read.

    Raises:
        ValueError: the frame lacks a column, repeats a key, or holds rows outside of scope or window.
    """
    frame = frame.assign(**{name: value for name, value in scope.items() if name not in frame.columns})
    _check(table, frame, scope, window)
    where, arguments = _condition(table, scope, window)
    connection.execute(
        sql.SQL("DELETE FROM {} WHERE {}").format(sql.Identifier(table.name), where), arguments
    )
    columns = sql.SQL(", ").join(map(sql.Identifier, table.columns))
    statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT BINARY)").format(sql.Identifier(table.name), columns)
    with connection.cursor().copy(statement) as copy:
        for part in binary_copy.stream(frame, table):
            copy.write(part)


def read(
    connection: Connection,
    table: Table,
    scope: Scope,
    window: Window | None = None,
    columns: Sequence[str] | None = None,
) -> pd.DataFrame:
    """Rows of `scope` within `window` in key order; all columns, or those named."""
    names = list(columns or table.columns)
    where, arguments = _condition(table, scope, window)
    statement = sql.SQL("SELECT {} FROM {} WHERE {} ORDER BY {}").format(
        sql.SQL(", ").join(map(sql.Identifier, names)),
        sql.Identifier(table.name),
        where,
        sql.SQL(", ").join(map(sql.Identifier, table.key)),
    )
    rows = connection.execute(statement, arguments).fetchall()
    return frame_of(rows, {name: table.columns[name] for name in names})


def frame_of(rows: Sequence[tuple[Any, ...]], columns: Mapping[str, PgType]) -> pd.DataFrame:
    """Rows of a query as a frame with one dtype a Postgres type, empty or not."""
    transposed = list(zip(*rows, strict=True)) or [()] * len(columns)
    return pd.DataFrame(
        {
            name: pd.Series(values, dtype=_DTYPES[kind])
            for (name, kind), values in zip(columns.items(), transposed, strict=True)
        }
    )


def _check(table: Table, frame: pd.DataFrame, scope: Scope, window: Window | None) -> None:
    for name, value in scope.items():
        if not (frame[name] == value).all():
            raise ValueError(f"rows for {table.name} are not all of {name} {value!r}")
    if window is not None and len(frame):
        first, last = _moments(table, window)
        times = pd.to_datetime(frame[_time(table)], utc=table.columns[_time(table)] == "timestamptz")
        if not ((times >= pd.Timestamp(first)) & (times < pd.Timestamp(last))).all():
            raise ValueError(f"rows for {table.name} are not all within {window}")
    repeated = frame.duplicated(list(table.key))
    if repeated.any():
        key = frame.loc[repeated, list(table.key)].iloc[0].to_dict()
        raise ValueError(f"rows for {table.name} repeat the key {key}")


def _condition(table: Table, scope: Scope, window: Window | None) -> tuple[sql.Composable, list[Any]]:
    terms = [sql.SQL("{} = %s").format(sql.Identifier(name)) for name in scope]
    arguments: list[Any] = list(scope.values())
    if window is not None:
        time = sql.Identifier(_time(table))
        terms += [sql.SQL("{} >= %s").format(time), sql.SQL("{} < %s").format(time)]
        arguments += _moments(table, window)
    return (sql.SQL(" AND ").join(terms) if terms else sql.SQL("true")), arguments


def _time(table: Table) -> str:
    if table.time is None:
        raise ValueError(f"{table.name} has no time column to select a window by")
    return table.time


def _moments(table: Table, window: Window) -> tuple[datetime | date, datetime | date]:
    if table.columns[_time(table)] == "date":
        # A day is within a window that holds its midnight.
        return ceil(window.start, DAY).date(), ceil(window.end, DAY).date()
    return window.start, window.end
