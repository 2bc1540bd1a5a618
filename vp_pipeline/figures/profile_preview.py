"""A volume profile small enough for a line of text.

Here belongs that picture; it needs no script and no network. Where it is shown, longer texts are folded away.
"""

from base64 import b64encode

import numpy as np

from vp_pipeline.analytics.price_rows import Floats, PriceRows
from vp_pipeline.analytics.value_area import ValueArea
from vp_pipeline.figures import theme

_WIDTH, _BAR, _BARS = 120, 3, 24


def preview_markdown(rows: PriceRows, area: ValueArea) -> str:
    """The profile in a few bars as a Markdown image of fewer than 1,000 characters, prices upwards."""
    edges = np.linspace(0, len(rows.volume), min(_BARS, len(rows.volume)) + 1).round().astype(int)
    volume = np.add.reduceat(rows.volume, edges[:-1])
    length = np.maximum(np.round(volume / volume.max() * _WIDTH), 1).astype(int)
    low = rows.price[edges[:-1]]
    high = np.append(low[1:], rows.price[-1] + rows.row_size)
    is_poc = (low <= area.poc) & (area.poc < high)
    inside = (high > area.val) & (low <= area.vah) & ~is_poc
    drawn = "".join(
        f"<path d='{_bars(length, chosen)}' fill='{colour}'/>"
        for chosen, colour in ((inside, theme.BLUE), (~inside & ~is_poc, theme.SKY), (is_poc, theme.ORANGE))
    )
    size = f"width='{_WIDTH}' height='{len(length) * _BAR}'"
    svg = f"<svg xmlns='http://www.w3.org/2000/svg' {size}>{drawn}</svg>"
    return f"![profile](data:image/svg+xml;base64,{b64encode(svg.encode()).decode()})"


def _bars(length: Floats, chosen: "np.ndarray[tuple[int], np.dtype[np.bool_]]") -> str:
    top = len(length) - 1
    return "".join(f"M0 {(top - at) * _BAR}h{length[at]}v2H0" for at in np.flatnonzero(chosen).tolist())
