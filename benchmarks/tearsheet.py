"""How long our page of a tearsheet takes beside quantstats' report on the same returns.

    .venv/bin/python benchmarks/tearsheet.py

Returns are made up: three years and nine years of five symbols. Each time is the median of five runs.
"""

import statistics
import time
from collections.abc import Callable

import numpy as np
import pandas as pd
from claims import Ratio, tell

from vp_pipeline.analytics.assessment import assess
from vp_pipeline.analytics.backtest import backtest
from vp_pipeline.analytics.sharpe_significance import Trials
from vp_pipeline.analytics.strategies import STRATEGIES
from vp_pipeline.figures.strategy_page import StrategyPage
from vp_pipeline.figures.tearsheet import quantstats_html

SYMBOLS = ["BTCUSDT", "ETHUSDT", "XRPUSDT", "BNBUSDT", "SOLUSDT"]
RUNS = 5


def main() -> None:
    """Print a line for each length of history."""
    print("| days | quantstats | our page | ratio | with its figures | ratio |")
    print("|---:|---:|---:|---:|---:|---:|")
    for days in (1096, 3287):
        print(measured(days))


def measured(days: int) -> str:
    """A line: seconds of both, and how many times as long quantstats takes."""
    returns = pd.DataFrame(
        np.random.default_rng(days).normal(0.001, 0.04, (days, len(SYMBOLS))).clip(-0.5),
        pd.date_range("2017-01-01", periods=days),
        columns=SYMBOLS,
    )
    strategy = STRATEGIES["mean_reversion"]
    tested = backtest(strategy.weights(returns), returns, 7)
    benchmark = backtest(STRATEGIES["equal_weight"].weights(returns), returns, 7).net.rename("equal_weight")
    trials = Trials.among([tested.net, benchmark])
    found = assess(tested, benchmark, trials)
    costs = dict.fromkeys(SYMBOLS, 7.0)

    def page() -> None:
        StrategyPage(strategy, found, tested, benchmark, costs, "", None).render()

    def whole() -> None:
        assess(tested, benchmark, trials)
        page()

    def report() -> None:
        quantstats_html(tested.net.rename("own"), benchmark, "t")

    theirs, ours, all_ours = medians(report, page, whole)
    tell(
        Ratio(f"page of a tearsheet of {days:,} days", "quantstats", ours, theirs),
        Ratio(f"tearsheet of {days:,} days with its figures", "quantstats", all_ours, theirs),
    )
    return (
        f"| {days:,} | {theirs:.2f} s | {1000 * ours:.0f} ms | {theirs / ours:.1f}"
        f" | {1000 * all_ours:.0f} ms | {theirs / all_ours:.1f} |"
    )


def medians(*ways: Callable[[], object]) -> list[float]:
    """Seconds by turns, after a first turn that is not counted."""
    times: list[list[float]] = [[] for _ in ways]
    for _ in range(RUNS + 1):
        for taken, way in zip(times, ways, strict=True):
            begin = time.perf_counter()
            way()
            taken.append(time.perf_counter() - begin)
    return [statistics.median(taken[1:]) for taken in times]


if __name__ == "__main__":
    main()
