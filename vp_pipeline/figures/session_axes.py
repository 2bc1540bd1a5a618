"""What the figures of sessions share: labels, axes and the line of all bars.

Here belongs nothing that knows which quantity is drawn.
"""

from typing import Literal

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from vp_pipeline.analytics.bar_returns import QUARTERS, WEEKDAYS
from vp_pipeline.analytics.session_hours import HOURS, Preset
from vp_pipeline.figures import theme

Grouping = Literal["weekday", "session", "quarter"]
GROUPINGS: tuple[Grouping, ...] = ("weekday", "session")
HEIGHT = 340
HORIZONS: dict[Grouping, Literal["1d", "1h"]] = {"weekday": "1d", "session": "1h", "quarter": "1h"}
BY: dict[Grouping, str] = {
    "weekday": "by weekday",
    "session": "by session",
    "quarter": "by quarter of the hour",
}
SESSION_AXIS: dict[Preset, str] = {
    "document": "Session (hours UTC)",
    "exchange": "Session (exchanges open by local time)",
}


def labels(preset: Preset, by: Grouping) -> list[str]:
    """Of the groups, in the table's order."""
    if by == "weekday":
        return list(WEEKDAYS)
    if by == "quarter":
        return [f":{minute}" for minute in QUARTERS]
    return [f"{name}<br>{hours}" for name, hours in HOURS[preset].items()]


def add_bars(
    figure: go.Figure,
    names: list[str],
    values: pd.Series,
    colour: str,
    name: str,
    form: str,
    text: bool = True,
    interval: tuple[pd.Series, pd.Series] | None = None,
) -> None:
    """Bars with their values inside and, if given, from where to where each may reach."""
    error = None
    if interval is not None and interval[0].notna().any():
        low, high = interval
        error = {
            "array": (high - values).clip(lower=0),
            "arrayminus": (values - low).clip(lower=0),
            "color": theme.GREY,
            "thickness": 1.5,
            "width": 4,
        }
    figure.add_bar(
        x=names,
        y=values,
        marker_color=colour,
        name=name,
        error_y=error,
        texttemplate="%{y:" + form + "}" if text else None,
        textposition="inside",
        insidetextanchor="middle",
        textangle=0,
        insidetextfont={"color": "#ffffff"},
        hovertemplate="%{x}<br>%{y:" + form + "}<extra></extra>",
    )


def add_reference(figure: go.Figure, value: float) -> None:
    """A line for all bars together, named in the legend where it covers nothing."""
    figure.add_scatter(
        x=[0, 1],
        y=[value, value],
        xaxis="x2",
        mode="lines",
        line={"color": theme.VERMILLION, "width": 2, "dash": "dash"},
        name=f"All bars: {significant(value)}",
        hoverinfo="skip",
    )
    figure.update_layout(xaxis2={"overlaying": "x", "range": [0, 1], "visible": False, "fixedrange": True})


def name_axes(figure: go.Figure, preset: Preset, by: Grouping, quantity: str, zero: bool = True) -> go.Figure:
    """Both axes named, groups spaced, the quantity from zero on if `zero`."""
    names = {"weekday": "Weekday (UTC)", "quarter": "Minute of the hour from which the quarter runs"}
    figure.update_yaxes(title_text=quantity, rangemode="tozero" if zero else "normal")
    figure.update_layout(
        xaxis={"title_text": names.get(by, SESSION_AXIS[preset]), "showgrid": False, "tickangle": 0},
        bargap=0.28,
    )
    if by == "quarter":
        figure.update_xaxes(type="category")
    return figure


def significant(value: float) -> str:
    """Three significant digits, never in powers of ten; a dash for what is not known."""
    if not np.isfinite(value):
        return "-"
    if value == 0:
        return "0"
    return f"{value:,.{max(0, 2 - int(np.floor(np.log10(abs(value)))))}f}"


def interval(low: float, high: float) -> str:
    """Both ends, or a dash if there is none."""
    return f"{significant(low)} to {significant(high)}" if np.isfinite(low) else "-"
