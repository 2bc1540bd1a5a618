"""Colours and layout every figure shares.

Here belongs how figures look, not what they show. Colours are Okabe and Ito's, told apart with every common
kind of colour blindness and on light and dark paper. Text and grid take the page's colours (`page`); the
mid-grey here is for where there is no page.
"""

from typing import Any

import plotly.graph_objects as go

from vp_pipeline.figures.palette import BLUE as BLUE
from vp_pipeline.figures.palette import DOWN as DOWN
from vp_pipeline.figures.palette import FONT as FONT
from vp_pipeline.figures.palette import GREEN as GREEN
from vp_pipeline.figures.palette import GREY as GREY
from vp_pipeline.figures.palette import ORANGE as ORANGE
from vp_pipeline.figures.palette import PURPLE as PURPLE
from vp_pipeline.figures.palette import SKY as SKY
from vp_pipeline.figures.palette import UP as UP
from vp_pipeline.figures.palette import VERMILLION as VERMILLION

_AXIS: dict[str, Any] = {
    "gridcolor": "rgba(138, 143, 152, 0.22)",
    "linecolor": "rgba(138, 143, 152, 0.55)",
    "zerolinecolor": "rgba(138, 143, 152, 0.55)",
    "zerolinewidth": 1,
    "ticks": "outside",
    "ticklen": 4,
    "tickcolor": "rgba(138, 143, 152, 0.55)",
    "title": {"font": {"size": 12}, "standoff": 10},
    "automargin": True,
}

COLOURS = 6
"""How many lines have a colour of their own."""

TEMPLATE = go.layout.Template(
    layout={
        "font": {"family": FONT, "size": 12, "color": GREY},
        "title": {"font": {"size": 15}, "x": 0, "xref": "container", "xanchor": "left", "pad": {"l": 12}},
        "paper_bgcolor": "rgba(0, 0, 0, 0)",
        "plot_bgcolor": "rgba(0, 0, 0, 0)",
        "colorway": [BLUE, ORANGE, GREEN, PURPLE, SKY, VERMILLION],
        "hoverlabel": {"font": {"family": FONT, "size": 12}},
        "xaxis": _AXIS,
        "yaxis": _AXIS,
        "legend": {"orientation": "h", "x": 0, "y": 1.01, "yanchor": "bottom"},
        "margin": {"l": 8, "r": 12, "t": 48, "b": 8},
        "modebar": {"bgcolor": "rgba(0, 0, 0, 0)", "color": GREY, "activecolor": BLUE},
    }
)


def new_figure(title: str, height: int) -> go.Figure:
    """An empty figure with the shared look."""
    return styled(go.Figure(), title, height)


def styled(figure: go.Figure, title: str, height: int) -> go.Figure:
    """The figure with the shared look, its title and height in pixels; the width is that of the page."""
    return figure.update_layout(template=TEMPLATE, title_text=title, height=height)
