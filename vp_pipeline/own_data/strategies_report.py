"""What `vp strategies` says of a strategy on a file of closes.

Here belongs its content, as data, as text and as JSON; the strategies themselves are in
`analytics.strategies`.
"""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from vp_pipeline.analytics.costs import break_even_bps, net_returns, turnover
from vp_pipeline.analytics.performance import Performance, performance
from vp_pipeline.analytics.strategies import STRATEGIES, Strategy, strategy_returns
from vp_pipeline.own_data.errors import DataFileError
from vp_pipeline.own_data.statistics import (
    Json,
    Statistics,
    Trials,
    annualisation_notes,
    as_json,
    date_text,
    decimal,
    object_of,
    percent,
    statistics,
    table_rows,
)

LOOKS_AHEAD = "LOOKS AHEAD: its weights use returns of later days, so nobody could have held them."
FIRST_ROW = (
    "Returns are close to close: the first row has none, and the strategies begin with the second. A rule for"
    " a first day, which needs that day's open, does not apply."
)


@dataclass(frozen=True)
class _Run:
    """One strategy by day from the second row on; weights are NaN where there is no return."""

    weights: pd.DataFrame
    gross: pd.Series
    traded: pd.Series
    net: pd.Series


@dataclass(frozen=True)
class StrategyReport:
    """`statistics` are after fees; `turnover` is bought and sold, a share of the wealth, a mean a period."""

    path: Path
    name: str
    strategy: Strategy
    run: _Run
    statistics: Statistics
    gross: Performance
    turnover: float
    break_even_bps: float
    fees_bps: float
    notes: list[str]


def strategy_report(
    path: Path, closes: pd.DataFrame, name: str, fees_bps: float, periods_per_year: float
) -> StrategyReport:
    """The report on one of `STRATEGIES`, its Sharpe ratio deflated over all of them as the variants tried.

    Args:
        path: the file, for its name.
        closes: dates by symbols, as `read_closes` gives them.
        name: key of the strategy.
        fees_bps: fees and slippage, of what is bought and of what is sold.
        periods_per_year: to annualise with.

    Raises:
        DataFileError: fees that take everything.
    """
    returns = closes.pct_change(fill_method=None)
    runs = {key: _run(path, returns, key, fees_bps) for key in STRATEGIES}
    run = runs[name]
    return StrategyReport(
        path=path,
        name=name,
        strategy=STRATEGIES[name],
        run=run,
        statistics=statistics(run.net, periods_per_year, Trials.among([one.net for one in runs.values()])),
        gross=performance(run.gross, periods_per_year),
        turnover=float(run.traded.mean()),
        break_even_bps=break_even_bps(run.gross, run.traded),
        fees_bps=fees_bps,
        notes=[FIRST_ROW, *annualisation_notes(pd.DatetimeIndex(closes.index), periods_per_year)],
    )


def _run(path: Path, returns: pd.DataFrame, name: str, fees_bps: float) -> _Run:
    weights = STRATEGIES[name].weights(returns)
    # The first row has no return, and therefore no weights.
    gross = strategy_returns(returns, weights).iloc[1:]
    traded = turnover(weights, returns).iloc[1:]
    try:
        net = net_returns(gross, traded, fees_bps)
    except ValueError as error:
        raise DataFileError(f"{path}, strategy {name}: {error}: lower --fees-bps") from error
    return _Run(weights.iloc[1:], gross, traded, net)


def json_of(report: StrategyReport) -> dict[str, Json]:
    """Statistics after fees at the top, the main ones again beside those before; `series` by day."""
    run = report.run
    net = performance(run.net, report.statistics.periods_per_year)
    return {
        "file": report.path.name,
        "strategy": report.name,
        "title": report.strategy.title,
        "description": report.strategy.description,
        "looks_ahead": report.strategy.looks_ahead,
        "label": LOOKS_AHEAD if report.strategy.looks_ahead else None,
        "symbols": [str(symbol) for symbol in run.weights.columns],
        "fees_bps": report.fees_bps,
        **object_of(report.statistics),
        "gross": as_json(report.gross),
        "net": as_json(net),
        "turnover": as_json(report.turnover),
        "break_even_bps": as_json(report.break_even_bps),
        "notes": as_json(report.notes),
        "series": {
            "date": [date_text(date) for date in run.net.index],
            "gross": as_json(run.gross.tolist()),
            "net": as_json(run.net.tolist()),
            "turnover": as_json(run.traded.tolist()),
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
    return f"{LOOKS_AHEAD}\n{title}" if report.strategy.looks_ahead else title


def table_of(report: StrategyReport) -> pd.DataFrame:
    """A row for each statistic, as text."""
    lines = table_rows(report.statistics)
    if report.fees_bps:
        lines["CAGR before fees"] = percent(report.gross.cagr)
        lines["Sharpe ratio before fees"] = decimal(report.gross.sharpe)
    lines["Turnover (mean a period)"] = percent(report.turnover)
    lines["Break-even fee (bps)"] = decimal(report.break_even_bps)
    mean = report.run.weights.fillna(0).mean()
    for symbol in report.run.weights.columns:
        lines[f"Mean weight of {symbol}"] = percent(float(mean[symbol]))
    heading = "net" if report.fees_bps else "gross"
    return pd.DataFrame({heading: lines})


def remarks(report: StrategyReport) -> list[str]:
    """What has to be known to read the table."""
    bounds = report.statistics.intervals
    return [
        f"In brackets: {bounds.level:.0%} intervals of a stationary bootstrap,"
        f" {bounds.samples} resamples of blocks of {bounds.mean_block:.1f} rows on average.",
        f"Fees of {report.fees_bps:g} bps of all that is bought and sold; the turnover counts both.",
        f"The variants tried are all strategies there are: {', '.join(STRATEGIES)}.",
        *report.notes,
    ]
