"""Charts of the groups by weekday, session or quarter of the hour.

Here belong the charts with one bar, box or violin a group; those of weekday x session are in `session_cells`.
The numbers come from `analytics.session_report`.
"""

import numpy as np
import plotly.graph_objects as go

from vp_pipeline.analytics.bar_returns import BarReturns
from vp_pipeline.analytics.price_rows import Floats
from vp_pipeline.analytics.session_report import SessionReport
from vp_pipeline.figures import theme
from vp_pipeline.figures.readable import bar_name
from vp_pipeline.figures.session_axes import (
    BY,
    HEIGHT,
    HORIZONS,
    Grouping,
    add_bars,
    add_reference,
    labels,
    name_axes,
)

MAX_POINTS = 2_000
"""Returns a violin is drawn from: the extremes and evenly spaced order statistics between them."""

_HORIZON_NAMES = {"1d": "1 day", "1h": "1 hour"}


def volatility_figure(report: SessionReport, by: Grouping) -> go.Figure:
    """Volatility of each group, scaled to a day (weekdays) or an hour, its interval, and all bars."""
    horizon, groups = HORIZONS[by], report.group(by)
    figure = theme.new_figure(f"Volatility {BY[by]}, scaled to {_HORIZON_NAMES[horizon]}", HEIGHT)
    add_bars(
        figure,
        labels(report.table.preset, by),
        groups["volatility_pct"],
        theme.BLUE,
        f"Volatility, {report.level:.0%} interval",
        ".2f",
        interval=(groups["volatility_low"], groups["volatility_high"]),
    )
    add_reference(figure, report.table.volatility_pct(horizon))
    return name_axes(figure, report.table.preset, by, "Volatility (% of price)")


def volume_figure(report: SessionReport, by: Grouping) -> go.Figure:
    """Mean volume of a bar in each group; where known, the part bought by takers with its share."""
    groups, names = report.group(by), labels(report.table.preset, by)
    figure = theme.new_figure(f"Mean volume of a {bar_name(report.table.bar)} bar {BY[by]}", HEIGHT)
    interval = (groups["mean_volume_low"], groups["mean_volume_high"])
    add_bars(figure, names, groups["mean_volume"], theme.SKY, "Volume", ".4s", text=False, interval=interval)
    if groups["taker_share"].notna().any():
        figure.add_bar(
            x=names,
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
    add_reference(figure, float(report.group("all")["mean_volume"].iloc[0]))
    return name_axes(figure, report.table.preset, by, "Volume (base units)")


def volume_per_trade_figure(report: SessionReport, by: Grouping) -> go.Figure:
    """Volume of a group divided by its number of trades, with that of all bars."""
    groups = report.group(by)
    figure = theme.new_figure(f"Volume per trade {BY[by]}", HEIGHT)
    add_bars(
        figure,
        labels(report.table.preset, by),
        groups["volume_per_trade"],
        theme.BLUE,
        "Volume per trade",
        ".3s",
        interval=(groups["volume_per_trade_low"], groups["volume_per_trade_high"]),
    )
    add_reference(figure, float(report.group("all")["volume_per_trade"].iloc[0]))
    return name_axes(figure, report.table.preset, by, "Volume per trade (base units)")


def share_figure(report: SessionReport, by: Grouping) -> go.Figure:
    """Each group's share of the day's realized variance, with the share of the bars that it has."""
    groups, names = report.group(by), labels(report.table.preset, by)
    figure = theme.new_figure(f"Share of the day's realized variance {BY[by]}", HEIGHT)
    add_bars(
        figure,
        names,
        groups["daily_share"],
        theme.BLUE,
        f"Share of the variance, {report.level:.0%} interval",
        ".1%",
        interval=(groups["daily_share_low"], groups["daily_share_high"]),
    )
    figure.add_scatter(
        x=names,
        y=groups["returns"] / groups["returns"].sum(),
        mode="markers",
        marker={"symbol": "line-ew-open", "size": 30, "line": {"width": 3}, "color": theme.VERMILLION},
        name="Share of the returns",
        hovertemplate="%{x}<br>%{y:.1%} of the returns<extra></extra>",
    )
    figure.update_yaxes(tickformat=".0%")
    return name_axes(figure, report.table.preset, by, "Share (%), adds up to 100 %")


def box_figure(report: SessionReport, by: Grouping) -> go.Figure:
    """Quartiles and whiskers of the returns of one bar, without the returns beyond them."""
    groups = report.group(by)
    figure = theme.new_figure(
        f"Returns of a {bar_name(report.table.bar)} bar {BY[by]}, without outliers", HEIGHT
    )
    figure.add_box(
        x=labels(report.table.preset, by),
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
    return name_axes(figure, report.table.preset, by, "Return (%)", zero=False)


def violin_figure(report: SessionReport, by: Grouping) -> go.Figure:
    """Shape of the returns of one bar, every outlier drawn; at most MAX_POINTS returns a group."""
    returns, table = report.returns, report.table
    figure = theme.new_figure(f"Returns of a {bar_name(table.bar)} bar {BY[by]}, with outliers", 400)
    code = returns.weekday if by == "weekday" else returns.session
    known = np.isfinite(returns.return_pct)
    for group, label in enumerate(labels(table.preset, by)):
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
    return name_axes(figure, table.preset, by, "Return (%)", zero=False)


def is_thinned(returns: BarReturns) -> bool:
    """Whether a violin leaves returns out."""
    return int(np.bincount(returns.session[np.isfinite(returns.return_pct)]).max(initial=0)) > MAX_POINTS


def thinned(values: Floats) -> Floats:
    """At most MAX_POINTS of the values: lowest, highest, and evenly spaced ranks between them."""
    if len(values) <= MAX_POINTS:
        return np.sort(values)
    ranks = np.linspace(0, len(values) - 1, MAX_POINTS).round().astype(np.int64)
    return np.asarray(np.sort(values)[ranks])
