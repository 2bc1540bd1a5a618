"""Writing only what differs from what is stored, and saying which hours that were.

Here belongs the comparison of frames of a table with an open time. How rows are written is in `rows`.
"""

from datetime import datetime

import pandas as pd

from vp_pipeline.storage import rows
from vp_pipeline.storage.connection import Connection
from vp_pipeline.storage.rows import Scope
from vp_pipeline.storage.tables import Table
from vp_pipeline.windows import HOUR, Window, hours_of, union


def replace_changed(
    connection: Connection, table: Table, frame: pd.DataFrame, scope: Scope, window: Window
) -> list[datetime]:
    """Make the rows of `scope` within `window` those of `frame`; the hours in which that changed any.

    Raises:
        ValueError: as `rows.replace`.
    """
    frame = frame.assign(**{name: value for name, value in scope.items() if name not in frame.columns})
    hours = changed_hours(rows.read(connection, table, scope, window), frame, table)
    for stretch in union(hours_of(hours)):
        part = stretch.intersect(window)
        inside = (frame[table.time] >= part.start) & (frame[table.time] < part.end)
        rows.replace(connection, table, frame[inside], scope, part)
    return hours


def changed_hours(old: pd.DataFrame, new: pd.DataFrame, table: Table) -> list[datetime]:
    """Hours in which the two differ, in order; what both lack is equal."""
    key = list(table.key)
    before, after = (frame[list(table.columns)].set_index(key).astype(object) for frame in (old, new))
    every = before.index.union(after.index)
    lost = ~(every.isin(before.index) & every.isin(after.index))
    before, after = before.reindex(every), after.reindex(every)
    equal = ((before == after) | (before.isna() & after.isna())).all(axis=1)
    times = pd.DatetimeIndex(every[lost | ~equal.to_numpy()].get_level_values(str(table.time)))
    return [hour.to_pydatetime() for hour in times.floor(HOUR).unique().sort_values()]
