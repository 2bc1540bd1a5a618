"""A month of minute candles of all exchanges that serve it: ours against `freqtrade download-data` for each.

What the platform is for is many markets. Ours loads them side by side in one process, each exchange at its
own pace; `freqtrade download-data` takes one exchange, so it is started for one after the other, and for all
at once, which takes the memory of all. All wait for the slowest exchange's own limit of requests: the 149
pages of OKX's month, one in 110 ms by ccxt, are 16 s. Which sides, sources and delays these are is in
`history_peer`; each side's rows must be as many for every load.

Run it with `python benchmarks/history_venues.py [--months N] [--runs N]`.
"""

import argparse
import statistics
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import peers
from claims import Ratio, tell
from history_cost import FIRST, months_from
from history_sides import GOAL, LATENCY_SECONDS, VENUES, Freqtrade, Load, both_sides

from vp_pipeline.windows import Window

WAYS = {"one after the other": 1, "all at once": len(VENUES)}


def theirs_of(theirs: Freqtrade, window: Window, number: str, at_once: int) -> tuple[Load, dict[str, float]]:
    """Loads of all exchanges together, so many at once, and the seconds of each."""
    started = time.perf_counter()
    with ThreadPoolExecutor(at_once) as pool:
        loads = list(pool.map(lambda exchange: theirs.load(exchange, window, number), VENUES))
    seconds = time.perf_counter() - started
    together = sum if at_once > 1 else max
    return (
        Load(seconds, together(load.memory for load in loads), sum(load.rows for load in loads)),
        dict(zip(VENUES, (load.seconds for load in loads), strict=True)),
    )


def medians(loads: Sequence[Load]) -> tuple[float, float]:
    """Seconds and bytes."""
    return statistics.median(load.seconds for load in loads), statistics.median(load.memory for load in loads)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--months", type=int, default=1)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    window = Window(FIRST, months_from(FIRST, options.months)[-1].end)
    mine: list[Load] = []
    others: dict[str, list[Load]] = {way: [] for way in WAYS}
    single: list[dict[str, float]] = []
    try:
        with both_sides(window) as (ours, theirs, _):
            for run in range(options.runs):
                mine.append(ours.load(list(VENUES), window, run))
                for way, at_once in WAYS.items():
                    load, each = theirs_of(theirs, window, f"{at_once}-{run}", at_once)
                    others[way].append(load)
                    if at_once == 1:
                        single.append(each)
    except peers.PeerMissingError as error:
        print(f"Not measured: {error}")
        return
    counts = {load.rows for loads in (mine, *others.values()) for load in loads}
    if len(counts) != 1:
        raise SystemExit(f"not the same candles: {sorted(counts)}")
    months = f"{options.months} month{'s'[: options.months > 1]} of {len(VENUES)} exchanges"
    own_seconds, own_memory = medians(mine)
    print(f"{months}, {counts.pop():,} candles, answers {LATENCY_SECONDS * 1000:.0f} ms late.\n")
    print("| way | seconds | ratio | peak memory |\n|---|---:|---:|---:|")
    print(f"| ours, all in one process | {own_seconds:.1f} | 1 | {own_memory / 1e6:.0f} MB |")
    for way, loads in others.items():
        seconds, memory = medians(loads)
        goal = GOAL if way == "one after the other" else None
        tell(Ratio(months, f"freqtrade, {way}", own_seconds, seconds, goal=goal))
        tell(Ratio(f"{months}: peak memory", f"freqtrade, {way}", own_memory, memory, unit="B"))
        print(f"| freqtrade, {way} | {seconds:.1f} | {seconds / own_seconds:.1f} | {memory / 1e6:.0f} MB |")
    alone = [f"{name} {statistics.median(one[name] for one in single):.1f} s" for name in VENUES]
    print(f"\nfreqtrade by itself: {', '.join(alone)}")


if __name__ == "__main__":
    main()
