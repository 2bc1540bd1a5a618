"""Volume by price, spread evenly from low to high: ours against a Python loop and one pass over memory.

    python benchmarks/histogram.py [--candles N] [--loop N] [--repeat N]

Prints a Markdown table by row size: nanoseconds a candle, ratios of this run, and the largest difference to
the loop as a share of the largest row. `loop` adds to a dictionary what each candle overlaps of each row.
`one pass` reads low, high and volume once and writes low + high * volume.
"""

import argparse
import math
import statistics
import time
from collections.abc import Callable

import numpy as np
from claims import Ratio, tell

from vp_pipeline.analytics.placement import Floats, uniform

ROW_SIZES = (1.0, 10.0, 100.0)
GOAL, GOAL_PASSES = 70.0, 5.0


def candles(n: int) -> tuple[Floats, Floats, Floats]:
    rng = np.random.default_rng(n)
    low = 30_000 * np.exp(rng.normal(0, 0.0003, n).cumsum())
    return low, low + rng.exponential(20, n), rng.exponential(5, n)


def loop(low: list[float], high: list[float], volume: list[float], row_size: float) -> dict[int, float]:
    rows: dict[int, float] = {}
    for bottom, top, amount in zip(low, high, volume, strict=True):
        for row in range(math.floor(bottom / row_size), math.ceil(top / row_size)):
            overlap = min(top, (row + 1) * row_size) - max(bottom, row * row_size)
            rows[row] = rows.get(row, 0.0) + amount * overlap / (top - bottom)
    return rows


def one_pass(low: Floats, high: Floats, volume: Floats, out: Floats) -> None:
    # In blocks, as more than one operation on whole arrays would be more than one pass.
    for start in range(0, len(low), 16_384):
        block = slice(start, start + 16_384)
        np.multiply(high[block], volume[block], out=out[block])
        np.add(out[block], low[block], out=out[block])


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def line(row_size: float, n: int, of_loop: int, repeat: int) -> str:
    low, high, volume = candles(n)
    few = (low[:of_loop].tolist(), high[:of_loop].tolist(), volume[:of_loop].tolist())
    out = np.empty(n)
    times = [
        (
            seconds(lambda: uniform(low, high, volume, row_size)) / n,
            seconds(lambda: loop(*few, row_size)) / of_loop,
            seconds(lambda: one_pass(low, high, volume, out)) / n,
        )
        for _ in range(repeat)
    ]
    own, by_loop, passing = (statistics.median(column) * 1e9 for column in zip(*times, strict=True))
    first, rows = uniform(low[:of_loop], high[:of_loop], volume[:of_loop], row_size)
    expected = np.zeros(len(rows))
    for row, amount in loop(*few, row_size).items():
        expected[row - first] = amount
    difference = np.abs(rows - expected).max() / expected.max()
    what = f"volume by price of {n:,} candles, rows of {row_size:g}"
    tell(
        Ratio(what, "a Python loop", own * n / 1e9, by_loop * n / 1e9, goal=GOAL),
        Ratio(what, "one pass over memory", own * n / 1e9, passing * n / 1e9, kind="limit", goal=GOAL_PASSES),
    )
    return (
        f"| {row_size:g} | {own:.1f} | {by_loop:.0f} | {by_loop / own:.0f} | {passing:.1f} |"
        f" {own / passing:.1f} | {difference:.0e} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--candles", type=int, default=1_000_000)
    parser.add_argument("--loop", type=int, default=50_000, help="candles of the loop")
    parser.add_argument("--repeat", type=int, default=5, help="times of each, of which the median counts")
    options = parser.parse_args()
    print("| row size | ours, ns | loop, ns | ratio | one pass, ns | ours / pass | difference |")
    print("|---:|---:|---:|---:|---:|---:|---:|")
    for row_size in ROW_SIZES:
        print(line(row_size, options.candles, options.loop, options.repeat), flush=True)


if __name__ == "__main__":
    main()
