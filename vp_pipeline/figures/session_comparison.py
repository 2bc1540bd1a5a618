"""The report that compares symbols over the bars they have in common.

Here belong its figures and words; which bars are common is found in `analytics.common_bars`.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from vp_pipeline.analytics.common_bars import CommonBars
from vp_pipeline.analytics.session_report import SessionReport
from vp_pipeline.figures import theme
from vp_pipeline.figures.page import Heading, Section
from vp_pipeline.figures.readable import bar_name
from vp_pipeline.figures.session_axes import (
    BY,
    GROUPINGS,
    HORIZONS,
    Grouping,
    interval,
    labels,
    name_axes,
    significant,
)

_COLOURS = (theme.BLUE, theme.ORANGE, theme.GREEN, theme.PURPLE, theme.SKY, theme.VERMILLION, theme.GREY)
_MOST = 40
"""Stretches of missing bars shown: the longest."""

Reports = Mapping[str, SessionReport]


def comparison_sections(window: str, common: CommonBars, reports: Reports) -> list[Section]:
    """One window's comparison; `reports` are of the common bars, by symbol."""
    first = next(iter(reports.values()))
    bar = bar_name(first.table.bar)
    return [
        Heading(f"{len(reports)} symbols, window {window}"),
        f"Compared are {common.bars:,} bars of {bar} that all symbols have,"
        f" {first.table.start:%Y-%m-%d %H:%M} to {first.table.end:%Y-%m-%d %H:%M} UTC. {_left_out(common)}",
        _table(reports),
        tuple(compared_figure(reports, by) for by in GROUPINGS),
        relative_figure(reports),
        tuple(shares_figure(reports, by) for by in ("session",)),
        Heading("Bars that not all symbols have"),
        *_missing(common),
    ]


def compared_figure(reports: Reports, by: Grouping) -> go.Figure:
    """Volatility of each group, a bar a symbol, with intervals."""
    horizon = "1 day" if HORIZONS[by] == "1d" else "1 hour"
    figure = theme.new_figure(f"Volatility {BY[by]}, common bars, scaled to {horizon}", 400)
    preset = next(iter(reports.values())).table.preset
    for place, (symbol, report) in enumerate(reports.items()):
        groups = report.group(by)
        value = groups["volatility_pct"]
        figure.add_bar(
            x=labels(preset, by),
            y=value,
            error_y={
                "array": (groups["volatility_high"] - value).clip(lower=0),
                "arrayminus": (value - groups["volatility_low"]).clip(lower=0),
                "thickness": 1,
                "width": 2,
                "color": theme.GREY,
            },
            marker_color=_COLOURS[place % len(_COLOURS)],
            name=symbol,
            hovertemplate=f"{symbol}, %{{x}}<br>%{{y:.3f}} %<extra></extra>",
        )
    return name_axes(figure, preset, by, "Volatility (% of price)")


def relative_figure(reports: Reports) -> go.Figure:
    """Which sessions are the wild ones of each symbol: volatility over that of the symbol's other bars."""
    preset = next(iter(reports.values())).table.preset
    grid = np.array(
        [report.group("session")["relative"].to_numpy(dtype=float) for report in reports.values()]
    )
    figure = theme.new_figure(
        "Volatility of each session relative to the symbol's other bars", 160 + 40 * len(reports)
    )
    figure.add_heatmap(
        x=labels(preset, "session"),
        y=list(reports),
        z=grid,
        zmid=1,
        colorscale=[[0, theme.BLUE], [0.5, "#f2f2f2"], [1, theme.VERMILLION]],
        texttemplate="%{z:.2f}",
        textfont={"color": "#111111"},
        xgap=2,
        ygap=2,
        hoverongaps=False,
        colorbar={"thickness": 12, "outlinewidth": 0},
        hovertemplate="%{y}, %{x}<br>%{z:.3f}<extra></extra>",
    )
    figure.update_yaxes(autorange="reversed", showgrid=False, ticks="", title_text="Symbol")
    return name_axes(figure, preset, "session", "Symbol").update_yaxes(rangemode="normal")


def shares_figure(reports: Reports, by: Grouping) -> go.Figure:
    """Each symbol's realized variance of the day, by the share of each session."""
    preset = next(iter(reports.values())).table.preset
    figure = theme.new_figure(f"Share of the day's realized variance {BY[by]}", 180 + 44 * len(reports))
    for place, name in enumerate(labels(preset, by)):
        values = [report.group(by)["daily_share"].iloc[place] for report in reports.values()]
        figure.add_bar(
            y=list(reports),
            x=values,
            orientation="h",
            marker_color=_COLOURS[place % len(_COLOURS)],
            name=name.replace("<br>", " "),
            texttemplate="%{x:.0%}",
            textposition="inside",
            insidetextfont={"color": "#ffffff"},
            hovertemplate=f"%{{y}}, {name}<br>%{{x:.1%}}<extra></extra>",
        )
    figure.update_layout(barmode="stack")
    figure.update_xaxes(title_text="Share of the day (%)", tickformat=".0%", range=[0, 1])
    figure.update_yaxes(autorange="reversed", title_text="Symbol")
    return figure


def _table(reports: Reports) -> pd.DataFrame:
    rows = []
    for symbol, report in reports.items():
        of_bar, of_hour, of_day = report.group("all").to_dict("records")
        differs = report.group("session").query("differs")["session"].tolist()
        rows.append(
            {
                "symbol": symbol,
                "returns": f"{of_bar['returns']:,}",
                "bar, %": significant(of_bar["volatility_pct"]),
                "1 hour, %": significant(of_hour["volatility_pct"]),
                "1 day, %": significant(of_day["volatility_pct"]),
                "interval of 1 day": interval(of_day["volatility_low"], of_day["volatility_high"]),
                "sessions that differ": ", ".join(differs) or "none found",
            }
        )
    return pd.DataFrame(rows)


def _left_out(common: CommonBars) -> str:
    said = [
        f"{row['symbol']} has {row['not_in_all']:,} more"
        for row in common.counts.to_dict("records")
        if row["not_in_all"]
    ]
    unequal = f" {common.unequal:,} common bars have a return in some symbols only and are left out."
    return f"Left out: {', '.join(said) or 'nothing'}.{unequal if common.unequal else ''}"


def _missing(common: CommonBars) -> list[Section]:
    counts = common.counts.assign(
        first=common.counts["first"].dt.strftime("%Y-%m-%d %H:%M"),
        last=common.counts["last"].dt.strftime("%Y-%m-%d %H:%M"),
    ).rename(columns={"not_in_all": "not in all", "lacks": "lacks of all symbols' bars"})
    sections: list[Section] = [counts]
    if len(common.lacking):
        longest = common.lacking.nlargest(_MOST, "bars").sort_values(["symbol", "first"])
        sections.append(
            longest.assign(
                first=longest["first"].dt.strftime("%Y-%m-%d %H:%M"),
                last=longest["last"].dt.strftime("%Y-%m-%d %H:%M"),
            ).rename(columns={"symbol": "missing in"})
        )
        if len(common.lacking) > _MOST:
            sections.append(f"The longest {_MOST} of {len(common.lacking):,} stretches.")
    else:
        sections.append("Every symbol has every bar.")
    return sections
