"""Charts of weekday x session: heatmap, bars in 3D, and all cells with their intervals.

Here belong the charts of the 42 cells; the numbers come from `analytics.session_report`.
"""

import numpy as np
import plotly.graph_objects as go
from plotly.colors import sample_colorscale

from vp_pipeline.analytics.bar_returns import WEEKDAYS
from vp_pipeline.analytics.session_hours import HOURS
from vp_pipeline.analytics.session_report import SessionReport
from vp_pipeline.figures import theme
from vp_pipeline.figures.session_axes import SESSION_AXIS, labels

_SCALE = "Cividis"
# The corners of a unit cube, and its twelve triangles by corners; the floor is not seen.
_CORNERS = np.array([[x, y, z] for z in (0, 1) for y in (0, 1) for x in (0, 1)], dtype=float)
_FACES = np.array(
    [
        [4, 5, 7],
        [4, 7, 6],
        [0, 1, 5],
        [0, 5, 4],
        [2, 6, 7],
        [2, 7, 3],
        [0, 4, 6],
        [0, 6, 2],
        [1, 3, 7],
        [1, 7, 5],
    ]
)
_WIDTH = 0.7


def heatmap_figure(report: SessionReport) -> go.Figure:
    """Volatility of each weekday and session, scaled to one hour."""
    figure = theme.new_figure("Volatility by weekday and session, scaled to 1 hour", 420)
    figure.add_heatmap(
        x=labels(report.table.preset, "session"),
        y=list(WEEKDAYS),
        z=_grid(report, "volatility_pct"),
        customdata=_grid(report, "returns"),
        colorscale=_SCALE,
        texttemplate="%{z:.2f}",
        xgap=2,
        ygap=2,
        hoverongaps=False,
        colorbar={"title": {"text": "%", "side": "top"}, "thickness": 12, "outlinewidth": 0},
        hovertemplate="%{y}, %{x}<br>%{z:.3f} %<br>%{customdata:,} returns<extra></extra>",
    )
    figure.update_yaxes(autorange="reversed", showgrid=False, ticks="", title_text="Weekday (UTC)")
    figure.update_xaxes(showgrid=False, ticks="", tickangle=0, title_text=SESSION_AXIS[report.table.preset])
    return figure


def bars_3d_figure(report: SessionReport) -> go.Figure:
    """The same as bars in space, as in the document; to be turned with the pointer."""
    heights = _grid(report, "volatility_pct")
    figure = theme.new_figure("Volatility by weekday and session in 3D, scaled to 1 hour", 520)
    there = np.argwhere(np.isfinite(heights))
    if len(there):
        values = heights[there[:, 0], there[:, 1]]
        centre = np.column_stack((there[:, 1], there[:, 0]))
        corners = np.tile(_CORNERS, (len(there), 1))
        corners[:, :2] = (corners[:, :2] - 0.5) * _WIDTH + np.repeat(centre, len(_CORNERS), axis=0)
        corners[:, 2] *= np.repeat(values, len(_CORNERS))
        faces = np.tile(_FACES, (len(there), 1)) + np.repeat(np.arange(len(there)) * 8, len(_FACES))[:, None]
        names = list(HOURS[report.table.preset])
        text = [f"{WEEKDAYS[day]}, {names[at]}<br>{heights[day, at]:.3f} %" for day, at in there]
        span = np.ptp(values) or 1.0
        colours = sample_colorscale(_SCALE, ((values - values.min()) / span).tolist())
        figure.add_mesh3d(
            **dict(zip("xyz", corners.T, strict=True)),
            **dict(zip("ijk", faces.T, strict=True)),
            facecolor=np.repeat(colours, len(_FACES)).tolist(),
            flatshading=True,
            lighting={"ambient": 0.75, "diffuse": 0.5, "specular": 0.05},
            text=np.repeat(text, len(_CORNERS)).tolist(),
            hovertemplate="%{text}<extra></extra>",
            name="Volatility",
        )
    axis = {"showbackground": False, "gridcolor": "rgba(138, 143, 152, 0.35)", "color": theme.GREY}
    figure.update_scenes(
        xaxis={
            **axis,
            "title_text": "Session",
            "tickvals": list(range(heights.shape[1])),
            "ticktext": list(HOURS[report.table.preset]),
        },
        yaxis={
            **axis,
            "title_text": "Weekday (UTC)",
            "tickvals": list(range(len(WEEKDAYS))),
            "ticktext": list(WEEKDAYS),
        },
        zaxis={**axis, "title_text": "Volatility (%)", "rangemode": "tozero"},
        aspectmode="manual",
        aspectratio={"x": 1, "y": 1.2, "z": 0.7},
        camera={"eye": {"x": 1.95, "y": -1.95, "z": 1.2}, "center": {"x": 0, "y": 0, "z": -0.15}},
    )
    return figure.update_layout(margin={"l": 0, "r": 0, "t": 0, "b": 0})


def intervals_figure(report: SessionReport) -> go.Figure:
    """Every cell with its interval, against all bars; those that differ in another colour."""
    cells = report.group("weekday_session")[::-1]
    figure = theme.new_figure(
        f"Volatility of each weekday and session with its {report.level:.0%} interval, scaled to 1 hour", 900
    )
    for differs, colour, name in (
        (True, theme.VERMILLION, "Differs from the rest"),
        (False, theme.BLUE, "No difference found"),
    ):
        part = cells[cells["differs"] == differs]
        value = part["volatility_pct"]
        figure.add_scatter(
            x=value,
            y=part["weekday"] + " " + part["session"],
            error_x={
                "array": (part["volatility_high"] - value).clip(lower=0),
                "arrayminus": (value - part["volatility_low"]).clip(lower=0),
                "thickness": 1.5,
                "width": 3,
            },
            customdata=np.column_stack((part["returns"], part["days"], part["p_adjusted"])),
            mode="markers",
            marker={"color": colour, "size": 7},
            name=name,
            showlegend=True,
            hovertemplate="%{y}<br>%{x:.3f} %<br>%{customdata[0]:,} returns on %{customdata[1]} days"
            "<br>p %{customdata[2]:.3f} after correction<extra></extra>",
        )
    figure.add_vline(
        x=report.table.volatility_pct("1h"), line={"color": theme.GREY, "width": 1.5, "dash": "dash"}
    )
    order = (cells["weekday"] + " " + cells["session"]).tolist()
    figure.update_yaxes(
        categoryorder="array",
        categoryarray=order,
        dtick=1,
        tickfont={"size": 11},
        title_text="Weekday (UTC), session",
    )
    figure.update_xaxes(title_text="Volatility (% of price); dashed: all bars")
    return figure


def _grid(report: SessionReport, name: str) -> np.ndarray:
    """Weekdays x sessions."""
    cells = report.group("weekday_session")[name].to_numpy(dtype=float)
    return cells.reshape(len(WEEKDAYS), -1)
