"""The horizontal bars of a volume profile, whole, stacked by venue, or as buying less selling.

Here belong the traces beside the candles; axes, levels and everything around them are in `volume_profile`.
Colours are told apart with every common kind of colour blindness, and each bar has its name on hover.
"""

from collections.abc import Mapping

import numpy as np
import plotly.graph_objects as go

from vp_pipeline.analytics.delta import Delta
from vp_pipeline.analytics.price_rows import Floats, PriceRows
from vp_pipeline.analytics.value_area import ValueArea
from vp_pipeline.figures import palette, theme

MOST_STACKED = 7
"""Parts that get a colour of their own; the smaller ones are shown together."""

_OUTSIDE = 0.45


def whole(rows: PriceRows, area: ValueArea) -> list[go.Bar]:
    """One bar a row; the value area and the point of control in colours of their own."""
    price, traded = rows.price, rows.volume > 0
    is_poc = price == area.poc
    inside = _inside(price, area) & ~is_poc
    kinds = (
        ("Value area", inside, theme.BLUE, 0.9),
        ("Outside", ~inside & ~is_poc, theme.SKY, 0.5),
        ("Point of control", is_poc, theme.ORANGE, 1.0),
    )
    return [
        _bars(rows, rows.volume, chosen & traded, name, colour, opacity)
        for name, chosen, colour, opacity in kinds
    ]


def stacked(parts: Mapping[str, PriceRows], area: ValueArea) -> list[go.Bar]:
    """A bar for each part and row, the largest part first; paler outside the value area."""
    return [
        _bars(
            rows,
            rows.volume,
            rows.volume > 0,
            name,
            colour,
            np.where(_inside(rows.price, area), 1.0, _OUTSIDE)[rows.volume > 0],
        )
        for name, rows, colour in parts_shown(parts)
    ]


def parts_shown(parts: Mapping[str, PriceRows]) -> list[tuple[str, PriceRows, str]]:
    """Name, rows and colour of each part that is drawn, the largest first, the smallest together."""
    ordered = sorted(parts.items(), key=lambda part: (-part[1].total, part[0]))
    shown = ordered if len(ordered) <= MOST_STACKED + 1 else ordered[:MOST_STACKED]
    rest = ordered[len(shown) :]
    if rest:
        shown = [*shown, (f"{len(rest)} others", PriceRows.sum_of(rows for _, rows in rest))]
    return [(name, rows, colour) for (name, rows), colour in zip(shown, palette.STACKED, strict=False)]


def difference(delta: Delta) -> list[go.Bar]:
    """Bought less sold volume of each row, to the right if more was bought."""
    rows, value = delta.bought, delta.delta
    known = {"taker": "takers", "direction": "guessed", "mixed": f"{delta.taker_share:.0%} known"}[
        delta.source
    ]
    return [
        _bars(rows, value, chosen, name, colour, 0.9)
        for name, chosen, colour in (
            (f"Bought ({known})", value > 0, theme.UP),
            (f"Sold ({known})", value < 0, theme.DOWN),
        )
    ]


def _inside(price: Floats, area: ValueArea) -> "np.ndarray[tuple[int], np.dtype[np.bool_]]":
    return np.asarray((price >= area.val) & (price <= area.vah), dtype=np.bool_)


def _bars(
    rows: PriceRows,
    value: Floats,
    chosen: "np.ndarray[tuple[int], np.dtype[np.bool_]]",
    name: str,
    colour: str,
    opacity: float | Floats,
) -> go.Bar:
    return go.Bar(
        x=value[chosen],
        y=rows.midpoint[chosen],
        width=rows.row_size,
        customdata=rows.price[chosen],
        orientation="h",
        marker={"color": colour, "line_width": 0, "opacity": opacity},
        name=name,
        hovertemplate="%{customdata:,}<br>%{x:,.2f}<extra>" + name + "</extra>",
    )
