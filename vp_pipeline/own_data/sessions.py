"""Sessions of a file: `vp sessions`.

Here belongs showing the table; it is computed in `analytics.sessions`.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from vp_pipeline.analytics.session_hours import HOURS, Preset
from vp_pipeline.analytics.sessions import SessionTable, session_table
from vp_pipeline.own_data.bars import bar_length, named
from vp_pipeline.own_data.candle_file import read_candles
from vp_pipeline.own_data.errors import DataFileError
from vp_pipeline.own_data.output import columns, number, write_page

_NEEDED = ("open_time", "open", "close", "volume")


def make(path: Path, preset: Preset) -> tuple[pd.DataFrame, SessionTable]:
    """The bars of the file, with every column the table reads, and the table.

    Raises:
        DataFileError: the file cannot be used, or its bars are not of one length.
    """
    candles = read_candles(path, _NEEDED, "vp sessions")
    bars = candles.assign(**{name: np.nan for name in ("trades", "taker_buy_volume") if name not in candles})
    bar = bar_length(path, bars)
    early = (bars["open_time"].diff() < bar).to_numpy()
    if early.any():
        at = bars["open_time"].iloc[int(np.argmax(early))]
        raise DataFileError(
            f"{path}: by the median spacing its bars are {named(bar)} ones, but the bar of"
            f" {at:%Y-%m-%d %H:%M:%S} UTC opens sooner after the one before: give bars of one length,"
            " filled in if most are missing"
        )
    return bars, session_table(bars, bar, preset=preset)


def document(table: SessionTable) -> dict[str, object]:
    """For JSON: the rows of the table, and what was counted."""
    return {
        "preset": table.preset,
        "bar_seconds": table.bar.total_seconds(),
        "bars": table.bars,
        "gaps": table.gap_returns,
        "outliers": table.outliers,
        "rows": table.to_frame().to_dict("records"),
    }


def text(path: Path, table: SessionTable) -> str:
    """For the terminal: all bars, weekdays and sessions."""
    head = (
        f"{path}: {table.bars:,} {named(table.bar)} bars (the median spacing of open_time),"
        f" {table.start:%Y-%m-%d %H:%M} to {table.end:%Y-%m-%d %H:%M} UTC\n"
        f"left out: {table.gap_returns:,} returns over missing bars, {table.outliers:,} bars as outliers\n"
        f"sessions: {', '.join(f'{name} {hours}' for name, hours in HOURS[table.preset].items())}"
    )
    return "\n\n".join(
        [head, *(columns(_rows(table, grouping)) for grouping in ("all", "weekday", "session"))]
    )


def write_html(out: Path, path: Path, bars: pd.DataFrame, table: SessionTable) -> None:
    """Write the table's figures as one page."""
    from vp_pipeline.figures.sessions import session_sections

    subtitle = "All times UTC, volatility in percent"
    write_page(out, f"Sessions of {path.name}", subtitle, session_sections(path.name, table, bars))


def _rows(table: SessionTable, grouping: str) -> list[tuple[str, ...]]:
    group = table.group(grouping)
    head = (grouping, "volatility", "scaled to", "bars", "mean volume", "taker share", "volume per trade")
    rows = [
        (
            row["weekday"] or row["session"] or "all",
            _percent(row["volatility_pct"] / 100, 3),
            row["horizon"],
            f"{row['bars']:,}",
            number(row["mean_volume"]),
            _percent(row["taker_share"], 1),
            number(row["volume_per_trade"], 4),
        )
        for row in group.to_dict("records")
    ]
    return [head, *rows]


def _percent(value: float, places: int) -> str:
    return f"{value:.{places}%}" if np.isfinite(value) else "-"
