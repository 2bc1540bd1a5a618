"""A volume profile as one static SVG picture, to be shared: no script, no browser, no font file.

Here belongs the drawing of that picture; the interactive figure is in `volume_profile`. It is written as
text, as an SVG of rectangles and lines needs no library. Same input, same bytes.
"""

from collections.abc import Mapping
from html import escape

import numpy as np
import pandas as pd

from vp_pipeline.analytics.nodes import VolumeNodes
from vp_pipeline.analytics.price_rows import Floats, PriceRows
from vp_pipeline.analytics.value_area import ValueArea
from vp_pipeline.figures import theme
from vp_pipeline.figures.profile_bars import parts_shown
from vp_pipeline.figures.readable import round_above
from vp_pipeline.figures.volume_profile import joined_candles, price_range

WIDTH, HEIGHT = 1200, 675
_LEFT, _RIGHT, _TOP, _BOTTOM = 78, 96, 92, 44
_SPLIT = 0.64  # of the drawing's width, for the candles
_INK, _MUTED, _LINE, _PAPER = "#1d2129", "#5b6470", "#e3e6ea", "#ffffff"


def profile_svg(
    candles: pd.DataFrame,
    rows: PriceRows,
    area: ValueArea,
    title: str,
    subtitle: str = "",
    *,
    parts: Mapping[str, PriceRows] | None = None,
    nodes: VolumeNodes | None = None,
) -> str:
    """The picture, 1200 x 675; arguments as in `volume_profile_figure`."""
    shown, _ = joined_candles(candles)
    low, high = price_range(shown, rows)
    scale = _Scale(low, high, max(float(rows.volume.max()), 1e-300))
    body = [
        *_grid(scale),
        _rect(_LEFT, scale.y(area.vah + rows.row_size), scale.end, scale.y(area.val), theme.BLUE, 0.08),
        *_candles(shown, scale),
        *_bars(rows, area, parts, scale),
        *_levels(rows, area, scale),
        *(_diamonds(nodes, rows, scale) if nodes else ()),
        *_times(pd.DatetimeIndex(shown.index)),
        _text(_LEFT, 34, title, 22, _INK, weight=600),
        _text(_LEFT, 58, subtitle, 14, _MUTED),
        _text(scale.split + 8, HEIGHT - 16, f"volume per row of {rows.row_size:,.10g}", 12, _MUTED),
        *_legend(parts),
    ]
    described = escape(f"{title}. POC {area.poc:,.10g}, VAH {area.vah:,.10g}, VAL {area.val:,.10g}.")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}"'
        f' height="{HEIGHT}" role="img" font-family="{escape(theme.FONT)}">\n<title>{described}</title>\n'
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="{_PAPER}"/>\n' + "\n".join(body) + "\n</svg>\n"
    )


class _Scale:
    """From prices and volumes to pixels."""

    def __init__(self, low: float, high: float, most: float) -> None:
        self.low, self.high, self.most = low, high, most
        self.end = WIDTH - _RIGHT
        self.split = _LEFT + _SPLIT * (self.end - _LEFT)

    def y(self, price: float) -> float:
        return _TOP + (self.high - price) / (self.high - self.low) * (HEIGHT - _TOP - _BOTTOM)

    def x(self, volume: float) -> float:
        return self.split + 8 + volume / self.most * (self.end - self.split - 8)


def _grid(scale: _Scale) -> list[str]:
    step = round_above((scale.high - scale.low) / 7)
    lines = []
    for price in np.arange(np.ceil(scale.low / step), np.floor(scale.high / step) + 1) * step:
        y = scale.y(float(price))
        lines.append(_line(_LEFT, y, scale.end, y, _LINE, 1))
        lines.append(_text(_LEFT - 8, y + 4, f"{price:,.10g}", 12, _MUTED, anchor="end"))
    return lines


def _candles(candles: pd.DataFrame, scale: _Scale) -> list[str]:
    room = (scale.split - _LEFT) / max(len(candles), 1)
    drawn = []
    for at, (opened, high, low, close) in enumerate(candles[["open", "high", "low", "close"]].to_numpy()):
        x, colour = _LEFT + (at + 0.5) * room, theme.UP if close >= opened else theme.DOWN
        top, bottom = scale.y(max(opened, close)), scale.y(min(opened, close))
        drawn.append(_line(x, scale.y(high), x, scale.y(low), colour, 1))
        drawn.append(_rect(x - 0.35 * room, top, x + 0.35 * room, max(bottom, top + 0.6), colour, 1))
    return drawn


def _bars(
    rows: PriceRows, area: ValueArea, parts: Mapping[str, PriceRows] | None, scale: _Scale
) -> list[str]:
    drawn = []
    base: Floats = np.zeros(len(rows.volume))
    inside = (rows.price >= area.val) & (rows.price <= area.vah)
    stack = parts_shown(parts) if parts else [("", rows, theme.BLUE)]
    for _, part, colour in stack:
        volume = part.between(rows.first_row, len(rows.volume)).volume
        for at in np.flatnonzero(volume > 0).tolist():
            price = float(rows.price[at])
            fill = theme.ORANGE if not parts and price == area.poc else colour
            left, right = scale.x(float(base[at])), scale.x(float(base[at] + volume[at]))
            top, bottom = scale.y(price + rows.row_size), scale.y(price)
            drawn.append(_rect(left, top, right, bottom, fill, 0.95 if inside[at] else 0.4))
        base += volume
    return drawn


def _levels(rows: PriceRows, area: ValueArea, scale: _Scale) -> list[str]:
    ys = [scale.y(price + rows.row_size / 2) for price in (area.vah, area.poc, area.val)]
    # Labels of two lines that would overlap are moved apart.
    at = [min(ys[0], ys[1] - 34), ys[1], max(ys[2], ys[1] + 34)]
    drawn = []
    for name, price, y, label, colour, dash in zip(
        ("VAH", "POC", "VAL"),
        (area.vah, area.poc, area.val),
        ys,
        at,
        (theme.BLUE, theme.ORANGE, theme.BLUE),
        ("6 4", "", "6 4"),
        strict=True,
    ):
        drawn.append(_line(_LEFT, y, scale.end, y, colour, 1.6, dash))
        drawn.append(_text(scale.end + 8, label - 1, name, 13, _INK, weight=700))
        drawn.append(_text(scale.end + 8, label + 14, f"{price:,.10g}", 13, _INK))
    return drawn


def _diamonds(nodes: VolumeNodes, rows: PriceRows, scale: _Scale) -> list[str]:
    drawn = []
    for found, fill in ((nodes.high, theme.PURPLE), (nodes.low, _PAPER)):
        for node in found:
            density = float(np.interp(node.price, nodes.curve.price, nodes.curve.density))
            x, y = scale.x(min(density * rows.row_size * rows.total, scale.most)), scale.y(node.price)
            corners = f"{x:.1f},{y - 6:.1f} {x + 6:.1f},{y:.1f} {x:.1f},{y + 6:.1f} {x - 6:.1f},{y:.1f}"
            drawn.append(
                f'<polygon points="{corners}" fill="{fill}" stroke="{theme.PURPLE}" stroke-width="1.5"/>'
            )
    return drawn


def _times(opened: pd.DatetimeIndex) -> list[str]:
    room = _SPLIT * (WIDTH - _RIGHT - _LEFT) / max(len(opened), 1)
    text = "%H:%M" if opened[-1] - opened[0] <= pd.Timedelta(days=2) else "%Y-%m-%d"
    picks = np.unique(np.linspace(0, len(opened) - 1, 5).astype(int))
    times = [
        _text(_LEFT + (at + 0.5) * room, HEIGHT - 26, f"{opened[at]:{text}}", 12, _MUTED, anchor="middle")
        for at in picks.tolist()
    ]
    return [
        *times,
        _text(_LEFT, HEIGHT - 8, f"UTC, {opened[0]:%Y-%m-%d} to {opened[-1]:%Y-%m-%d}", 12, _MUTED),
    ]


def _legend(parts: Mapping[str, PriceRows] | None) -> list[str]:
    drawn, x = [], float(_LEFT)
    for name, _, colour in parts_shown(parts) if parts else ():
        drawn.append(_rect(x, 70, x + 11, 81, colour, 1))
        drawn.append(_text(x + 16, 80, name, 12, _MUTED))
        x += 30 + 6.6 * len(name)
    return drawn


def _line(x0: float, y0: float, x1: float, y1: float, colour: str, width: float, dash: str = "") -> str:
    dashed = f' stroke-dasharray="{dash}"' if dash else ""
    return (
        f'<line x1="{x0:.1f}" y1="{y0:.1f}" x2="{x1:.1f}" y2="{y1:.1f}"'
        f' stroke="{colour}" stroke-width="{width:g}"{dashed}/>'
    )


def _rect(x0: float, y0: float, x1: float, y1: float, colour: str, opacity: float) -> str:
    return (
        f'<rect x="{x0:.1f}" y="{y0:.1f}" width="{max(x1 - x0, 0.2):.1f}" height="{max(y1 - y0, 0.2):.1f}"'
        f' fill="{colour}" fill-opacity="{opacity:g}"/>'
    )


def _text(
    x: float, y: float, text: str, size: int, colour: str, anchor: str = "start", weight: int = 400
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{colour}" text-anchor="{anchor}"'
        f' font-weight="{weight}">{escape(text)}</text>'
    )
