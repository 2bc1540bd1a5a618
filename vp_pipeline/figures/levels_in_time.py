"""Point of control and value area as they developed.

Here belongs that figure; the levels come from `analytics.developing`.
"""

import pandas as pd
import plotly.graph_objects as go

from vp_pipeline.figures import theme


def developing_figure(levels: pd.DataFrame, prices: pd.DataFrame, row_size: float, title: str) -> go.Figure:
    """Levels as steps over the price.

    Args:
        levels: open_time (UTC), poc, vah, val, as `developing_levels` gives them.
        prices: open_time (UTC), close.
        row_size: levels are drawn through the middle of their row.
        title: of the figure.
    """
    figure = theme.new_figure(title, 420)
    # Naive, as plotly.js would move aware times to the reader's clock.
    figure.add_scatter(
        x=pd.DatetimeIndex(prices["open_time"]).tz_convert(None)[::5],
        y=prices["close"].to_numpy()[::5],
        mode="lines",
        line={"color": theme.GREY, "width": 1},
        name="Price",
        hoverinfo="skip",
    )
    times = pd.DatetimeIndex(levels["open_time"]).tz_convert(None)
    for name, column, colour, dash, width in (
        ("VAH", "vah", theme.BLUE, "dash", 1.5),
        ("POC", "poc", theme.ORANGE, "solid", 2.5),
        ("VAL", "val", theme.BLUE, "dash", 1.5),
    ):
        figure.add_scatter(
            x=times,
            y=levels[column].to_numpy() + row_size / 2,
            mode="lines",
            line={"color": colour, "width": width, "dash": dash, "shape": "hv"},
            name=name,
            hovertemplate="%{x|%H:%M}<br>%{y:,.10g}<extra>" + name + "</extra>",
        )
    figure.update_yaxes(title_text="Price ($)", tickformat=",")
    figure.update_xaxes(title_text="UTC")
    return figure
