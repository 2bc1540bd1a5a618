"""What the pages on sessions and strategies ask of Postgres.

Here belongs reading the two tables whole: both are small, whatever the length of the history.
"""

from datetime import UTC, datetime

import pandas as pd

from vp_pipeline.storage import artifacts, rows
from vp_pipeline.storage.artifacts import Artifact
from vp_pipeline.storage.connection import Connection
from vp_pipeline.storage.tables import SESSION_VOLATILITY, STRATEGY_NET, STRATEGY_RETURN, STRATEGY_SUMMARY
from vp_pipeline.windows import DAY, Window


def session_series(connection: Connection) -> list[tuple[str, str]]:
    """(symbol, interval) of every series with a table."""
    found = connection.execute("SELECT DISTINCT symbol, interval FROM session_volatility ORDER BY 1, 2")
    return [(symbol, interval) for symbol, interval in found]


def session_table(connection: Connection, symbol: str, interval: str) -> pd.DataFrame:
    """All groups and horizons of one series, of all bars as of its newest day."""
    found = connection.execute(
        "SELECT max(day) FROM session_volatility WHERE symbol = %s AND interval = %s", [symbol, interval]
    ).fetchone()
    scope = {"symbol": symbol, "interval": interval, "span": "all"}
    if found is None or found[0] is None:
        return rows.read(connection, SESSION_VOLATILITY, scope)
    day = datetime.combine(found[0], datetime.min.time(), UTC)
    return rows.read(connection, SESSION_VOLATILITY, scope, Window(day, day + DAY))


def session_report(connection: Connection, symbol: str, interval: str) -> Artifact | None:
    """The newest report on one series."""
    names = [f"session_volatility/{symbol.lower()}", f"session_volatility/{symbol.lower()}_{interval}"]
    found = [artifact for artifact in artifacts.listing(connection) if artifact.name in names]
    return max(found, key=lambda artifact: artifact.partition, default=None)


def strategy_returns(connection: Connection) -> pd.DataFrame:
    """Daily returns before costs, one column a strategy, by day."""
    stored = rows.read(connection, STRATEGY_RETURN, {})
    return stored.pivot(index="day", columns="strategy", values="return")


def strategy_net(connection: Connection) -> pd.DataFrame:
    """Daily returns after costs, likewise; empty as long as none were computed."""
    stored = rows.read(connection, STRATEGY_NET, {})
    return stored.pivot(index="day", columns="strategy", values="net")


def strategy_summary(connection: Connection) -> pd.DataFrame:
    """A row for each strategy, the best deflated Sharpe ratio first, those that look ahead last."""
    stored = rows.read(connection, STRATEGY_SUMMARY, {})
    return stored.sort_values(["looks_ahead", "dsr"], ascending=[True, False], na_position="last")
