"""How long our page of a tearsheet takes beside quantstats' report on the same returns.

    .venv/bin/python benchmarks/tearsheet.py

Returns are made up: three years and nine years of five symbols. Each time is the median of five runs.
"""

import statistics
import time
from collections.abc import Callable

import numpy as np
import pandas as pd

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
    print(f"{'days':>6} {'quantstats':>11} {'our page':>9} {'with figures':>13} {'ratio':>6} {'ratio':>6}")
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

    theirs = median(lambda: quantstats_html(tested.net.rename("own"), benchmark, "t"))
    ours, all_ours = median(page), median(whole)
    return (
        f"{days:>6} {theirs:>9.2f} s {1000 * ours:>6.0f} ms {1000 * all_ours:>10.0f} ms"
        f" {theirs / ours:>6.1f} {theirs / all_ours:>6.1f}"
    )


def median(run: Callable[[], object]) -> float:
    """Seconds, after a first run that is not counted."""
    run()
    times = []
    for _ in range(RUNS):
        begin = time.perf_counter()
        run()
        times.append(time.perf_counter() - begin)
    return statistics.median(times)


if __name__ == "__main__":
    main()
