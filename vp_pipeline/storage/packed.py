"""Columns of a query as numpy arrays: packed to bytes by Postgres, taken over whole here.

Here belongs the packing alone. A row never becomes a Python object, and a column of n numbers travels
as one value of n times its width. Bounding how many rows are asked for at once is the caller's part.
"""

from collections.abc import Container, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from psycopg import sql

from vp_pipeline.storage.tables import PgType

Arrays = dict[str, npt.NDArray[Any]]

# How Postgres sends a value, and how numpy reads it.
_SENT: dict[PgType, tuple[str, str, str]] = {
    "int2": ("int2send", ">i2", "int16"),
    "bool": ("boolsend", "?", "bool"),
    "float8": ("float8send", ">f8", "float64"),
    "timestamptz": ("timestamptz_send", ">i8", "int64"),
}
# PostgreSQL counts microseconds from 2000-01-01.
_PG_EPOCH = np.datetime64("2000-01-01", "us")


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
        _, wire, native = _SENT[kind]
        values = np.frombuffer(packed or b"", dtype=wire).astype(native)
        arrays[name] = _PG_EPOCH + values.view("timedelta64[us]") if kind == "timestamptz" else values
    return arrays
