"""Rows of a frame in PostgreSQL's binary COPY format, packed by numpy a column at a time.

Here belongs the wire format alone (PostgreSQL documentation, COPY, "Binary Format"). Which rows go
where is for `rows`.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from vp_pipeline.storage.tables import PgType, Table
from vp_pipeline.storage.wire import PG_EPOCH, WIRE

HEADER = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
TRAILER = b"\xff\xff"
# What is packed at once: bounds the memory a long history needs.
CHUNK_ROWS = 50_000

Bytes2D = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]


def pack(frame: pd.DataFrame, table: Table) -> bytes:
    """The whole COPY stream, header and trailer included; missing values become NULL.

    Raises:
        ValueError: a column is absent, or a value does not fit its type.
    """
    return b"".join(stream(frame, table))


def stream(frame: pd.DataFrame, table: Table) -> Iterator[bytes]:
    """The same in pieces of `CHUNK_ROWS` rows."""
    absent = [name for name in table.columns if name not in frame.columns]
    if absent:
        raise ValueError(f"rows for {table.name} lack {', '.join(absent)}")
    yield HEADER
    for first in range(0, len(frame), CHUNK_ROWS):
        yield _pack_rows(frame.iloc[first : first + CHUNK_ROWS], table)
    yield TRAILER


def _pack_rows(frame: pd.DataFrame, table: Table) -> bytes:
    count = len(frame)
    parts: list[Bytes2D] = [_big_endian(np.full(count, len(table.columns)), ">i2")]
    keeps: list[Mask] = [np.ones((count, 2), dtype=bool)]
    for name, kind in table.columns.items():
        try:
            lengths, value, keep = _field(frame[name], kind)
        except (OverflowError, TypeError, ValueError) as error:
            raise ValueError(f"{table.name}.{name}: {error}") from error
        parts += [_big_endian(lengths, ">i4"), value]
        keeps += [np.ones((count, 4), dtype=bool), keep]
    # One boolean selection drops the bytes that NULLs and short texts leave unused.
    return np.concatenate(parts, axis=1)[np.concatenate(keeps, axis=1)].tobytes()


def _field(column: "pd.Series[Any]", kind: PgType) -> tuple[npt.NDArray[np.int64], Bytes2D, Mask]:
    """Lengths (n, -1 where NULL), padded bytes (n, width) and which of those bytes count."""
    null = column.isna().to_numpy(dtype=bool)
    if kind == "text":
        lengths, value = _text(column)
        lengths = np.where(null, -1, lengths)
        return lengths, value, np.arange(value.shape[1]) < lengths[:, None]
    value = _big_endian(_numbers(column, kind, null), WIRE[kind])
    width = value.shape[1]
    return np.where(null, -1, width), value, np.repeat(~null[:, None], width, axis=1)


def _text(column: "pd.Series[Any]") -> tuple[npt.NDArray[np.int64], Bytes2D]:
    # Texts repeat from row to row: each is encoded once. A missing one has the code -1, any row will do.
    codes, distinct = pd.factorize(column)
    encoded = [str(text).encode() for text in distinct] or [b""]
    lengths = np.array([len(item) for item in encoded], dtype=np.int64)
    width = max(int(lengths.max()), 1)
    padded = np.frombuffer(b"".join(item.ljust(width, b"\0") for item in encoded), dtype=np.uint8)
    return lengths[codes], padded.reshape(len(encoded), width)[codes]


def _numbers(column: "pd.Series[Any]", kind: PgType, null: Mask) -> npt.NDArray[np.generic]:
    """What is sent, unchecked where NULL."""
    if kind == "float8":
        return column.to_numpy(dtype=np.float64, na_value=np.nan)
    if kind == "timestamptz":
        if isinstance(column.dtype, np.dtype) and column.dtype.kind == "M" and not null.all():
            raise ValueError("times without a time zone")
        moments = pd.to_datetime(column, utc=True).dt.tz_convert(None).to_numpy(dtype="datetime64[us]")
        whole = (moments - PG_EPOCH).astype(np.int64)
    elif kind == "date":
        days = pd.to_datetime(column).to_numpy(dtype="datetime64[D]")
        whole = (days - PG_EPOCH.astype("datetime64[D]")).astype(np.int64)
    else:
        whole = _whole(column[~null].to_numpy(), null)
    lowest, highest = (0, 1)
    if kind != "bool":
        limits = np.iinfo(WIRE[kind])
        lowest, highest = limits.min, limits.max
    outside = ~null & ((whole < lowest) | (whole > highest))
    if outside.any():
        raise ValueError(f"{column[outside].iloc[0]} does not fit {kind}")
    return whole


def _whole(present: npt.NDArray[Any], null: Mask) -> npt.NDArray[np.int64]:
    with np.errstate(invalid="ignore"):
        integers = present.astype(np.int64)
    different = integers != present
    if different.any():
        raise ValueError(f"{present[different][0]} is not a whole number of at most 64 bits")
    whole = np.zeros(len(null), dtype=np.int64)
    whole[~null] = integers
    return whole


def _big_endian(values: npt.NDArray[np.generic], dtype: str) -> Bytes2D:
    packed = np.ascontiguousarray(values.astype(dtype))
    return packed.view(np.uint8).reshape(len(packed), packed.dtype.itemsize)
