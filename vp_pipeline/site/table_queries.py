"""What the pages on sessions and strategies ask of Postgres.

Here belongs reading the two tables whole: both are small, whatever the length of the history.
"""

import pandas as pd

from vp_pipeline.storage import rows
from vp_pipeline.storage.connection import Connection
from vp_pipeline.storage.tables import SESSION_VOLATILITY, STRATEGY_RETURN


def session_series(connection: Connection) -> list[tuple[str, str]]:
    """(symbol, interval) of every series with a table."""
    found = connection.execute("SELECT DISTINCT symbol, interval FROM session_volatility ORDER BY 1, 2")
    return [(symbol, interval) for symbol, interval in found]


def session_table(connection: Connection, symbol: str, interval: str) -> pd.DataFrame:
    """All groups and horizons of one series."""
    return rows.read(connection, SESSION_VOLATILITY, {"symbol": symbol, "interval": interval})


def strategy_returns(connection: Connection) -> pd.DataFrame:
    """Daily returns, one column a strategy, by day."""
    stored = rows.read(connection, STRATEGY_RETURN, {})
    return stored.pivot(index="day", columns="strategy", values="return")
