"""A strategy that knows tomorrow and does not say so, as somebody may add one by mistake."""

import pandas as pd

from vp_pipeline.analytics.history import History


def knows_tomorrow(history: History, best: int = 1) -> pd.DataFrame:
    """The symbol that will rise the most."""
    ranks = history.returns.rank(axis=1, ascending=False)
    return (ranks <= best).astype(float).where(history.returns.notna())
