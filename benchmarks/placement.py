"""How much volume each placement rule puts into the wrong row, against the trades themselves.

    python benchmarks/placement.py TRADES CANDLES [--row SIZE]

Both are CSV files, also gzipped: trades with timestamp (Unix milliseconds), price and amount or volume,
minute candles with open_time_ms (or open_time), high, low, close, volume. Prints a Markdown table of each UTC
day: the share of the volume that would have to move, and by how much POC, VAH and VAL are off.
"""

import argparse
from pathlib import Path

import pandas as pd

from vp_pipeline.analytics.placement_error import placement_errors

DAY = 86_400_000


def read(path: Path) -> pd.DataFrame:
    names = {"amount": "volume", "open_time_ms": "time", "open_time": "time", "timestamp": "time"}
    frame = pd.read_csv(path).rename(columns=names)
    missing = {"time", "volume"} - set(frame)
    if missing:
        raise SystemExit(f"{path}: no column for {', '.join(sorted(missing))}: rename one")
    return frame.assign(day=frame["time"] // DAY)


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
        for placement, misplaced, *errors in found.iloc[:, :5].itertuples(index=False, name=None):
            off_by = " | ".join(f"{error:+,.10g}" for error in errors)
            print(f"| {name} | {placement!s} | {misplaced:.1%} | {off_by} |")


if __name__ == "__main__":
    main()
