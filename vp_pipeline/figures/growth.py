"""Growth of 1 invested, one line a strategy.

Here belongs that figure; returns come from `analytics.strategies`.
"""

from typing import Any

import pandas as pd
import plotly.graph_objects as go


def growth_figure(returns: pd.DataFrame) -> Any:
    """A line for each column of daily returns (fractions, by day), compounded, on a logarithmic axis.

    Missing returns earn nothing.
    """
    wealth = (1 + returns.fillna(0)).cumprod()
    lines = [
        go.Scatter(x=wealth.index, y=wealth[name], name=str(name), mode="lines", line={"width": 1.6})
        for name in wealth.columns
    ]
    return go.Figure(lines).update_layout(
        yaxis={"type": "log", "title": "growth of 1"},
        legend={"orientation": "h", "x": 0, "y": 1.08},
        margin={"l": 60, "r": 20, "t": 30, "b": 40},
        hovermode="x unified",
    )
