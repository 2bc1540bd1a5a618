"""Charts of sessions over time: within the hour, and in rolling windows.

Here belong the charts whose axis is time; the numbers come from `analytics.within_hour` and
`analytics.session_stability`.
"""

import plotly.graph_objects as go

from vp_pipeline.analytics.session_report import SessionReport
from vp_pipeline.analytics.session_stability import rolling_relative
from vp_pipeline.analytics.session_sums import GROUPINGS
from vp_pipeline.figures import theme
from vp_pipeline.figures.readable import bar_name
from vp_pipeline.figures.session_axes import BY, HEIGHT, Grouping

_COLOURS = (
    theme.BLUE,
    theme.ORANGE,
    theme.GREEN,
    theme.PURPLE,
    theme.SKY,
    theme.VERMILLION,
    theme.GREY,
)
_MOST = 400
"""Points a line is drawn from."""


def within_hour_figure(report: SessionReport) -> go.Figure:
    """Volatility of the bars that open at each minute, against that of all bars; whole quarters stand out."""
    minutes = report.minutes
    figure = theme.new_figure(
        f"Volatility of a {bar_name(report.table.bar)} bar by minute of the hour", HEIGHT
    )
    quarter = minutes["minute"] % 15 == 0
    for part, colour, name in (
        (minutes[quarter], theme.BLUE, "Opens at :00, :15, :30 or :45"),
        (minutes[~quarter], theme.SKY, "Other minutes"),
    ):
        if len(part):
            figure.add_bar(
                x=part["minute"],
                y=part["volatility_pct"],
                marker_color=colour,
                name=name,
                customdata=part[["relative", "mean_volume", "returns"]],
                hovertemplate="Minute %{x}<br>%{y:.4f} %, %{customdata[0]:.2f} of all bars"
                "<br>mean volume %{customdata[1]:.4s}<br>%{customdata[2]:,} returns<extra></extra>",
            )
    of_all = report.table.volatility_pct("bar")
    figure.add_hline(y=of_all, line={"color": theme.VERMILLION, "width": 2, "dash": "dash"})
    figure.update_yaxes(title_text="Volatility (% of price)", rangemode="tozero")
    figure.update_xaxes(title_text="Minute at which the bar opens; dashed: all bars", dtick=5)
    return figure


def stability_figure(report: SessionReport, by: Grouping) -> go.Figure:
    """Relative volatility of each group in windows that move on day by day."""
    days = int(report.rows["rolling_days"].iloc[0])
    values = rolling_relative(report.table.sums, days).iloc[:, GROUPINGS[by]]
    values = values.iloc[:: max(1, -(-len(values) // _MOST))]
    figure = theme.new_figure(f"Volatility {BY[by]} relative to all bars, rolling {days} days", HEIGHT + 40)
    names = report.group(by)[by]
    for place, name in enumerate(names):
        figure.add_scatter(
            x=values.index,
            y=values.iloc[:, place].astype("float32"),
            mode="lines",
            line={"color": _COLOURS[place], "width": 1.8},
            name=name,
            hovertemplate=f"{name}<br>%{{x|%Y-%m-%d}}<br>%{{y:.2f}}<extra></extra>",
        )
    figure.add_hline(y=1, line={"color": theme.GREY, "width": 1.5, "dash": "dash"})
    figure.update_yaxes(title_text="Relative to all bars (1 = the same)")
    figure.update_xaxes(title_text="Last day of the window (UTC)")
    return figure
