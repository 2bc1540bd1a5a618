"""Rows of a frame in PostgreSQL's binary COPY format, packed by numpy a column at a time.

Here belongs the wire format alone (PostgreSQL documentation, COPY, "Binary Format"). Which rows go
where is for `rows`.
"""

import numpy as np
import numpy.typing as npt
import pandas as pd

from vp_pipeline.storage.tables import PgType, Table

HEADER = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
TRAILER = b"\xff\xff"

Bytes2D = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]

_NUMBERS: dict[PgType, str] = {"int2": ">i2", "int4": ">i4", "int8": ">i8", "float8": ">f8", "bool": ">i1"}
# PostgreSQL counts dates and timestamps from 2000-01-01.
_PG_EPOCH = np.datetime64("2000-01-01", "us")


def pack(frame: pd.DataFrame, table: Table) -> bytes:
    """The whole COPY stream, header and trailer included; missing values become NULL.

    Raises:
        ValueError: a column is absent, or a value does not fit its type.
    """
    absent = [name for name in table.columns if name not in frame.columns]
    if absent:
        raise ValueError(f"rows for {table.name} lack {', '.join(absent)}")
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
    body = np.concatenate(parts, axis=1)[np.concatenate(keeps, axis=1)]
    return HEADER + body.tobytes() + TRAILER


def _field(column: "pd.Series[object]", kind: PgType) -> tuple[npt.NDArray[np.int64], Bytes2D, Mask]:
    """Lengths (n, -1 where NULL), padded bytes (n, width) and which of those bytes count."""
    null = column.isna().to_numpy(dtype=bool)
    if kind == "text":
        encoded = [b"" if missing else str(value).encode() for value, missing in zip(column, null, strict=True)]
        lengths = np.array([len(item) for item in encoded], dtype=np.int64)
        width = max(int(lengths.max(initial=0)), 1)
        value = np.frombuffer(b"".join(item.ljust(width, b"\0") for item in encoded), dtype=np.uint8)
        keep = np.arange(width) < lengths[:, None]
        return np.where(null, -1, lengths), value.reshape(len(column), width), keep
    value = _number(column, kind, null)
    width = value.shape[1]
    return np.where(null, -1, width), value, np.repeat(~null[:, None], width, axis=1)


def _number(column: "pd.Series[object]", kind: PgType, null: Mask) -> Bytes2D:
    if kind == "timestamptz":
        utc = pd.to_datetime(column, utc=True).dt.tz_convert(None).to_numpy(dtype="datetime64[us]")
        return _big_endian((utc - _PG_EPOCH).astype(np.int64), ">i8")
    if kind == "date":
        days = pd.to_datetime(column).to_numpy(dtype="datetime64[D]")
        return _big_endian((days - _PG_EPOCH.astype("datetime64[D]")).astype(np.int64), ">i4")
    if kind == "float8":
        return _big_endian(column.to_numpy(dtype=np.float64, na_value=np.nan), ">f8")
    filled = column.where(~null, 0).to_numpy()
    whole = filled.astype(np.int64)
    if not np.array_equal(whole, filled):
        raise ValueError("not a whole number")
    limits = np.iinfo(_NUMBERS[kind])
    if len(whole) and (whole.min() < limits.min or whole.max() > limits.max):
        raise ValueError(f"does not fit {kind}")
    return _big_endian(whole, _NUMBERS[kind])


def _big_endian(values: npt.NDArray[np.generic], dtype: str) -> Bytes2D:
    packed = np.ascontiguousarray(values.astype(dtype))
    return packed.view(np.uint8).reshape(len(packed), packed.dtype.itemsize)
