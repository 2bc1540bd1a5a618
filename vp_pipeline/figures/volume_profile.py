"""Volume profile of a window of candles: what a trader's chart shows, and the published picture.

Here belongs the drawing; the levels and curves come from the analytics, the bars of the profile from
`profile_bars`. Candles and profile share one price axis, so that a crosshair goes through both.
"""

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from vp_pipeline.analytics.delta import Delta
from vp_pipeline.analytics.kde import DocumentProfile, Peak
from vp_pipeline.analytics.nodes import Node, VolumeNodes
from vp_pipeline.analytics.price_rows import PriceRows
from vp_pipeline.analytics.value_area import ValueArea
from vp_pipeline.figures import profile_bars, theme
from vp_pipeline.figures.readable import bar_name

MAX_CANDLES = 400
"""More would be thinner than a pixel on most screens."""

_STEPS = (1, 2, 3, 5, 10, 15, 30, 60, 120, 240, 480, 1440, 2880, 10080)
_HEIGHT = 640
_LABEL_DISTANCE = 34  # pixels between the middles of two price labels
_PANELS = {False: ([0.0, 0.63], [0.645, 1.0], [1.0, 1.0]), True: ([0.0, 0.55], [0.565, 0.84], [0.855, 1.0])}


def volume_profile_figure(
    candles: pd.DataFrame,
    rows: PriceRows,
    area: ValueArea,
    title: str,
    *,
    parts: Mapping[str, PriceRows] | None = None,
    nodes: VolumeNodes | None = None,
    delta: Delta | None = None,
    naked: Iterable[float] = (),
) -> go.Figure:
    """Candles, and beside them on the same price axis the volume of each row with its levels and nodes.

    Args:
        candles: columns open_time (UTC), open, high, low, close; joined to at most `MAX_CANDLES`.
        rows: volume by price of these candles.
        area: the levels; each line goes through the middle of its row.
        title: of the figure.
        parts: the same volume by venue or by quote currency, on rows of the same size, to be stacked.
        nodes: high and low volume nodes to mark, with their curve, scaled to the volume of a row.
        delta: bought less sold volume, in a panel of its own.
        naked: prices of untouched points of control of earlier days; those in sight are drawn.
    """
    shown, minutes = joined_candles(candles)
    figure = go.Figure(_candlesticks(shown, minutes))
    bars = profile_bars.stacked(parts, area) if parts else profile_bars.whole(rows, area)
    beside: list[go.Bar | go.Scatter] = [*bars]
    if nodes is not None:
        beside += [_curve(nodes.curve, rows), *_node_marks(nodes, rows)]
    figure.add_traces([trace.update(xaxis="x2") for trace in beside])
    if delta is not None:
        figure.add_traces([trace.update(xaxis="x3") for trace in profile_bars.difference(delta)])
    low, high = price_range(shown, rows)
    _levels(figure, rows, area, (high - low) / (_HEIGHT - 110))
    _naked(figure, rows.row_size, [price for price in naked if low <= price <= high])
    theme.styled(figure, title, _HEIGHT)
    _axes(figure, rows, (low, high), minutes, delta)
    return figure.update_layout(
        bargap=0,
        barmode="stack" if parts else "overlay",
        hovermode="closest",
        hoverdistance=12,
        spikedistance=-1,
        dragmode="pan",
        margin={"r": 54, "l": 4},
        legend={"font": {"size": 11}, "traceorder": "normal", "itemwidth": 30, "tracegroupgap": 0},
    )


def _axes(
    figure: go.Figure, rows: PriceRows, prices: tuple[float, float], minutes: int, delta: Delta | None
) -> None:
    of_candles, of_profile, of_delta = _PANELS[delta is not None]
    spikes = {
        "showspikes": True,
        "spikemode": "across",
        "spikesnap": "cursor",
        "spikedash": "dot",
        "spikethickness": 1,
        "spikecolor": theme.GREY,
    }
    # As low as the title of the first axis, whose labels have two lines.
    size = f"${rows.row_size:,.10g}"
    title = {"text": f"Volume per {size}", "standoff": 24, "font": {"size": 11}}
    text = f"{bar_name(pd.Timedelta(minutes=minutes))} candles, UTC"
    beside = {"anchor": "y", "tickangle": 0, **spikes}
    figure.update_layout(
        yaxis={"range": list(prices), "tickformat": ",", "side": "left", **spikes},
        xaxis={"domain": of_candles, "nticks": 4, "tickangle": 0, "rangeslider": {"visible": False}, **spikes}
        | {"title": {"text": text, "font": {"size": 11}}},
        xaxis2={"domain": of_profile, "rangemode": "tozero", "nticks": 3, "title": title, **beside},
    )
    if delta is not None:
        figure.update_layout(
            xaxis3={"domain": of_delta, "nticks": 2, "title": title | {"text": "Delta"}, **beside}
        )


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


def joined_candles(candles: pd.DataFrame) -> tuple[pd.DataFrame, int]:
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
        name=f"{bar_name(pd.Timedelta(minutes=minutes))} candles",
        showlegend=False,
    )


def _curve(profile: DocumentProfile, rows: PriceRows) -> go.Scatter:
    return go.Scatter(
        x=profile.density * rows.row_size * rows.total,
        y=profile.price,
        mode="lines",
        line={"color": theme.PURPLE, "width": 2},
        name="Kernel density",
        showlegend=False,
        hoverinfo="skip",
    )


def _node_marks(nodes: VolumeNodes, rows: PriceRows) -> list[go.Scatter]:
    """High nodes as full diamonds on the curve, low ones as open ones."""
    per_row = rows.row_size * rows.total
    return [
        _marks(
            (
                np.interp([node.price for node in found], nodes.curve.price, nodes.curve.density) * per_row
            ).tolist(),
            [node.price for node in found],
            [_node(node, name) for node in found],
            text,
            symbol,
        )
        for name, found, text, symbol in (
            ("High", nodes.high, "Nodes (open: low)", "diamond"),
            ("Low", nodes.low, "Low nodes", "diamond-open"),
        )
    ]


def _marks(volume: list[float], price: list[float], texts: list[str], name: str, symbol: str) -> go.Scatter:
    outline = {"color": theme.PURPLE if symbol.endswith("open") else "#ffffff", "width": 1.5}
    return go.Scatter(
        x=volume,
        y=price,
        mode="markers",
        marker={"color": theme.PURPLE, "size": 10, "symbol": symbol, "line": outline},
        customdata=texts,
        hovertemplate="%{customdata}<extra></extra>",
        name=name,
        showlegend=not symbol.endswith("open"),
    )


def _levels(figure: go.Figure, rows: PriceRows, area: ValueArea, dollars_per_pixel: float) -> None:
    """Lines and the value area's band across all panels, labels in the margin, moved apart if need be."""
    figure.add_shape(
        type="rect",
        xref="paper",
        x0=0,
        x1=1,
        y0=area.val,
        y1=area.vah + rows.row_size,
        fillcolor=theme.BLUE,
        opacity=0.07,
        line_width=0,
        layer="below",
    )
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


def _naked(figure: go.Figure, row_size: float, prices: Iterable[float]) -> None:
    for price in prices:
        figure.add_shape(
            type="line",
            xref="paper",
            x0=0,
            x1=1,
            y0=price + row_size / 2,
            y1=price + row_size / 2,
            line={"color": theme.GREY, "width": 1, "dash": "dot"},
            label={"text": f"naked POC {price:,.10g}", "textposition": "start", "font": {"size": 10}},
        )


def price_range(candles: pd.DataFrame, rows: PriceRows) -> tuple[float, float]:
    """What both the candles and the rows need, and a little more."""
    low = min(float(candles["low"].min()), float(rows.price[0]))
    high = max(float(candles["high"].max()), float(rows.price[-1]) + rows.row_size)
    return low - 0.02 * (high - low), high + 0.02 * (high - low)


def _node(peak: Peak | Node, kind: str = "") -> str:
    held = f"<br>{peak.share:.1%} of the volume" if isinstance(peak, Node) else ""
    return (
        f"{f'{kind} node' if kind else 'Node'} {peak.price:,.2f}<br>width ${peak.width:,.2f}"
        f"<br>prominence {peak.prominence:.0%} of the maximum{held}"
    )
