"""The report on one symbol's sessions: which figures and tables it has, in which order, and what it says.

Here belong the parts and their words; each figure is drawn in `session_groups`, `session_cells` and
`session_time`, all numbers come from `analytics`.
"""

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from vp_pipeline.analytics.session_report import SessionReport
from vp_pipeline.figures.page import Heading, Section
from vp_pipeline.figures.readable import bar_name
from vp_pipeline.figures.session_axes import GROUPINGS, interval, significant
from vp_pipeline.figures.session_cells import bars_3d_figure, heatmap_figure, intervals_figure
from vp_pipeline.figures.session_groups import (
    MAX_POINTS,
    box_figure,
    is_thinned,
    share_figure,
    violin_figure,
    volatility_figure,
    volume_figure,
    volume_per_trade_figure,
)
from vp_pipeline.figures.session_time import stability_figure, within_hour_figure


def session_sections(symbol: str, report: SessionReport) -> list[Section]:
    """Everything about one symbol, to be put on a page."""
    table = report.table
    sections: list[Section] = [
        Heading(symbol),
        _summary(report),
        tuple(volatility_figure(report, by) for by in GROUPINGS),
        _differences(report),
        heatmap_figure(report),
        bars_3d_figure(report),
        intervals_figure(report),
        tuple(volume_figure(report, by) for by in GROUPINGS),
    ]
    overall = table.group("all").iloc[0]
    if np.isnan(overall["taker_share"]):
        sections.append("Taker share: left out, as these bars come without taker-buy volume.")
    if np.isnan(overall["volume_per_trade"]):
        sections.append("Volume per trade: left out, as these bars come without trade counts.")
    else:
        sections.append(tuple(volume_per_trade_figure(report, by) for by in GROUPINGS))
    sections.append(tuple(box_figure(report, by) for by in GROUPINGS))
    sections.append(tuple(violin_figure(report, by) for by in GROUPINGS))
    if is_thinned(report.returns):
        sections.append(
            f"Violins are drawn from at most {MAX_POINTS:,} returns a group,"
            " evenly spaced in rank with the lowest and highest kept; all other figures use every bar."
        )
    sections += _how_sure(report)
    sections += [Heading(f"{symbol}: all groups"), _numbers(report)]
    return sections


def windows_section(reports: Mapping[str, SessionReport]) -> pd.DataFrame:
    """Volatility of all bars and of each session in several windows, a row a window."""
    rows = []
    for window, report in reports.items():
        sessions = report.group("session")
        rows.append(
            {
                "window": window,
                "from": f"{report.table.start:%Y-%m-%d}",
                "returns": f"{int(report.group('all')['returns'].iloc[0]):,}",
                "1 day, %": significant(report.table.volatility_pct("1d")),
                "1 hour, %": significant(report.table.volatility_pct("1h")),
                **{
                    str(row["session"]): significant(float(row["volatility_pct"]))
                    for row in sessions.to_dict("records")
                },
            }
        )
    return pd.DataFrame(rows)


def _how_sure(report: SessionReport) -> list[Section]:
    full = int(report.rows["full_days"].iloc[0])
    sections: list[Section] = [Heading("How sure")]
    if full:
        sections.append((share_figure(report, "session"), share_figure(report, "quarter")))
        sections.append(
            f"Mean over {full:,} full days of each group's share of the sum of squared returns of the day."
        )
    else:
        sections.append("Share of the day's realized variance: left out, as no day is full.")
    if len(report.minutes) > 1:
        sections.append((volatility_figure(report, "quarter"), within_hour_figure(report)))
    if int(report.rows["rolling_days"].iloc[0]):
        sections.append(tuple(stability_figure(report, by) for by in GROUPINGS))
    else:
        sections.append("Rolling windows: left out, as they need two weeks of bars.")
    sections.append(
        f"Intervals hold {report.level:.0%} of the resamples of whole days, drawn within their weekday."
        " They know the days there were and no others, and as volatile days come in runs they are rather too"
        " narrow. A group differs if its absolute returns, each day's measured against the week around it,"
        " differ from those of all other bars, after Holm's correction for the number of groups compared."
    )
    return sections


def _differences(report: SessionReport) -> str:
    """Which weekdays and sessions differ, in words."""
    said = []
    for by in GROUPINGS:
        groups = report.group(by)
        found = groups[groups["differs"]]
        names = [f"{row[by]} ({row['usual_ratio']:.2f} times the rest)" for row in found.to_dict("records")]
        said.append(f"{by.capitalize()}s that differ from the rest: {', '.join(names) or 'none found'}.")
    cells = int(report.group("weekday_session")["differs"].sum())
    return f"{' '.join(said)} Of the 42 cells below, {cells} differ."


def _numbers(report: SessionReport) -> pd.DataFrame:
    """All groups with sample sizes, intervals and tests, as text."""
    return pd.DataFrame([_line(row) for row in report.rows.to_dict("records")])


def _line(row: Mapping[Hashable, Any]) -> dict[str, str]:
    minute = f":{row['minute']}" if row["minute"] else ""
    return {
        "group": " ".join(filter(None, (row["weekday"], row["session"], minute))) or "all",
        "horizon": row["horizon"],
        "returns": f"{row['returns']:,}",
        "days": f"{row['days']:,}",
        "volatility, %": significant(row["volatility_pct"]),
        "interval": interval(row["volatility_low"], row["volatility_high"]),
        "relative to the rest": interval(row["relative_low"], row["relative_high"]),
        "p, corrected": f"{row['p_adjusted']:.3f}" if np.isfinite(row["p_adjusted"]) else "-",
        "mean volume": significant(row["mean_volume"]),
        "taker share": _percent(row["taker_share"]),
        "volume per trade": significant(row["volume_per_trade"]),
        "share of variance": _percent(row["variance_share"]),
        "rolling range": interval(row["rolling_low"], row["rolling_high"]),
    }


def _summary(report: SessionReport) -> str:
    table = report.table
    left_out = []
    if table.outliers:
        left_out.append(f"{table.outliers:,} bars as outliers")
    if table.gap_returns:
        left_out.append(f"{table.gap_returns:,} returns across missing bars")
    if table.filled:
        left_out.append(f"the returns from and to {table.filled:,} bars without a trade")
    return (
        f"{table.bars:,} bars of {bar_name(table.bar)}, {table.start:%Y-%m-%d %H:%M} to"
        f" {table.end:%Y-%m-%d %H:%M} UTC; left out: {' and '.join(left_out) or 'nothing'}."
        f" Volatility of all bars: {table.volatility_pct('bar'):.3f} % a bar,"
        f" {table.volatility_pct('1h'):.3f} % an hour, {table.volatility_pct('1d'):.2f} % a day."
    )


def _percent(share: float) -> str:
    return f"{share:.1%}" if np.isfinite(share) else "-"
