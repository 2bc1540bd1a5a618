"""Days whose session tables were made of other bars than are stored now.

An outage that is over brings bars after the table of their day, and a bar may be revised. Here belongs
finding those days; what a run makes of them is in `sessions_run`.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pandas as pd
from dagster import AssetKey

from vp_pipeline.analytics.bar_returns import BarReturns
from vp_pipeline.analytics.price_rows import Floats
from vp_pipeline.analytics.sessions import ratio, variance
from vp_pipeline.assets import clocks
from vp_pipeline.assets.klines_run import HEALED
from vp_pipeline.assets.sessions import session_days
from vp_pipeline.catalog import Klines
from vp_pipeline.settings import Settings
from vp_pipeline.storage.connection import Connection
from vp_pipeline.storage.session_tables import of_all_bars
from vp_pipeline.windows import DAY, Window, midnight

# Sums of the same numbers in another order differ by less: of the figure, and where it should be 0.
_ROUNDING, _NOTHING = 1e-10, 1e-9

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
        told = of_all_bars(connection, series_of[key].symbol, series_of[key].interval, past)
        if not told:
            continue
        starts = [midnight(label) for label in told]
        ends = returns.open_time.searchsorted([pd.Timestamp(start + DAY) for start in starts])
        then = np.array(list(told.values()), dtype=np.float64).reshape(-1, 3)
        same = np.isclose(figures_until(returns, ends), then, rtol=_ROUNDING, atol=_NOTHING, equal_nan=True)
        for place in np.flatnonzero(~same.all(axis=1) & (ends > 0)).tolist():
            found[Window(starts[place], starts[place] + DAY)].add(key)
    return {day: found[day] for day in sorted(found, key=lambda day: day.start)}


def figures_until(returns: BarReturns, ends: Sequence[int] | npt.NDArray[np.int64]) -> Floats:
    """Of the first bars, for each of these numbers of them, what the table of all bars says: how many are no
    outliers, their volatility (percent, a bar) and their mean volume.
    """
    has_return, has_volume = np.isfinite(returns.return_pct), ~returns.outlier & np.isfinite(returns.volume)
    centre = float(returns.return_pct[has_return].mean()) if has_return.any() else 0.0
    centred = np.where(has_return, returns.return_pct - centre, 0.0)
    volume = np.where(has_volume, returns.volume, 0.0)
    columns = (~returns.outlier, has_return, centred, centred * centred, volume, has_volume)
    order = np.argsort(ends, kind="stable")
    # Stretch by stretch, since a running sum of millions would round more than the table's own sums.
    parts = pairwise([0, *np.asarray(ends)[order].tolist()])
    sums = np.cumsum([[column[a:b].sum() for column in columns] for a, b in parts], axis=0)
    bars, count, total, squares, traded, known = sums.reshape(-1, len(columns)).T
    figures = np.empty((len(order), 3))
    volatility = np.sqrt(variance(count, total, squares))
    figures[order] = np.column_stack([bars, volatility, ratio(traded, known)])
    return figures
