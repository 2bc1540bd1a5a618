"""A picture of a strategy small enough for a line of text.

Here belongs that picture; it needs no script and no network.
"""

from base64 import b64encode

import numpy as np
import pandas as pd

from vp_pipeline.figures import theme

_WIDTH, _HEIGHT, _POINTS = 150, 40, 26
LONGEST = 1_000
"""Longer texts are folded away where the preview is shown."""


def preview_markdown(net: pd.Series, benchmark: pd.Series) -> str:
    """Growth of 1 (logarithmic) as a Markdown image; the benchmark, grey, behind."""
    lines = [_logs(benchmark), _logs(net)]
    low, high = min(line.min() for line in lines), max(line.max() for line in lines)
    drawn = "".join(
        f"<polyline fill='none' stroke='{colour}' points='{_points(line, low, high)}'/>"
        for line, colour in zip(lines, (theme.GREY, theme.BLUE), strict=True)
    )
    svg = f"<svg xmlns='http://www.w3.org/2000/svg' width='{_WIDTH}' height='{_HEIGHT}'>{drawn}</svg>"
    return f"![growth](data:image/svg+xml;base64,{b64encode(svg.encode()).decode()})"


def _logs(returns: pd.Series) -> np.ndarray:
    growth = np.log(np.maximum((1 + returns.fillna(0)).cumprod().to_numpy(dtype=float), 1e-9))
    at = np.linspace(0, len(growth) - 1, min(_POINTS, len(growth))).round().astype(int)
    return np.asarray(growth[at])


def _points(line: np.ndarray, low: float, high: float) -> str:
    x = np.linspace(1, _WIDTH - 1, len(line)).round().astype(int)
    y = np.round((_HEIGHT - 2) * (high - line) / ((high - low) or 1) + 1).astype(int)
    return " ".join(f"{a},{b}" for a, b in zip(x, y, strict=True))
