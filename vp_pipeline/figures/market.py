"""The market page's chart: candles, and beside them on the same price axis the volume of each venue.

Here belongs the chart as plain data for plotly.js, made without the Plotly package: it is drawn for every
reader, and again with every minute. The figures of documents are in `volume_profile`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from vp_pipeline.analytics.price_rows import Floats, PriceRows
from vp_pipeline.analytics.value_area import ValueArea
from vp_pipeline.figures import palette
from vp_pipeline.figures.readable import round_above

MOST_ROWS = 160
"""More rows of the profile would be thinner than a few pixels; they are joined."""

_SPLIT = (0.0, 0.65), (0.68, 1.0)
_FAINT = "rgba(138, 143, 152, 0.22)"
_LINE = "rgba(138, 143, 152, 0.55)"
_BUBBLE = 26
# Labels nearer than this share of the price axis would cover each other.
_APART = 0.045

Figure = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Chart:
    """What is drawn; prices in US dollars, volumes in the base asset.

    Attributes:
        bars: open_time (UTC), open, high, low, close (NaN without a price), volume.
        venues: rows of each venue, all of one size, by name.
        area: of all venues together.
        nodes: (price, words) of the hills and valleys to mark.
        naked: (price, words) of untouched points of control.
        developing: the point of control as it stood at each moment.
    """

    bars: pd.DataFrame
    venues: Mapping[str, PriceRows]
    area: ValueArea | None
    nodes: Sequence[tuple[float, str]]
    naked: Sequence[tuple[float, str]]
    developing: Sequence[tuple[datetime, float]]


def market_chart(chart: Chart, *, line: bool, base: str) -> Figure:
    """Data and layout for plotly.js; with `line` closes with bubbles instead of candles."""
    bars = chart.bars.dropna(subset=["close"])
    low, high = _range(bars, chart.venues)
    data = [_line(bars, base), _bubbles(bars, base)] if line else [_candles(bars)]
    if chart.developing:
        data.append(_developing(chart.developing))
    size, stacked = _stacked(chart.venues)
    data += [_bars(name, rows, at, size, base) for at, (name, rows) in enumerate(stacked)]
    nodes = [(price, words) for price, words in chart.nodes if low <= price <= high]
    if nodes:
        data.append(_nodes(nodes, stacked))
    inside = [(price, words) for price, words in chart.naked if low <= price <= high]
    shapes, notes = _levels(chart.area, size, inside, high - low)
    return {"data": data, "layout": _layout(low, high, shapes, notes, base)}


def _candles(bars: pd.DataFrame) -> dict[str, Any]:
    return {
        "type": "candlestick",
        "name": "Price",
        "x": _times(bars["open_time"]),
        **{name: _prices(bars[name]) for name in ("open", "high", "low", "close")},
        # Not by colour alone: rising candles are hollow.
        "increasing": {"line": {"color": palette.UP, "width": 1}, "fillcolor": "rgba(0, 0, 0, 0)"},
        "decreasing": {"line": {"color": palette.DOWN, "width": 1}, "fillcolor": palette.DOWN},
        "showlegend": False,
    }


def _line(bars: pd.DataFrame, base: str) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines",
        "name": f"Close, {base}",
        "x": _times(bars["open_time"]),
        "y": _prices(bars["close"]),
        "line": {"color": palette.BLUE, "width": 1.2},
        "hoverinfo": "skip",
        "showlegend": False,
    }


def _bubbles(bars: pd.DataFrame, base: str) -> dict[str, Any]:
    volume = bars["volume"].to_numpy(dtype=np.float64)
    return {
        "type": "scatter",
        "mode": "markers",
        "name": "Close",
        "x": _times(bars["open_time"]),
        "y": _prices(bars["close"]),
        "customdata": _volumes(volume),
        "marker": {
            "size": _volumes(volume),
            "sizemode": "area",
            "sizeref": 2 * float(volume.max(initial=0) or 1) / _BUBBLE**2,
            "sizemin": 1,
            "color": palette.SKY,
            "opacity": 0.45,
            "line": {"color": palette.BLUE, "width": 0.6},
        },
        "hovertemplate": "%{x|%Y-%m-%d %H:%M}<br>%{y:,.2f}<br>%{customdata:,.4~g} "
        + base
        + "<extra></extra>",
        "showlegend": False,
    }


def _developing(moments: Sequence[tuple[datetime, float]]) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines",
        "name": "Developing POC",
        "x": [_time(moment) for moment, _ in moments],
        "y": [_price(price) for _, price in moments],
        "line": {"color": palette.PURPLE, "width": 1.6, "dash": "dot", "shape": "hv"},
        "hovertemplate": "developing POC %{y:,.2f}<extra></extra>",
        "showlegend": False,
    }


def _stacked(venues: Mapping[str, PriceRows]) -> tuple[float, list[tuple[str, PriceRows]]]:
    """Height of a drawn row, and the venues with rows of it, largest first, the smallest ones together."""
    filled = {name: rows for name, rows in venues.items() if rows.total > 0}
    if not filled:
        return 1.0, []
    ordered = sorted(filled.items(), key=lambda one: -one[1].total)
    first = min(rows.first_row for rows in filled.values())
    last = max(rows.first_row + len(rows.volume) for rows in filled.values())
    joined = max(1, int(round_above((last - first) / MOST_ROWS)))
    bottom = first // joined
    count = -(-last // joined) - bottom
    size = ordered[0][1].row_size * joined
    alone = len(palette.STACKED) if len(ordered) <= len(palette.STACKED) else len(palette.STACKED) - 1
    drawn = [(name, _coarser(rows, joined, bottom, count, size)) for name, rows in ordered]
    if len(drawn) > alone:
        rest = PriceRows.sum_of([rows for _, rows in drawn[alone:]])
        drawn = [*drawn[:alone], (f"{len(drawn) - alone} more venues", rest)]
    return size, drawn


def _coarser(rows: PriceRows, joined: int, bottom: int, count: int, size: float) -> PriceRows:
    whole = rows.between(bottom * joined, count * joined)
    return PriceRows(bottom, size, whole.volume.reshape(count, joined).sum(axis=1))


def _bars(name: str, rows: PriceRows, at: int, size: float, base: str) -> dict[str, Any]:
    traded = rows.volume > 0
    return {
        "type": "bar",
        "orientation": "h",
        "name": name,
        "xaxis": "x2",
        "y": _prices(rows.midpoint[traded]),
        "x": _volumes(rows.volume[traded]),
        "customdata": _prices(rows.price[traded]),
        "width": size,
        "marker": {"color": palette.STACKED[min(at, len(palette.STACKED) - 1)], "line": {"width": 0}},
        "hovertemplate": f"{name}<br>%{{customdata:,}} + {size:,g}<br>%{{x:,.4~g}} {base}<extra></extra>",
    }


def _nodes(nodes: Sequence[tuple[float, str]], stacked: list[tuple[str, PriceRows]]) -> dict[str, Any]:
    total = PriceRows.sum_of([rows for _, rows in stacked]) if stacked else None
    places = []
    for price, _ in nodes:
        row = int(price // total.row_size) - total.first_row if total else -1
        places.append(float(total.volume[row]) if total and 0 <= row < len(total.volume) else 0.0)
    hill = [words.startswith("high") for _, words in nodes]
    return {
        "type": "scatter",
        "mode": "markers",
        "name": "Nodes",
        "xaxis": "x2",
        "x": _volumes(np.array(places)),
        "y": [_price(price) for price, _ in nodes],
        "text": [words for _, words in nodes],
        "marker": {
            "symbol": ["triangle-left" if one else "triangle-right-open" for one in hill],
            "size": 10,
            "color": palette.GREY,
            "line": {"width": 1.4, "color": palette.GREY},
        },
        "hovertemplate": "%{text}<extra></extra>",
        "cliponaxis": False,
        "showlegend": False,
    }


def _levels(
    area: ValueArea | None, size: float, naked: Sequence[tuple[float, str]], height: float
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Lines and their labels, and the value area behind everything."""
    shapes: list[dict[str, Any]] = []
    labels: list[tuple[float, str]] = []
    across = {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "yref": "y"}
    for price, words in naked:
        line = {"color": palette.GREY, "width": 1, "dash": "dot"}
        shapes.append({**across, "x1": _SPLIT[0][1], "y0": price, "y1": price, "line": line})
        labels.append((price, words))
    left = [_label(price, words, 0.002, "left") for price, words in _thinned(labels, height)]
    if area is None:
        return shapes, left
    shapes.insert(
        0,
        {
            **across,
            "type": "rect",
            "y0": area.val,
            "y1": area.vah + size,
            "fillcolor": palette.SKY,
            "opacity": 0.12,
            "line": {"width": 0},
            "layer": "below",
        },
    )
    right = []
    for name, price, colour, dash, width in (
        ("VAH", area.vah, palette.SKY, "dash", 1.2),
        ("POC", area.poc, palette.ORANGE, "solid", 1.8),
        ("VAL", area.val, palette.SKY, "dash", 1.2),
    ):
        shapes.append(
            {**across, "y0": price, "y1": price, "line": {"color": colour, "width": width, "dash": dash}}
        )
        right.append((price, f"{name} {price:,.10g}"))
    return shapes, left + [_label(price, words, 1, "right") for price, words in _spaced(right, height)]


def _thinned(labels: list[tuple[float, str]], height: float) -> list[tuple[float, str]]:
    """Of labels on about the same price the first."""
    kept: list[tuple[float, str]] = []
    for price, words in labels:
        if all(abs(price - other) > _APART * height for other, _ in kept):
            kept.append((price, words))
    return kept


def _spaced(labels: list[tuple[float, str]], height: float) -> list[tuple[float, str]]:
    """VAH, POC and VAL moved apart where they would cover each other."""
    (top, above), (middle, words), (bottom, below) = labels
    gap = _APART * height
    return [(max(top, middle + gap), above), (middle, words), (min(bottom, middle - gap), below)]


def _label(price: float, words: str, x: float, anchor: str) -> dict[str, Any]:
    return {
        "text": words,
        "x": x,
        "xref": "paper",
        "xanchor": anchor,
        "y": price,
        "yanchor": "bottom",
        "showarrow": False,
        "font": {"size": 11},
        # Coloured by the page, which knows the reader's scheme.
        "bgcolor": "rgba(0, 0, 0, 0)",
    }


def _layout(
    low: float, high: float, shapes: list[dict[str, Any]], notes: list[dict[str, Any]], base: str
) -> dict[str, Any]:
    axis = {"gridcolor": _FAINT, "linecolor": _LINE, "zeroline": False, "ticks": "outside", "ticklen": 4}
    axis |= {"tickcolor": _LINE, "automargin": True}
    times = {"type": "date", "domain": _SPLIT[0], "rangeslider": {"visible": False}}
    volume = {"title": {"text": f"Volume, {base}", "font": {"size": 11}}, "anchor": "y", "domain": _SPLIT[1]}
    return {
        "paper_bgcolor": "rgba(0, 0, 0, 0)",
        "plot_bgcolor": "rgba(0, 0, 0, 0)",
        "font": {"family": palette.FONT, "size": 12, "color": palette.GREY},
        "margin": {"l": 8, "r": 12, "t": 36, "b": 8},
        "barmode": "stack",
        "bargap": 0,
        "dragmode": "pan",
        "hovermode": "closest",
        "legend": {"orientation": "h", "x": 0, "y": 1.0, "yanchor": "bottom", "traceorder": "normal"},
        "xaxis": {**axis, **times, "tickangle": 0, "nticks": 9},
        "xaxis2": {**axis, **volume, "rangemode": "tozero", "nticks": 5, "tickangle": 0},
        "yaxis": {**axis, "range": [_price(low), _price(high)], "tickformat": ",", "side": "left"},
        "shapes": shapes,
        "annotations": notes,
        "uirevision": "kept",
    }


def _range(bars: pd.DataFrame, venues: Mapping[str, PriceRows]) -> tuple[float, float]:
    """Where candles are; where there are none, where volume is."""
    if len(bars):
        low, high = float(bars["low"].min()), float(bars["high"].max())
    else:
        prices = [edge for rows in venues.values() if len(rows.volume) for edge in rows.price[[0, -1]]]
        low, high = (min(prices), max(prices)) if prices else (0.0, 1.0)
    room = max((high - low) * 0.03, abs(high) * 1e-4)
    return low - room, high + room


def _times(times: "pd.Series[Any]") -> list[str]:
    stamps = pd.DatetimeIndex(times).tz_localize(None).to_numpy()
    return [str(one) for one in np.datetime_as_string(stamps.astype("datetime64[m]"))]


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M}"


def _prices(values: "Floats | pd.Series[float]") -> list[float | None]:
    return [_price(value) for value in np.asarray(values, dtype=np.float64).tolist()]


def _price(value: float) -> float | None:
    return round(value, 2 if abs(value) >= 10 else 6) if np.isfinite(value) else None


def _volumes(values: Floats) -> list[float]:
    """Five figures: more cannot be seen."""
    return [float(f"{value:.5g}") for value in values.tolist()]
