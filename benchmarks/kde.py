"""Kernel density of closes weighted by volume: ours from bins against scipy's sum over all candles.

    python benchmarks/kde.py [CANDLES ...] [--repeat N]

Prints a Markdown table: milliseconds, the ratio of both in this run, how many passes over memory ours takes
(a pass adds up prices and volumes), the largest error as a share of the peak, and the memory that
ours took beyond its input. By default 240, 44,640 and 525,600 candles; ten years of minutes are 5256000, for
which scipy alone needs some 20 seconds a time.
"""

import argparse
import statistics
import time
import tracemalloc
from collections.abc import Callable

import numpy as np
from claims import Ratio, tell
from scipy import stats

from vp_pipeline.analytics.density import binned, weighted
from vp_pipeline.analytics.placement import Floats

SIZES = (240, 44_640, 525_600)
SAMPLES, FACTOR = 500, 0.1
GOALS = {240: 7.0, 44_640: 300.0, 5_256_000: 500.0}
LARGEST_ERROR, LARGEST_EXTRA = 1e-6, 5e6


def series(n: int) -> tuple[Floats, Floats]:
    """A random walk in whole cents, and volumes."""
    rng = np.random.default_rng(n)
    close = np.round(30_000 * np.exp(rng.normal(0, 0.0003, n).cumsum()), 2)
    return close, rng.exponential(5, n)


def ours(close: Floats, volume: Floats) -> Floats:
    prices = weighted(close, volume)
    bandwidth = FACTOR * prices.deviation
    return binned(prices, prices.lowest, prices.highest, SAMPLES, bandwidth).density(bandwidth)


def theirs(close: Floats, volume: Floats) -> Floats:
    curve = stats.gaussian_kde(close, weights=volume, bw_method=FACTOR)
    return np.asarray(curve(np.linspace(close.min(), close.max(), SAMPLES)))


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def line(n: int, repeat: int) -> str:
    close, volume = series(n)
    expected = theirs(close, volume)
    error = float(np.abs(ours(close, volume) - expected).max() / expected.max())
    # Interleaved, so that a busy moment meets both; ours is short, so each time is one of several.
    several = max(1, min(200, 200_000 // n))
    times = [
        (
            seconds(lambda: [ours(close, volume) for _ in range(several)]) / several,
            seconds(lambda: theirs(close, volume)),
            seconds(lambda: [close.sum() + volume.sum() for _ in range(several)]) / several,
        )
        for _ in range(repeat)
    ]
    own, other, passing = (statistics.median(column) for column in zip(*times, strict=True))
    tracemalloc.start()
    ours(close, volume)
    extra = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    what = f"density of {n:,} candles"
    tell(
        Ratio(what, "scipy", own, other, goal=GOALS.get(n)),
        Ratio(what, "one pass over memory", own, passing, kind="limit"),
        Ratio(f"{what}: error of the peak", "what was set", error, LARGEST_ERROR, "", "limit", 1.0),
        Ratio(f"{what}: memory beyond its input", "what was set", extra, LARGEST_EXTRA, "B", "limit", 1.0),
    )
    times_ = f"{own * 1e3:.3f} | {other * 1e3:.2f} | {other / own:.1f} | {own / passing:.1f}"
    return f"| {n:,} | {times_} | {error:.1e} | {extra / 1e6:.1f} |"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("candles", nargs="*", type=int, default=SIZES)
    parser.add_argument("--repeat", type=int, default=5, help="times of each, of which the median counts")
    options = parser.parse_args()
    print("| candles | ours, ms | scipy, ms | ratio | passes over memory | error of the peak | extra MB |")
    print("|---:|---:|---:|---:|---:|---:|---:|")
    for n in options.candles:
        print(line(n, options.repeat), flush=True)


if __name__ == "__main__":
    main()
