"""Columns of a query as numpy arrays: packed to bytes by Postgres, taken over whole here.

Here belongs the packing alone. A row never becomes a Python object, and a column of n numbers travels
as one value of n times its width. Bounding how many rows are asked for at once is the caller's part.
"""

from collections.abc import Container, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from psycopg import sql

from vp_pipeline.storage.tables import PgType
from vp_pipeline.storage.wire import PG_EPOCH, WIRE

Arrays = dict[str, npt.NDArray[Any]]

# The function by which Postgres sends a value, and what numpy makes of it.
_SENT: dict[PgType, tuple[str, str]] = {
    "int2": ("int2send", "int16"),
    "bool": ("boolsend", "bool"),
    "float8": ("float8send", "float64"),
    "timestamptz": ("timestamptz_send", "int64"),
}


def select_list(columns: Mapping[str, PgType], nullable: Container[str] = ()) -> sql.Composable:
    """What to select; all values of the query come in one row, in the same order for each column.

    NULL is allowed in the float8 columns that `nullable` names, and becomes NaN.
    """
    return sql.SQL(", ").join(_aggregate(name, kind, name in nullable) for name, kind in columns.items())


def _aggregate(name: str, kind: PgType, nullable: bool) -> sql.Composable:
    value: sql.Composable = sql.Identifier(name)
    if nullable:
        value = sql.SQL("coalesce({}, 'NaN')").format(value)
    # NULL between the values is nothing at all, and quicker than nothing of no length.
    return sql.SQL("string_agg({}({}), NULL)").format(sql.Identifier(_SENT[kind][0]), value)


def empty(columns: Mapping[str, PgType]) -> Arrays:
    """The columns of no row."""
    return unpack([None] * len(columns), columns)


def unpack(row: Sequence[bytes | None], columns: Mapping[str, PgType]) -> Arrays:
    """The row that `select_list` gave, fetched in binary; times as datetime64[us], UTC."""
    arrays: Arrays = {}
    for (name, kind), packed in zip(columns.items(), row, strict=True):
        values = np.frombuffer(packed or b"", dtype=WIRE[kind]).astype(_SENT[kind][1])
        arrays[name] = PG_EPOCH + values.view("timedelta64[us]") if kind == "timestamptz" else values
    return arrays


def frame(row: Sequence[bytes | None] | None, columns: Mapping[str, PgType]) -> pd.DataFrame:
    """The same as a frame in order of `open_time`, which is UTC; empty if there is no row."""
    found = unpack(row or [None] * len(columns), columns)
    order = np.argsort(found["open_time"], kind="stable")
    ordered = {name: values[order] for name, values in found.items()}
    times = pd.DatetimeIndex(ordered["open_time"]).tz_localize("UTC")
    return pd.DataFrame({**ordered, "open_time": times})
