"""Months of minute candles from the same sandbox: ours against `freqtrade download-data`.

Every answer of the sandbox comes a tenth of a second late. Binance's candles come from its archive, Bybit's
by pages of its REST API, both for us and for freqtrade. Each load starts from nothing and is timed as a whole
process, from its start to its exit. freqtrade writes a Feather file; ours compares with what is stored,
writes to PostgreSQL and records every minute in the ledger, checksums of the archive included. The archive's
files are made before the clock starts. The platform gives each month a Dagster run of its own, some seconds
each, which are not counted here. Processes take turns, medians count, and all must bring as many
candles.

The limit is the same pages or months' files over plain sockets, 16 at once; what Bybit's own limit of
requests allows is slower, and both keep to it. Many exchanges at once are in `history_venues`.

Run it with `python benchmarks/history_peer.py [--archive-months N] [--rest-months N] [--runs N]`.
"""

import argparse
import statistics

import peers
import sockets
from claims import Ratio, tell
from history_cost import FIRST, months_from
from history_sides import GOAL, LATENCY_SECONDS, Freqtrade, Ours, both_sides, files

from vp_pipeline.windows import MINUTE, Window, to_ms

PAGE = 1000
SOURCES = {"binance": "the archive", "bybit": "pages of REST"}


def urls(address: str, exchange: str, window: Window) -> list[str]:
    """The fewest requests that bring all candles of the window."""
    if exchange == "bybit":
        page = f"{address}/bybit/v5/market/kline?symbol=BTCUSDT&interval=1&category=spot&limit={PAGE}"
        return [
            f"{page}&start={to_ms(part.start)}&end={to_ms(part.end - MINUTE)}"
            for part in window.split(PAGE * MINUTE)
        ]
    return [f"{address}/binance_archive/{file.path}" for file in files(window)]


def compare(ours: Ours, theirs: Freqtrade, address: str, exchange: str, window: Window, runs: int) -> str:
    """A row of the table, and what the report is told."""
    mine, others = [], []
    for number in range(runs):
        mine.append(ours.load([exchange], window, number))
        others.append(theirs.load(exchange, window, number))
    counts = {load.rows for load in (*mine, *others)}
    if len(counts) != 1:
        raise SystemExit(f"{exchange}: not the same candles: {sorted(counts)}")
    months = len(files(window))
    what = f"{months} month{'s'[: months > 1]} of {exchange} from {SOURCES[exchange]}"
    both = [
        Ratio(
            what if name == "seconds" else f"{what}: peak memory",
            "freqtrade download-data",
            statistics.median(getattr(load, name) for load in mine),
            statistics.median(getattr(load, name) for load in others),
            unit="s" if name == "seconds" else "B",
            goal=GOAL if name == "seconds" else None,
        )
        for name in ("seconds", "memory")
    ]
    cells = []
    for one in both:
        tell(one)
        cells.append(one.cells)
    own = both[0].ours
    limit = statistics.median(sockets.seconds(urls(address, exchange, window)) for _ in range(runs))
    tell(Ratio(what, "its requests by plain sockets", own, limit, kind="limit"))
    return f"| {what} | {counts.pop():,} | {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--archive-months", type=int, default=12)
    parser.add_argument("--rest-months", type=int, default=1)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    lengths = {"binance": options.archive_months, "bybit": options.rest_months}
    windows = {name: Window(FIRST, months_from(FIRST, months)[-1].end) for name, months in lengths.items()}
    try:
        with both_sides(max(windows.values(), key=lambda window: window.end)) as (ours, theirs, address):
            rows = [
                compare(ours, theirs, address, name, window, options.runs) for name, window in windows.items()
            ]
    except peers.PeerMissingError as error:
        print(f"Not measured: {error}")
        return
    print(f"Answers {LATENCY_SECONDS * 1000:.0f} ms late, medians of {options.runs} runs.\n")
    print("| history | candles | ours | freqtrade | ratio | peak memory, ours | freqtrade | ratio |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|")
    print("\n".join(rows))


if __name__ == "__main__":
    main()
