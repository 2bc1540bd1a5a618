"""Candles in PostgreSQL's binary COPY format, as records of numpy.

Here belongs the wire format of this one table: all its fields have a fixed width, so that a row is a
record. Other tables go through `binary_copy`.
"""

import numpy as np
import numpy.typing as npt
from psycopg import sql

from vp_pipeline.storage.binary_copy import CHUNK_ROWS, HEADER, TRAILER
from vp_pipeline.storage.candle_changes import KNOWN, VALUES, Minutes
from vp_pipeline.storage.connection import Connection
from vp_pipeline.storage.tables import CANDLE
from vp_pipeline.storage.wire import PG_EPOCH, WIRE

# In minutes from the Unix epoch.
_PG_EPOCH = int(PG_EPOCH.astype("datetime64[m]").astype(np.int64))
_MICROSECONDS = 60_000_000


def copy_in(connection: Connection, rows: Minutes) -> None:
    """Insert these rows, none of which may be there."""
    statement = sql.SQL("COPY candle ({}) FROM STDIN (FORMAT BINARY)").format(
        sql.SQL(", ").join(map(sql.Identifier, CANDLE.columns))
    )
    with connection.cursor().copy(statement) as copy:
        copy.write(HEADER)
        for first in range(0, len(rows), CHUNK_ROWS):
            copy.write(pack(rows.take(np.arange(first, min(first + CHUNK_ROWS, len(rows))))))
        copy.write(TRAILER)


def pack(rows: Minutes) -> bytes:
    """The rows as COPY takes them, without header and trailer; NaN becomes NULL."""
    null = np.isnan(rows.values[:, KNOWN:])
    # A column that no row knows has no bytes at all; what only some rows know is cut out below.
    left_out = {name for name, column in zip(VALUES[KNOWN:], null.T, strict=True) if column.all()}
    fields = [("fields", ">i2")]
    for name, kind in CANDLE.columns.items():
        fields.append((f"length {name}", ">i4"))
        if name not in left_out:
            fields.append((name, WIRE[kind]))
    records = np.zeros(len(rows), dtype=fields)
    records["fields"] = len(CANDLE.columns)
    for name, kind in CANDLE.columns.items():
        records[f"length {name}"] = -1 if name in left_out else np.dtype(WIRE[kind]).itemsize
    records["market_id"] = rows.market
    records["provisional"] = rows.provisional
    records["open_time"] = (rows.minute - _PG_EPOCH) * _MICROSECONDS
    for column, name in enumerate(VALUES):
        if name not in left_out:
            records[name] = rows.values[:, column]
    partly = [name for name in VALUES[KNOWN:] if name not in left_out and np.isnan(records[name]).any()]
    return _without_nulls(records, partly) if partly else records.tobytes()


def _without_nulls(records: npt.NDArray[np.void], names: list[str]) -> bytes:
    keep = np.ones((len(records), records.dtype.itemsize), dtype=bool)
    for name in names:
        null = np.isnan(records[name])
        records[f"length {name}"][null] = -1
        place = records.dtype.fields[name][1] if records.dtype.fields else 0
        keep[null, place : place + 8] = False
    return records.view(np.uint8).reshape(keep.shape)[keep].tobytes()
