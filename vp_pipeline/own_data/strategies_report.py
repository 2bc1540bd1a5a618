"""What `vp strategies` says of a strategy on a file of closes.

Here belongs its content, as data, as text and as JSON; the strategies themselves are in
`analytics.strategies`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from vp_pipeline.analytics.assessment import Assessment, assess
from vp_pipeline.analytics.backtest import Backtest, backtest
from vp_pipeline.analytics.history import History
from vp_pipeline.analytics.look_ahead import LookAhead, look_ahead
from vp_pipeline.analytics.sharpe_significance import Trials
from vp_pipeline.analytics.strategies import STRATEGIES
from vp_pipeline.analytics.strategy import Parameter, Strategy, StrategyError, configured
from vp_pipeline.own_data.errors import DataFileError
from vp_pipeline.own_data.output import Json, as_json, date_text, object_of
from vp_pipeline.own_data.statistics import (
    Statistics,
    annualisation_notes,
    decimal,
    percent,
    statistics_of,
    table_rows,
)

LOOK_DAYS = 150
"""Of the test for looking ahead, a number of rows as in the platform: the same on every machine."""
LOOKS_AHEAD = "LOOKS AHEAD: its weights use returns of later days, so nobody could have held them."
FIRST_ROW = (
    "Returns are close to close: the first row has none, and the strategies begin with the second. A rule for"
    " a first day, which needs that day's open, does not apply."
)


@dataclass(frozen=True)
class StrategyReport:
    """`statistics` are after fees; `turnover` is bought and sold, a share of the wealth, a mean a period.

    `run` is by day from the second row on; its weights are NaN where there is no return.
    """

    path: Path
    name: str
    strategy: Strategy
    run: Backtest
    statistics: Statistics
    found: Assessment
    looked: LookAhead
    benchmark: str
    fees_bps: float
    notes: list[str]

    @property
    def looks_ahead(self) -> bool:
        """By its own word, or by test."""
        return self.strategy.looks_ahead or self.looked.found


def strategy_report(
    path: Path,
    closes: pd.DataFrame,
    name: str,
    fees_bps: float,
    periods_per_year: float,
    parameters: Mapping[str, Parameter] | None = None,
    benchmark: str | None = None,
) -> StrategyReport:
    """The report on one of `STRATEGIES`, its Sharpe ratio deflated over all of them as the variants tried.

    Args:
        path: the file, for its name.
        closes: dates by symbols, as `read_closes` gives them.
        name: key of the strategy.
        fees_bps: fees and slippage, of what is bought and of what is sold.
        periods_per_year: to annualise with.
        parameters: of the strategy, in place of its defaults.
        benchmark: a symbol or a strategy, by default the strategy's own.

    Raises:
        StrategyError: there is no such strategy, parameter or benchmark.
        DataFileError: fees that take everything.
    """
    history = History.of_closes(closes)
    strategy = configured(name, parameters)
    tried = {**STRATEGIES, name: strategy}
    runs = {key: _run(path, history, key, one, fees_bps) for key, one in tried.items()}
    trials = Trials.among([one.net for one in runs.values()])
    against = _benchmark(strategy, benchmark, {key: one.net for key, one in runs.items()}, history.returns)
    looked = look_ahead(strategy.weights, history, days=LOOK_DAYS)
    found = assess(
        runs[name],
        against,
        trials,
        looks_ahead=strategy.looks_ahead or looked.found,
        periods_per_year=periods_per_year,
    )
    return StrategyReport(
        path=path,
        name=name,
        strategy=strategy,
        run=runs[name],
        statistics=statistics_of(found),
        found=found,
        looked=looked,
        benchmark=str(against.name),
        fees_bps=fees_bps,
        notes=[FIRST_ROW, *annualisation_notes(pd.DatetimeIndex(closes.index), periods_per_year)],
    )


def _run(path: Path, history: History, name: str, strategy: Strategy, fees_bps: float) -> Backtest:
    weights = strategy.weights(history)
    try:
        # The first row has no return, and therefore no weights.
        return backtest(weights.iloc[1:], history.returns.iloc[1:], fees_bps)
    except ValueError as error:
        raise DataFileError(f"{path}, strategy {name}: {error}: lower --fees-bps") from error


def _benchmark(
    strategy: Strategy, asked: str | None, nets: Mapping[str, pd.Series], returns: pd.DataFrame
) -> pd.Series:
    """The one asked for; else the strategy's own, or the first symbol where the file lacks it."""
    name = asked or strategy.benchmark
    if name in nets:
        return nets[name].rename(name)
    if name not in returns and asked:
        there = ", ".join(map(str, (*returns, *nets)))
        raise StrategyError(f"there is no benchmark {asked!r}; there are {there}")
    symbol = name if name in returns else returns.columns[0]
    return returns[symbol].iloc[1:].rename(str(symbol))


def json_of(report: StrategyReport) -> dict[str, Json]:
    """Statistics after fees at the top, the main ones again beside those before; `series` by day."""
    run, found = report.run, report.found
    return {
        "file": report.path.name,
        "strategy": report.name,
        "title": report.strategy.title,
        "description": report.strategy.description,
        "parameters": as_json(report.strategy.parameters),
        "looks_ahead": report.looks_ahead,
        "label": LOOKS_AHEAD if report.looks_ahead else None,
        "look_ahead": {
            "declared": report.strategy.looks_ahead,
            "found": report.looked.found,
            "days": len(report.looked.days),
            "days_tested": report.looked.tested,
        },
        "evidence": as_json(found.evidence),
        "symbols": [str(symbol) for symbol in run.weights.columns],
        "fees_bps": report.fees_bps,
        **object_of(report.statistics),
        "gross": as_json(found.gross),
        "net": as_json(found.net),
        "turnover": as_json(found.turnover),
        "exposure": as_json(found.exposure),
        "costs": as_json(found.costs),
        "break_even_bps": as_json(found.break_even_bps),
        "in_sample": as_json(found.in_sample),
        "out_of_sample": as_json(found.out_of_sample),
        "luck_sharpe": as_json(found.luck),
        "benchmark": {"name": report.benchmark, **object_of(found.comparison)},
        "notes": as_json(report.notes),
        "series": {
            "date": [date_text(date) for date in run.net.index],
            "gross": as_json(run.gross.tolist()),
            "net": as_json(run.net.tolist()),
            "turnover": as_json(run.turnover.tolist()),
            "weights": {str(symbol): as_json(run.weights[symbol].tolist()) for symbol in run.weights},
        },
    }


def title_of(report: StrategyReport) -> str:
    """What it is, and over which rows."""
    one = report.statistics
    title = (
        f"{report.strategy.title}: {report.strategy.description}\n"
        f"{len(report.run.weights.columns)} symbols, {one.n} returns from {date_text(one.first)} to"
        f" {date_text(one.last)}, {one.periods_per_year:g} a year"
    )
    return f"{LOOKS_AHEAD}\n{title}" if report.looks_ahead else title


def table_of(report: StrategyReport) -> pd.DataFrame:
    """A row for each statistic, as text."""
    found = report.found
    lines = {"Evidence of skill": found.evidence.level, **table_rows(report.statistics)}
    lines["Sharpe ratio in, out of sample"] = (
        f"{decimal(found.in_sample.sharpe)}, {decimal(found.out_of_sample.sharpe)}"
    )
    lines[f"CAGR above {report.benchmark}"] = percent(found.comparison.excess_cagr)
    if report.fees_bps:
        lines["CAGR before fees"] = percent(found.gross.cagr)
        lines["Sharpe ratio before fees"] = decimal(found.gross.sharpe)
    lines["Turnover (mean a period)"] = percent(found.turnover)
    lines["Break-even fee (bps)"] = decimal(found.break_even_bps)
    mean = report.run.weights.fillna(0).mean()
    for symbol in report.run.weights.columns:
        lines[f"Mean weight of {symbol}"] = percent(float(mean[symbol]))
    heading = "net" if report.fees_bps else "gross"
    return pd.DataFrame({heading: lines})


def remarks(report: StrategyReport) -> list[str]:
    """What has to be known to read the table."""
    bounds = report.statistics.intervals
    return [
        *report.found.evidence.against,
        f"In brackets: {bounds.level:.0%} intervals of a stationary bootstrap,"
        f" {bounds.samples} resamples of blocks of {bounds.mean_block:.1f} rows on average.",
        f"Fees of {report.fees_bps:g} bps of all that is bought and sold; the turnover counts both.",
        f"The variants tried are all strategies there are: {', '.join(STRATEGIES)}.",
        *report.notes,
    ]
