"""Minutes of the aggregate with their prices in US dollars.

Here belongs that query. The aggregate carries its lead's prices as that market traded them; beside volume at
every venue's own prices they have to be worth dollars. A minute whose lead did not trade has the one price
that all venues together have.
"""

import numpy as np
import pandas as pd
from psycopg import sql

from vp_pipeline.storage import packed
from vp_pipeline.storage.connection import Connection
from vp_pipeline.storage.table import PgType
from vp_pipeline.windows import Window

_COLUMNS: dict[str, PgType] = {
    "open_time": "timestamptz",
    "open": "float8",
    "high": "float8",
    "low": "float8",
    "close": "float8",
    "volume": "float8",
}
_USD = "CASE split_part(price_market, '/', 2) WHEN 'USD' THEN 1 ELSE usd END"


def read(connection: Connection, base: str, window: Window) -> pd.DataFrame:
    """open_time (UTC), open, high, low, close (US dollars) and volume (base asset), in order of time.

    Minutes of which no price in dollars is known are left out.
    """
    prices = ", ".join(
        f"coalesce(aggregate.{name} * {_USD}, robust_price) AS {name}" for name in list(_COLUMNS)[1:5]
    )
    query = (
        f"SELECT aggregate.open_time, {prices}, volume FROM aggregate LEFT JOIN quote_rate"  # noqa: S608  # constant parts
        " ON quote_rate.open_time = aggregate.open_time AND quote = split_part(price_market, '/', 2)"
        " WHERE base = %s AND aggregate.open_time >= %s AND aggregate.open_time < %s"
    )
    row = connection.execute(
        sql.SQL("SELECT {} FROM (").format(packed.select_list(_COLUMNS, list(_COLUMNS)[1:]))
        + sql.SQL(query)
        + sql.SQL(") AS minute"),
        [base, window.start, window.end],
        binary=True,
    ).fetchone()
    found = packed.frame(row, _COLUMNS)
    return found[found["close"].abs() < np.inf].reset_index(drop=True)
