"""Volatility, volume and returns by weekday and by session.

Here belongs the drawing of a session table; the numbers come from `analytics.sessions`.
"""

from typing import Literal

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from vp_pipeline.analytics.price_rows import Floats
from vp_pipeline.analytics.session_hours import HOURS, Preset
from vp_pipeline.analytics.sessions import WEEKDAYS, BarReturns, Gaps, SessionTable, returns_pct
from vp_pipeline.figures import theme
from vp_pipeline.figures.page import Heading, Section

Grouping = Literal["weekday", "session"]
GROUPINGS: tuple[Grouping, ...] = ("weekday", "session")

MAX_POINTS = 2_000
"""Returns a violin is drawn from: the extremes and evenly spaced order statistics between them."""

_HEIGHT = 340
_HORIZONS: dict[Grouping, Literal["1d", "1h"]] = {"weekday": "1d", "session": "1h"}
_HORIZON_NAMES = {"1d": "1 day", "1h": "1 hour"}
_SESSION_AXIS: dict[Preset, str] = {
    "document": "Session (hours UTC)",
    "exchange": "Session (exchanges open by local time)",
}
_BY: dict[Grouping, str] = {"weekday": "by weekday", "session": "by session"}


def session_sections(
    symbol: str, table: SessionTable, klines: pd.DataFrame, outlier_pct: float = 20.0, gaps: Gaps = "drop"
) -> list[Section]:
    """Everything about one symbol, to be put on a page.

    Args:
        symbol: name for the heading.
        table: of these bars.
        klines: the bars, for the shape of the returns; `outlier_pct` and `gaps` as the table was made.
        outlier_pct: see `analytics.sessions`.
        gaps: see `analytics.sessions`.
    """
    returns = returns_pct(klines, table.bar, outlier_pct, gaps, table.preset)
    sections: list[Section] = [
        Heading(symbol),
        _summary(table),
        tuple(volatility_figure(table, by) for by in GROUPINGS),
        heatmap_figure(table),
        tuple(volume_figure(table, by) for by in GROUPINGS),
    ]
    overall = table.group("all").iloc[0]
    if np.isnan(overall["taker_share"]):
        sections.append("Taker share: left out, as these bars come without taker-buy volume.")
    if np.isnan(overall["volume_per_trade"]):
        sections.append("Volume per trade: left out, as these bars come without trade counts.")
    else:
        sections.append(tuple(volume_per_trade_figure(table, by) for by in GROUPINGS))
    sections.append(tuple(box_figure(table, by) for by in GROUPINGS))
    sections.append(tuple(violin_figure(returns, table, by) for by in GROUPINGS))
    largest = int(np.bincount(returns.session[np.isfinite(returns.return_pct)]).max(initial=0))
    if largest > MAX_POINTS:
        sections.append(
            f"Violins are drawn from at most {MAX_POINTS:,} returns a group,"
            " evenly spaced in rank with the lowest and highest kept; all other figures use every bar."
        )
    return sections


def volatility_figure(table: SessionTable, by: Grouping) -> go.Figure:
    """Volatility of each group scaled to one day (weekdays) or hour (sessions), with that of all bars."""
    horizon = _HORIZONS[by]
    groups = table.group(by)
    figure = theme.new_figure(f"Volatility {_BY[by]}, scaled to {_HORIZON_NAMES[horizon]}", _HEIGHT)
    _bars(figure, table.preset, by, groups["volatility_pct"], theme.BLUE, "Volatility", ".2f")
    _reference(figure, table.volatility_pct(horizon))
    return _axes(figure, table.preset, by, "Volatility (% of price)")


def volume_figure(table: SessionTable, by: Grouping) -> go.Figure:
    """Mean volume of a bar in each group; where known, the part bought by takers with its share."""
    groups = table.group(by)
    figure = theme.new_figure(f"Mean volume of a {_length(table.bar)} bar {_BY[by]}", _HEIGHT)
    _bars(figure, table.preset, by, groups["mean_volume"], theme.SKY, "Volume", ".4s", text=False)
    if groups["taker_share"].notna().any():
        figure.add_bar(
            x=_labels(table.preset, by),
            y=groups["mean_taker_buy_volume"],
            marker_color=theme.BLUE,
            text=[f"{share:.1%}" if np.isfinite(share) else "" for share in groups["taker_share"]],
            textposition="inside",
            insidetextanchor="middle",
            textangle=0,
            insidetextfont={"color": "#ffffff"},
            name="Bought by takers, share of volume",
            hovertemplate="%{x}<br>%{y:.4s}<br>%{text} of volume<extra></extra>",
        )
        figure.update_layout(barmode="overlay")
    _reference(figure, float(table.group("all")["mean_volume"].iloc[0]))
    return _axes(figure, table.preset, by, "Volume (base units)")


def volume_per_trade_figure(table: SessionTable, by: Grouping) -> go.Figure:
    """Volume of a group divided by its number of trades, with that of all bars."""
    figure = theme.new_figure(f"Volume per trade {_BY[by]}", _HEIGHT)
    _bars(
        figure, table.preset, by, table.group(by)["volume_per_trade"], theme.BLUE, "Volume per trade", ".3s"
    )
    _reference(figure, float(table.group("all")["volume_per_trade"].iloc[0]))
    return _axes(figure, table.preset, by, "Volume per trade (base units)")


def box_figure(table: SessionTable, by: Grouping) -> go.Figure:
    """Quartiles and whiskers of the returns of one bar, without the returns beyond them."""
    groups = table.group(by)
    figure = theme.new_figure(f"Returns of a {_length(table.bar)} bar {_BY[by]}, without outliers", _HEIGHT)
    figure.add_box(
        x=_labels(table.preset, by),
        q1=groups["return_q1"],
        median=groups["return_median"],
        q3=groups["return_q3"],
        lowerfence=groups["whisker_low"],
        upperfence=groups["whisker_high"],
        marker_color=theme.BLUE,
        line_width=1.5,
        name="Returns",
        showlegend=False,
    )
    return _axes(figure, table.preset, by, "Return (%)", zero=False)


def violin_figure(returns: BarReturns, table: SessionTable, by: Grouping) -> go.Figure:
    """Shape of the returns of one bar, every outlier drawn; at most MAX_POINTS returns a group."""
    figure = theme.new_figure(f"Returns of a {_length(table.bar)} bar {_BY[by]}, with outliers", 400)
    code = returns.weekday if by == "weekday" else returns.session
    known = np.isfinite(returns.return_pct)
    for group, label in enumerate(_labels(table.preset, by)):
        values = thinned(returns.return_pct[known & (code == group)])
        figure.add_violin(
            y=values.astype(np.float32),
            name=label,
            points="outliers",
            line={"color": theme.BLUE, "width": 1.2},
            fillcolor="rgba(86, 180, 233, 0.45)",
            marker={"color": theme.VERMILLION, "size": 3, "opacity": 0.6},
            box_visible=True,
            spanmode="hard",
            scalemode="width",
            showlegend=False,
        )
    return _axes(figure, table.preset, by, "Return (%)", zero=False)


def heatmap_figure(table: SessionTable) -> go.Figure:
    """Volatility of each weekday and session, scaled to one hour."""
    cells = table.group("weekday_session")["volatility_pct"].to_numpy(dtype=float)
    grid = cells.reshape(len(WEEKDAYS), len(HOURS[table.preset]))
    figure = theme.new_figure("Volatility by weekday and session, scaled to 1 hour", 420)
    figure.add_heatmap(
        x=_labels(table.preset, "session"),
        y=list(WEEKDAYS),
        z=grid,
        colorscale="Cividis",
        texttemplate="%{z:.2f}",
        xgap=2,
        ygap=2,
        hoverongaps=False,
        colorbar={"title": {"text": "%", "side": "top"}, "thickness": 12, "outlinewidth": 0},
        hovertemplate="%{y}, %{x}<br>%{z:.3f} %<extra></extra>",
    )
    figure.update_yaxes(autorange="reversed", showgrid=False, ticks="", title_text="Weekday (UTC)")
    figure.update_xaxes(showgrid=False, ticks="", tickangle=0, title_text=_SESSION_AXIS[table.preset])
    return figure


def thinned(values: Floats) -> Floats:
    """At most MAX_POINTS of the values: lowest, highest, and evenly spaced ranks between them."""
    if len(values) <= MAX_POINTS:
        return np.sort(values)
    ranks = np.linspace(0, len(values) - 1, MAX_POINTS).round().astype(np.int64)
    return np.asarray(np.sort(values)[ranks])


def _bars(
    figure: go.Figure,
    preset: Preset,
    by: Grouping,
    values: pd.Series,
    colour: str,
    name: str,
    form: str,
    text: bool = True,
) -> None:
    figure.add_bar(
        x=_labels(preset, by),
        y=values,
        marker_color=colour,
        name=name,
        texttemplate="%{y:" + form + "}" if text else None,
        textposition="inside",
        textangle=0,
        insidetextfont={"color": "#ffffff"},
        hovertemplate="%{x}<br>%{y:" + form + "}<extra></extra>",
    )


def _reference(figure: go.Figure, value: float) -> None:
    """A line for all bars together, named in the legend where it covers nothing."""
    figure.add_scatter(
        x=[0, 1],
        y=[value, value],
        xaxis="x2",
        mode="lines",
        line={"color": theme.VERMILLION, "width": 2, "dash": "dash"},
        name=f"All bars: {_significant(value)}",
        hoverinfo="skip",
    )
    figure.update_layout(xaxis2={"overlaying": "x", "range": [0, 1], "visible": False, "fixedrange": True})


def _axes(figure: go.Figure, preset: Preset, by: Grouping, quantity: str, zero: bool = True) -> go.Figure:
    figure.update_yaxes(title_text=quantity, rangemode="tozero" if zero else "normal")
    figure.update_layout(
        xaxis={
            "title_text": "Weekday (UTC)" if by == "weekday" else _SESSION_AXIS[preset],
            "showgrid": False,
            "tickangle": 0,
        },
        bargap=0.28,
    )
    return figure


def _labels(preset: Preset, by: Grouping) -> list[str]:
    if by == "weekday":
        return list(WEEKDAYS)
    return [f"{name}<br>{hours}" for name, hours in HOURS[preset].items()]


def _summary(table: SessionTable) -> str:
    left_out = []
    if table.outliers:
        left_out.append(f"{table.outliers:,} bars as outliers")
    if table.gap_returns:
        left_out.append(f"{table.gap_returns:,} returns across missing bars")
    return (
        f"{table.bars:,} bars of {_length(table.bar)}, {table.start:%Y-%m-%d %H:%M} to"
        f" {table.end:%Y-%m-%d %H:%M} UTC; left out: {' and '.join(left_out) or 'nothing'}."
        f" Volatility of all bars: {table.volatility_pct('bar'):.3f} % a bar,"
        f" {table.volatility_pct('1h'):.3f} % an hour, {table.volatility_pct('1d'):.2f} % a day."
    )


def _significant(value: float) -> str:
    """Three significant digits, never in powers of ten."""
    if value == 0 or not np.isfinite(value):
        return f"{value:g}"
    return f"{value:,.{max(0, 2 - int(np.floor(np.log10(abs(value)))))}f}"


def _length(bar: pd.Timedelta) -> str:
    minutes = int(bar / pd.Timedelta(minutes=1))
    for length, name in ((1440, "day"), (60, "hour")):
        if minutes % length == 0:
            return f"{minutes // length}-{name}"
    return f"{minutes}-minute"
