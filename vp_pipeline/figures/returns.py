"""Drawdowns, and returns by month.

Here belong these figures; growth is in `growth`, the numbers come from `analytics.performance`.
"""

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from vp_pipeline.analytics.performance import underwater
from vp_pipeline.figures import theme

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def drawdown_figure(returns: pd.DataFrame, title: str = "") -> go.Figure:
    """How far each column's wealth is below its highest so far; returns as fractions, by date."""
    figure = theme.new_figure(title, 260)
    for name in returns.columns:
        falls = underwater(returns[name])
        figure.add_scatter(
            x=falls.index,
            y=falls,
            name=str(name),
            mode="lines",
            line_width=1.4,
            fill="tozeroy" if len(returns.columns) == 1 else None,
            hovertemplate="%{x|%Y-%m-%d}: %{y:.1%}<extra>" + str(name) + "</extra>",
        )
    figure.update_yaxes(tickformat=".0%", title_text="Below the peak")
    return figure.update_layout(hovermode="x")


def monthly_figure(returns: pd.Series, title: str = "") -> go.Figure:
    """Compounded return of each calendar month (UTC), a row a year; orange is a loss, blue a gain."""
    table = monthly_returns(returns)
    values = table.to_numpy(dtype=float)
    largest = float(np.nanmax(np.abs(values))) or 1.0
    figure = theme.new_figure(title, 110 + 34 * len(table))
    figure.add_heatmap(
        x=list(_MONTHS),
        y=[str(year) for year in table.index],
        z=values,
        # A text each: a month that is not in the data has none.
        text=[[f"{value:.1%}" if np.isfinite(value) else "" for value in row] for row in values],
        texttemplate="%{text}",
        textfont_color="#1d2129",  # readable on all of the scale
        colorscale=[[0, theme.ORANGE], [0.5, "#f2f2f2"], [1, theme.SKY]],
        zmin=-largest,
        zmax=largest,
        xgap=2,
        ygap=2,
        showscale=False,
        hoverongaps=False,
        hovertemplate="%{x} %{y}: %{text}<extra></extra>",
    )
    figure.update_yaxes(type="category", autorange="reversed", showgrid=False, ticks="")
    return figure.update_xaxes(showgrid=False, ticks="", side="top")


def monthly_returns(returns: pd.Series) -> pd.DataFrame:
    """Compounded return of each month: a row a year, ascending, columns 1 to 12; NaN without a row."""
    dates = pd.DatetimeIndex(returns.index)
    growth = (1 + returns).groupby([dates.year, dates.month]).prod() - 1
    table = growth.unstack().reindex(columns=range(1, 13))
    return table.reindex(range(int(dates.year.min()), int(dates.year.max()) + 1))
