"""Sessions of a file by the second document's own recipe: `vp sessions --recipe document`.

Here belongs showing it; the recipe is in `analytics.published_sessions`.
"""

from pathlib import Path

import pandas as pd

from vp_pipeline.analytics.published_sessions import published_sessions
from vp_pipeline.own_data.candle_file import read_candles
from vp_pipeline.own_data.output import columns, number

_NEEDED = ("open_time", "open", "close", "volume")


def make(path: Path, first_weekday: int) -> pd.DataFrame:
    """The published table of the file's bars.

    Raises:
        DataFileError: the file cannot be used.
    """
    return published_sessions(read_candles(path, _NEEDED, "vp sessions"), first_weekday)


def document(table: pd.DataFrame) -> dict[str, object]:
    """For JSON."""
    return {"recipe": "document", "rows": table.to_dict("records")}


def text(path: Path, table: pd.DataFrame) -> str:
    """For the terminal."""
    head = (
        f"{path}: {table['bars'].iloc[0]:,} bars, by the published recipe, which is kept for comparison:\n"
        "weekdays by the number of the row, hours and days as if every bar had 15 minutes"
    )
    titles = ("", "volatility", "scaled to", "bars", "mean volume", "taker share", "volume per trade")
    rows = [
        (
            row["name"],
            f"{number(row['volatility_pct'])}%",
            row["horizon"],
            f"{row['bars']:,}",
            number(row["mean_volume"]),
            number(row["taker_share"], 3),
            number(row["volume_per_trade"], 4),
        )
        for row in table.to_dict("records")
    ]
    return f"{head}\n\n{columns([titles, *rows])}"
