"""How PostgreSQL sends and takes single values in binary, as numpy's types.

Here belong widths and the moment from which it counts. How values stand in a stream of COPY is in
`binary_copy` and `candle_copy`, how whole columns come in `packed`.
"""

import numpy as np

from vp_pipeline.storage.table import PgType

WIRE: dict[PgType, str] = {
    "int2": ">i2",
    "int4": ">i4",
    "int8": ">i8",
    "float8": ">f8",
    "bool": "?",
    "date": ">i4",
    "timestamptz": ">i8",
}
# Dates are counted in days from here, timestamps in microseconds.
PG_EPOCH = np.datetime64("2000-01-01", "us")
