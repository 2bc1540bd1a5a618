"""Volume profile of a window of candles: what a trader's chart shows, and the published picture.

Here belongs the drawing; the levels and curves come from the analytics.
"""

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from vp_pipeline.analytics.kde import DocumentProfile, Peak
from vp_pipeline.analytics.price_rows import PriceRows
from vp_pipeline.analytics.value_area import ValueArea
from vp_pipeline.figures import theme

MAX_CANDLES = 400
"""More would be thinner than a pixel on most screens."""

_STEPS = (1, 2, 3, 5, 10, 15, 30, 60, 120, 240, 480, 1440, 2880, 10080)
_HEIGHT = 640
_LABEL_DISTANCE = 34  # pixels between the middles of two price labels


def volume_profile_figure(
    candles: pd.DataFrame,
    rows: PriceRows,
    area: ValueArea,
    profile: DocumentProfile | None,
    title: str,
) -> go.Figure:
    """Candles, and beside them on the same price axis the volume of each row with its levels and nodes.

    Args:
        candles: columns open_time (UTC), open, high, low, close; joined to at most `MAX_CANDLES`.
        rows: volume by price of these candles.
        area: the levels; each line goes through the middle of its row.
        profile: the smooth curve, scaled to the volume of a row, and its peaks.
        title: of the figure.
    """
    figure = make_subplots(
        rows=1, cols=2, shared_yaxes=True, column_widths=[0.68, 0.32], horizontal_spacing=0.012
    )
    shown, minutes = _joined(candles)
    figure.add_trace(_candlesticks(shown, minutes), row=1, col=1)
    for trace in _profile_bars(rows, area):
        figure.add_trace(trace, row=1, col=2)
    if profile is not None:
        for trace in _curve(profile, rows):
            figure.add_trace(trace, row=1, col=2)
    low, high = _price_range(shown, rows)
    _levels(figure, rows, area, (high - low) / (_HEIGHT - 110))
    theme.styled(figure, title, _HEIGHT)
    figure.update_layout(
        bargap=0,
        barmode="overlay",
        hovermode="closest",
        dragmode="pan",
        margin_r=60,
        xaxis_rangeslider_visible=False,
    )
    figure.update_yaxes(range=[low, high], tickformat=",")
    figure.update_yaxes(title_text=f"Price ($), rows of {rows.row_size:,g}", col=1)
    figure.update_xaxes(tickangle=0)
    figure.update_xaxes(title_text=f"UTC, {_span(minutes)} candles", nticks=6, col=1)
    # As low as the title of the other axis, whose labels have two lines that reach below this one on a phone.
    volume_title = {"text": "Volume (base units)", "standoff": 32}
    figure.update_xaxes(title=volume_title, rangemode="tozero", nticks=4, col=2)
    return figure


def document_figure(profile: DocumentProfile) -> go.Figure:
    """The published picture: histogram of the closes weighted by volume, the smooth curve and its peaks."""
    figure = theme.new_figure("Density of volume over closing prices", 460)
    figure.add_bar(
        x=(profile.bin_edges[:-1] + profile.bin_edges[1:]) / 2,
        y=profile.bin_density,
        width=np.diff(profile.bin_edges),
        marker={"color": theme.SKY, "line_width": 0},
        opacity=0.55,
        name=f"Volume, {len(profile.bin_density)} bins",
        hovertemplate="%{x:,.2f}<br>%{y:.3g} per $<extra></extra>",
    )
    figure.add_scatter(
        x=profile.price,
        y=profile.density,
        mode="lines",
        line={"color": theme.VERMILLION, "width": 2},
        name=f"Kernel density, bandwidth ${profile.bandwidth:,.2f}",
        hovertemplate="%{x:,.2f}<br>%{y:.3g} per $<extra></extra>",
    )
    figure.add_scatter(
        x=[peak.price for peak in profile.peaks],
        y=[peak.density for peak in profile.peaks],
        mode="markers+text",
        marker={"color": theme.VERMILLION, "size": 10, "symbol": "diamond"},
        text=[f"{peak.price:,.0f}" for peak in profile.peaks],
        textposition="top center",
        customdata=[_node(peak) for peak in profile.peaks],
        hovertemplate="%{customdata}<extra></extra>",
        name="Peaks",
        cliponaxis=False,
    )
    figure.update_xaxes(title_text="Close ($)", tickformat=",")
    figure.update_yaxes(title_text="Probability density (per $)", rangemode="tozero")
    return figure.update_layout(bargap=0)


def _joined(candles: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    """At most MAX_CANDLES candles of a round number of minutes, and that number."""
    opened = candles["open_time"]
    span = (opened.iloc[-1] - opened.iloc[0]) / pd.Timedelta(minutes=1) + 1
    minutes = next((step for step in _STEPS if span / step <= MAX_CANDLES), _STEPS[-1])
    prices = candles.set_index("open_time")[["open", "high", "low", "close"]]
    rules = {"open": "first", "high": "max", "low": "min", "close": "last"}
    joined = prices.resample(pd.Timedelta(minutes=minutes), origin="epoch").agg(rules)
    return joined.dropna(), minutes


def _candlesticks(candles: pd.DataFrame, minutes: int) -> go.Candlestick:
    return go.Candlestick(
        # Naive, as plotly.js would move aware times to the reader's clock.
        x=pd.DatetimeIndex(candles.index).tz_convert(None),
        **{name: candles[name].to_numpy() for name in ("open", "high", "low", "close")},
        increasing={"line": {"color": theme.UP, "width": 1}, "fillcolor": theme.UP},
        decreasing={"line": {"color": theme.DOWN, "width": 1}, "fillcolor": theme.DOWN},
        name=f"{_span(minutes)} candles",
        showlegend=False,
    )


def _profile_bars(rows: PriceRows, area: ValueArea) -> list[go.Bar]:
    price, traded = rows.price, rows.volume > 0
    is_poc = price == area.poc
    inside = (price >= area.val) & (price <= area.vah) & ~is_poc
    kinds = (
        ("Value area", inside, theme.BLUE, 0.9),
        ("Outside", ~inside & ~is_poc, theme.SKY, 0.5),
        ("Point of control", is_poc, theme.ORANGE, 1.0),
    )
    return [
        go.Bar(
            x=rows.volume[chosen & traded],
            y=rows.midpoint[chosen & traded],
            width=rows.row_size,
            customdata=price[chosen & traded],
            orientation="h",
            marker={"color": colour, "line_width": 0},
            opacity=opacity,
            name=name,
            hovertemplate="%{customdata:,}<br>%{x:,.2f}<extra>" + name + "</extra>",
        )
        for name, chosen, colour, opacity in kinds
    ]


def _curve(profile: DocumentProfile, rows: PriceRows) -> list[go.Scatter]:
    per_row = rows.row_size * rows.total
    return [
        go.Scatter(
            x=profile.density * per_row,
            y=profile.price,
            mode="lines",
            line={"color": theme.PURPLE, "width": 2.5},
            name="Kernel density",
            hoverinfo="skip",
        ),
        go.Scatter(
            x=[peak.density * per_row for peak in profile.peaks],
            y=[peak.price for peak in profile.peaks],
            mode="markers",
            marker={
                "color": theme.PURPLE,
                "size": 11,
                "symbol": "diamond",
                "line": {"color": "#ffffff", "width": 1.5},
            },
            customdata=[_node(peak) for peak in profile.peaks],
            hovertemplate="%{customdata}<extra></extra>",
            name="Nodes",
        ),
    ]


def _levels(figure: go.Figure, rows: PriceRows, area: ValueArea, dollars_per_pixel: float) -> None:
    """Lines across both panels, their labels in the margin, moved apart where they would overlap."""
    apart = _LABEL_DISTANCE * dollars_per_pixel
    half = rows.row_size / 2
    levels = (
        ("VAH", area.vah, max(0.0, apart - (area.vah - area.poc)), theme.BLUE, "dash"),
        ("POC", area.poc, 0.0, theme.ORANGE, "solid"),
        ("VAL", area.val, -max(0.0, apart - (area.poc - area.val)), theme.BLUE, "dash"),
    )
    for name, price, moved, colour, dash in levels:
        figure.add_shape(
            type="line",
            xref="paper",
            x0=0,
            x1=1,
            y0=price + half,
            y1=price + half,
            line={"color": colour, "width": 1.5, "dash": dash},
        )
        figure.add_annotation(
            text=f"<b>{name}</b><br>{price:,.10g}",
            xref="paper",
            x=1,
            xanchor="left",
            y=price + half,
            yshift=moved / dollars_per_pixel,
            yanchor="middle",
            showarrow=False,
            align="left",
            font_size=12,
            xshift=4,
        )


def _price_range(candles: pd.DataFrame, rows: PriceRows) -> tuple[float, float]:
    low = min(float(candles["low"].min()), float(rows.price[0]))
    high = max(float(candles["high"].max()), float(rows.price[-1]) + rows.row_size)
    return low - 0.02 * (high - low), high + 0.02 * (high - low)


def _node(peak: Peak) -> str:
    return (
        f"Node {peak.price:,.2f}<br>width ${peak.width:,.2f}"
        f"<br>prominence {peak.prominence:.0%} of the maximum"
    )


def _span(minutes: int) -> str:
    for length, name in ((1440, "day"), (60, "hour")):
        if minutes % length == 0:
            return f"{minutes // length}-{name}"
    return f"{minutes}-minute"
