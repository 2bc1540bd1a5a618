"""Sessions of a file: `vp sessions`.

Here belongs showing the report; it is computed in `analytics.session_report`.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from vp_pipeline.analytics.bar_returns import WEEKDAYS, BarReturns, returns_pct
from vp_pipeline.analytics.session_hours import HOURS, Preset
from vp_pipeline.analytics.session_report import SessionReport, session_report
from vp_pipeline.figures.readable import bar_name
from vp_pipeline.own_data.bars import bar_length
from vp_pipeline.own_data.candle_file import read_candles
from vp_pipeline.own_data.errors import DataFileError
from vp_pipeline.own_data.output import columns, number, write_page, write_text

_NEEDED = ("open_time", "open", "close", "volume")


def make(path: Path, preset: Preset) -> SessionReport:
    """Everything about the sessions of the file's bars.

    Raises:
        DataFileError: as for `read`.
    """
    return session_report(read(path, preset))


def read(path: Path, preset: Preset) -> BarReturns:
    """The file's bars with their returns and sessions.

    Raises:
        DataFileError: the file cannot be used, or its bars are not of one length.
    """
    bars = read_candles(path, _NEEDED, "vp sessions")
    bar = bar_length(path, bars)
    early = (bars["open_time"].diff() < bar).to_numpy()
    if early.any():
        at = bars["open_time"].iloc[int(np.argmax(early))]
        raise DataFileError(
            f"{path}: by the median spacing its bars are {bar_name(bar)} ones, but the bar of"
            f" {at:%Y-%m-%d %H:%M:%S} UTC opens sooner after the one before: give bars of one length,"
            " filled in if most are missing"
        )
    return returns_pct(bars, bar, preset=preset)


def document(report: SessionReport) -> dict[str, object]:
    """For JSON: the rows of all groups, the pattern within the hour, and what was counted."""
    table = report.table
    return {
        "preset": table.preset,
        "bar_seconds": table.bar.total_seconds(),
        "bars": table.bars,
        "gaps": table.gap_returns,
        "filled": table.filled,
        "outliers": table.outliers,
        "level": report.level,
        "rows": report.rows.to_dict("records"),
        "minutes": report.minutes.to_dict("records"),
    }


def text(path: Path, report: SessionReport) -> str:
    """For the terminal: all bars, weekdays, sessions and quarters of the hour."""
    table = report.table
    head = (
        f"{path}: {table.bars:,} {bar_name(table.bar)} bars (the median spacing of open_time),"
        f" {table.start:%Y-%m-%d %H:%M} to {table.end:%Y-%m-%d %H:%M} UTC\n"
        f"left out: {table.gap_returns:,} returns over missing bars, those from and to {table.filled:,} bars"
        f" without a trade, {table.outliers:,} bars as outliers\n"
        f"sessions: {', '.join(f'{name} {hours}' for name, hours in HOURS[table.preset].items())}\n"
        f"intervals of {report.level:.0%} by resampling days; * differs from the rest (Holm)"
    )
    parts = [columns(_rows(report, grouping)) for grouping in ("all", "weekday", "session", "quarter")]
    cells = report.group("weekday_session")
    found = [f"{row['weekday']} {row['session']}" for row in cells.to_dict("records") if row["differs"]]
    said = f"of {len(cells)} cells of weekday and session differ: {', '.join(found) or 'none'}"
    return "\n\n".join([head, *parts, said])


def write_bars(out: Path, returns: BarReturns) -> None:
    """Write one line a bar: open_time, return_pct, weekday, session, and why a return is left out.

    Raises:
        click.ClickException: the file cannot be written.
    """
    why = np.select(
        [returns.outlier, returns.gap, returns.filled, np.isnan(returns.return_pct)],
        ["outlier", "after missing bars", "no trade", "after a bar without a trade"],
        default="",
    )
    frame = pd.DataFrame(
        {
            "open_time": returns.open_time.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "return_pct": returns.return_pct,
            "weekday": np.array(WEEKDAYS)[returns.weekday],
            "session": np.array(list(HOURS[returns.preset]))[returns.session],
            "left_out": why,
        }
    )
    write_text(out, frame.to_csv(index=False))


def write_html(out: Path, path: Path, report: SessionReport) -> None:
    """Write the report's figures as one page."""
    from vp_pipeline.figures.sessions import session_sections

    subtitle = "All times UTC, volatility in percent"
    write_page(out, f"Sessions of {path.name}", subtitle, session_sections(path.name, report))


def _rows(report: SessionReport, grouping: str) -> list[tuple[str, ...]]:
    head = (
        grouping,
        "volatility",
        "interval",
        "",
        "scaled to",
        "bars",
        "days",
        "share of variance",
        "mean volume",
        "taker share",
        "volume per trade",
    )
    rows = [
        (
            row["weekday"] or row["session"] or (row["minute"] and f":{row['minute']}") or "all",
            _percent(row["volatility_pct"] / 100, 3),
            _interval(row["volatility_low"], row["volatility_high"]),
            "*" if row["differs"] else "",
            row["horizon"],
            f"{row['bars']:,}",
            f"{row['days']:,}",
            _percent(row["variance_share"], 1),
            number(row["mean_volume"]),
            _percent(row["taker_share"], 1),
            number(row["volume_per_trade"], 4),
        )
        for row in report.group(grouping).to_dict("records")
    ]
    return [head, *rows]


def _interval(low: float, high: float) -> str:
    return f"{low:.3f} to {high:.3f}" if np.isfinite(low) else "-"


def _percent(value: float, places: int) -> str:
    return f"{value:.{places}%}" if np.isfinite(value) else "-"
