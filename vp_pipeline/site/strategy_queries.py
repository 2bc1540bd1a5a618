"""What the page on strategies asks of Postgres.

Here belongs reading its tables whole: they are small, whatever the length of the history.
"""

import pandas as pd

from vp_pipeline.storage import rows
from vp_pipeline.storage.connection import Connection
from vp_pipeline.storage.tables import STRATEGY_NET, STRATEGY_SUMMARY


def net(connection: Connection) -> pd.DataFrame:
    """Daily returns after costs, one column a strategy, by day; empty as long as none were computed."""
    stored = rows.read(connection, STRATEGY_NET, {})
    return stored.pivot(index="day", columns="strategy", values="net")


def summary(connection: Connection) -> pd.DataFrame:
    """A row for each strategy, the best deflated Sharpe ratio first, those that look ahead last."""
    stored = rows.read(connection, STRATEGY_SUMMARY, {})
    return stored.sort_values(["looks_ahead", "dsr"], ascending=[True, False], na_position="last")
