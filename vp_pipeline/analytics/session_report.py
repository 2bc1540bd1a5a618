"""Everything about one symbol's sessions, put together.

Here belongs joining the table with its intervals, tests and stability; each is computed in a module of its
own, and drawn in `figures.sessions`.
"""

from dataclasses import dataclass

import pandas as pd

from vp_pipeline.analytics import session_confidence as confidence
from vp_pipeline.analytics import session_stability as stability
from vp_pipeline.analytics import session_tests as tests
from vp_pipeline.analytics.bar_returns import BarReturns
from vp_pipeline.analytics.session_confidence import LEVEL, SAMPLES
from vp_pipeline.analytics.sessions import COLUMNS as TABLE_COLUMNS
from vp_pipeline.analytics.sessions import KEYS, SessionTable, scale, table_of
from vp_pipeline.analytics.within_hour import within_hour

COLUMNS = (*TABLE_COLUMNS, *confidence.COLUMNS, *tests.COLUMNS, *stability.COLUMNS)


@dataclass(frozen=True, eq=False)
class SessionReport:
    """`rows` has COLUMNS, a row for each group and horizon as in `table`; `minutes` is of `within_hour`."""

    returns: BarReturns
    table: SessionTable
    rows: pd.DataFrame
    minutes: pd.DataFrame
    level: float

    def group(self, grouping: str) -> pd.DataFrame:
        """The rows of one grouping."""
        return self.rows[self.rows["grouping"] == grouping].reset_index(drop=True)


def session_report(returns: BarReturns, samples: int = SAMPLES) -> SessionReport:
    """Table, intervals, tests and stability of these bars.

    Raises:
        NotEnoughData: no bars.
    """
    table = table_of(returns)
    rows = table.to_frame()
    keys = list(KEYS[:-1])
    for part in (
        confidence.session_confidence(table.sums, samples),
        tests.session_tests(table.sums),
        stability.session_stability(table.sums),
    ):
        rows = rows.merge(part, on=keys, how="left", validate="many_to_one")
    factor = [scale(table.bar, horizon) for horizon in rows["horizon"]]
    for name in ("volatility_low", "volatility_high"):
        rows[name] *= factor
    return SessionReport(returns, table, rows[list(COLUMNS)], within_hour(returns), LEVEL)
