"""Days whose session tables were made of other bars than are stored now.

An outage that is over brings bars after the table of their day. Here belongs finding those days; what a run
makes of them is in `sessions_run`.
"""

from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime

import numpy as np
import pandas as pd
from dagster import AssetKey

from vp_pipeline.analytics.bar_returns import BarReturns
from vp_pipeline.assets import clocks
from vp_pipeline.assets.klines_run import HEALED
from vp_pipeline.assets.sessions import session_days
from vp_pipeline.catalog import Klines
from vp_pipeline.settings import Settings
from vp_pipeline.storage.connection import Connection
from vp_pipeline.storage.session_tables import bars_by_day
from vp_pipeline.windows import DAY, Window

Days = dict[Window, set[AssetKey]]
"""By day, in order, the series of which its tables are made."""


def outdated(
    connection: Connection,
    settings: Settings,
    series_of: Mapping[AssetKey, Klines],
    known: Mapping[AssetKey, BarReturns],
    window: Window,
) -> Days:
    """Days before the window to make again: none in a replay, nor by a run that ends before yesterday does.

    As far back as missing bars are asked for. `known`: each series' stored bars until the window's end.
    """
    if settings.source == "replay" or window.end <= clocks.now(settings) - DAY:
        return {}
    first = session_days(settings).start.astimezone(UTC)
    past = Window(min(max(window.start - HEALED, first), window.start), window.start)
    found: defaultdict[Window, set[AssetKey]] = defaultdict(set)
    for key, returns in known.items():
        counted = np.cumsum(~returns.outlier)
        for label, bars in bars_by_day(
            connection, series_of[key].symbol, series_of[key].interval, past
        ).items():
            start = datetime(label.year, label.month, label.day, tzinfo=UTC)
            opened = int(returns.open_time.searchsorted(pd.Timestamp(start + DAY)))
            if opened and counted[opened - 1] != bars:
                found[Window(start, start + DAY)].add(key)
    return {day: found[day] for day in sorted(found, key=lambda day: day.start)}
