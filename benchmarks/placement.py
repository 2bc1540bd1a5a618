"""How much volume each placement rule puts into the wrong row, against the trades themselves.

    python benchmarks/placement.py TRADES CANDLES [--row SIZE]

Both are CSV files, also gzipped: trades with timestamp (Unix milliseconds), price and amount or volume,
minute candles with open_time_ms (or open_time), high, low, close, volume. Prints a Markdown table of each UTC
day: the share of the volume that would have to move, and by how much POC, VAH and VAL are off. Both profiles
are taken as shares of their own total, so that trades which the candles lack count as differently placed
volume only.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from vp_pipeline.analytics.price_rows import CANDLE_RULES, PriceRows, volume_by_price
from vp_pipeline.analytics.value_area import value_area

DAY = 86_400_000
COLUMNS = ("placement", "misplaced", "poc_error", "vah_error", "val_error")


def read(path: Path) -> pd.DataFrame:
    names = {"amount": "volume", "open_time_ms": "time", "open_time": "time", "timestamp": "time"}
    frame = pd.read_csv(path).rename(columns=names)
    missing = {"time", "volume"} - set(frame)
    if missing:
        raise SystemExit(f"{path}: no column for {', '.join(sorted(missing))}: rename one")
    return frame.assign(day=frame["time"] // DAY)


def misplaced_share(rows: PriceRows, truth: PriceRows) -> float:
    """The part of the volume that would have to move to another row, 0 to 1."""
    if rows.total <= 0 or truth.total <= 0:
        raise SystemExit("a profile without volume cannot be compared: give candles and trades with volume")
    first = min(rows.first_row, truth.first_row)
    end = max(part.first_row + len(part.volume) for part in (rows, truth))
    ours, theirs = (part.between(first, end - first).volume / part.total for part in (rows, truth))
    return float(np.abs(ours - theirs).sum()) / 2


def placement_errors(candles: pd.DataFrame, trades: pd.DataFrame, row_size: float) -> pd.DataFrame:
    """COLUMNS of each rule, last of the trades; errors are level less level of the trades."""
    truth = volume_by_price(trades, row_size, "trades")
    true = value_area(truth)
    lines = []
    profiles = [(name, volume_by_price(candles, row_size, name)) for name in CANDLE_RULES]
    for name, rows in [*profiles, ("trades", truth)]:
        area = value_area(rows)
        errors = (area.poc - true.poc, area.vah - true.vah, area.val - true.val)
        lines.append((name, misplaced_share(rows, truth), *errors))
    return pd.DataFrame(lines, columns=list(COLUMNS))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("trades", type=Path)
    parser.add_argument("candles", type=Path)
    parser.add_argument("--row", type=float, default=10.0, help="row size (default 10)")
    options = parser.parse_args()
    trades, candles = read(options.trades), read(options.candles)
    print("| day | placement | misplaced | POC off by | VAH off by | VAL off by |")
    print("|---|---|---:|---:|---:|---:|")
    days: list[int] = sorted(set(trades["day"].tolist()))
    for day in days:
        of_day = trades[trades["day"] == day]
        name = pd.Timestamp(day * DAY, unit="ms").strftime("%Y-%m-%d")
        found = placement_errors(candles[candles["day"] == day], of_day, options.row)
        for placement, misplaced, *errors in found.itertuples(index=False, name=None):
            off_by = " | ".join(f"{error:+,.10g}" for error in errors)
            print(f"| {name} | {placement!s} | {misplaced:.1%} | {off_by} |")


if __name__ == "__main__":
    main()
