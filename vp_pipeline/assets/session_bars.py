"""Bars of a series as returns with their sessions, read month by month.

Here belongs reading; what is computed of the bars is in `analytics`. A history of years is read in parts, so
that at most a month of rows is held as Python's objects.
"""

from datetime import datetime, timedelta

import pandas as pd

from vp_pipeline.analytics.bar_returns import BarReturns, returns_pct
from vp_pipeline.catalog import INTERVAL_MINUTES, Klines
from vp_pipeline.storage import klines, rows
from vp_pipeline.storage.connection import Connection
from vp_pipeline.storage.tables import KLINE
from vp_pipeline.windows import DAY, Window, floor

COLUMNS = ("open_time", "open", "close", "volume", "trades", "taker_buy_volume")
_PART = timedelta(days=31)


def read_returns(connection: Connection, series: Klines, before: datetime) -> BarReturns | None:
    """The returns of all bars that open before a moment; None if there are none."""
    scope = klines.scope_of(series.symbol, series.interval)
    first = klines.first(connection, scope)
    if first is None or first >= before:
        return None
    parts = [
        rows.read(connection, KLINE, scope, part, COLUMNS).astype({"trades": "float64"})
        for part in Window(floor(first, DAY), before).split(_PART)
    ]
    bars = pd.concat([part for part in parts if len(part)], ignore_index=True)
    return returns_pct(bars, pd.Timedelta(minutes=INTERVAL_MINUTES[series.interval]))
