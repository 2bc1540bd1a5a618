"""Growth of 1 invested, one line a strategy.

Here belongs that figure; returns come from `analytics.strategies`.
"""

import pandas as pd
import plotly.graph_objects as go

from vp_pipeline.figures import theme

# Colours come round again; lines then differ by their dashes.
_DASHES = ("solid", "dash", "dot")


def growth_figure(returns: pd.DataFrame, title: str = "", split: pd.Timestamp | None = None) -> go.Figure:
    """A line for each column of daily returns (fractions, by day), compounded, on a logarithmic axis.

    Missing returns earn nothing. From `split` on the days are marked as out of sample.
    """
    wealth = (1 + returns.fillna(0)).cumprod()
    figure = theme.new_figure(title, 360)
    for at, name in enumerate(wealth.columns):
        figure.add_scatter(
            x=wealth.index,
            y=wealth[name],
            name=str(name),
            mode="lines",
            line={"width": 1.8, "dash": _DASHES[at // theme.COLOURS % len(_DASHES)]},
            hovertemplate="%{x|%Y-%m-%d}: %{y:.2f}<extra>" + str(name) + "</extra>",
        )
    if split is not None and len(wealth):
        figure.add_vrect(
            x0=split,
            x1=wealth.index[-1],
            fillcolor=theme.GREY,
            opacity=0.12,
            line_width=0,
            annotation={"text": "out of sample", "font": {"size": 11}},
            annotation_position="top left",
        )
    # Without a format the steps between powers of ten show their first digit alone: 2 for 20, 5 for 0.5.
    figure.update_yaxes(type="log", title_text="Growth of 1", dtick="D2", tickformat="~g")
    return figure.update_layout(hovermode="x")
