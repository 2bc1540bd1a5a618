"""The statistics every report on returns has, and how they are written.

Here belong gathering and the rows of a table; definitions are in `analytics`.
"""

import math
from collections.abc import Hashable
from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd

from vp_pipeline.analytics import performance as of
from vp_pipeline.analytics.assessment import Assessment
from vp_pipeline.analytics.bootstrap import Interval, Intervals, bootstrap_intervals
from vp_pipeline.analytics.sharpe_significance import Trials as Trials
from vp_pipeline.analytics.sharpe_significance import dsr, psr
from vp_pipeline.own_data.output import date_text

MIN_ROWS_TO_COUNT = 10
COUNT_TOLERANCE = 0.1
"""Rows a year may differ from what is annualised with by this share without a word."""


@dataclass(frozen=True)
class Statistics:
    """As in `analytics.performance`; fractions. `trials` is the number `dsr` is deflated over."""

    n: int
    first: Hashable
    last: Hashable
    periods_per_year: float
    cagr: float
    volatility: float
    sharpe: float
    sortino: float
    max_drawdown: float
    drawdown: of.Drawdown
    calmar: float
    skew: float
    kurtosis: float
    psr: float
    dsr: float
    trials: int
    intervals: Intervals


def statistics(returns: pd.Series, periods_per_year: float, trials: Trials) -> Statistics:
    """All of them, of returns of which none is missing."""
    return Statistics(
        n=len(returns),
        first=returns.index[0],
        last=returns.index[-1],
        periods_per_year=periods_per_year,
        **asdict(of.performance(returns, periods_per_year)),
        drawdown=of.drawdown(returns),
        calmar=of.calmar(returns, periods_per_year),
        skew=of.skew(returns),
        kurtosis=of.kurtosis(returns),
        psr=psr(returns),
        dsr=dsr(returns, trials.sharpe_variance, trials.count),
        trials=trials.count,
        intervals=bootstrap_intervals(returns, periods_per_year),
    )


def statistics_of(found: Assessment) -> Statistics:
    """The same of a strategy's returns after costs, which were computed with its assessment."""
    return Statistics(
        n=found.days,
        first=found.first,
        last=found.last,
        periods_per_year=found.periods_per_year,
        **asdict(found.net),
        drawdown=found.drawdown,
        calmar=found.calmar,
        skew=found.skew,
        kurtosis=found.kurtosis,
        psr=found.psr,
        dsr=found.dsr,
        trials=found.trials,
        intervals=found.intervals,
    )


def table_rows(found: Statistics) -> dict[str, str]:
    """The lines of a table, in order, each a label and its text."""
    fall, bounds = found.drawdown, found.intervals
    over = "not over" if fall.recovery is None else f"over {date_text(fall.recovery)}"
    when = f"{date_text(fall.peak)} to {date_text(fall.trough)}, {over}, {fall.length} periods"
    return {
        "CAGR": percent(found.cagr) + _range(bounds.cagr, percent),
        "Volatility": percent(found.volatility),
        "Sharpe ratio": decimal(found.sharpe) + _range(bounds.sharpe, decimal),
        "Sortino ratio": decimal(found.sortino),
        "Deepest drawdown": percent(found.max_drawdown) + _range(bounds.max_drawdown, percent),
        "Drawdown dates": when if fall.depth else "-",
        "Calmar ratio": decimal(found.calmar),
        "Skew": decimal(found.skew),
        "Kurtosis (normal: 3)": decimal(found.kurtosis),
        "Probabilistic Sharpe ratio": percent(found.psr),
        f"Deflated Sharpe ratio ({found.trials} tried)": percent(found.dsr),
    }


def percent(value: float | None) -> str:
    """12.3%, or - for what is not defined."""
    return f"{value:.1%}" if value is not None and math.isfinite(value) else "-"


def decimal(value: float | None) -> str:
    """1.23, or - for what is not defined."""
    return f"{value:.2f}" if value is not None and math.isfinite(value) else "-"


def _range(bounds: Interval, text: Any) -> str:
    return f" ({text(bounds[0])} to {text(bounds[1])})"


def annualisation_notes(dates: pd.DatetimeIndex, periods_per_year: float) -> list[str]:
    """What to say if the dates hold another number of rows a year than is annualised with."""
    if len(dates) < MIN_ROWS_TO_COUNT:
        return []
    years = (dates[-1] - dates[0]) / pd.Timedelta(days=365.25)
    found = (len(dates) - 1) / years
    if abs(found / periods_per_year - 1) <= COUNT_TOLERANCE:
        return []
    return [
        f"The dates hold about {found:.0f} rows a year, but {periods_per_year:g} are annualised with:"
        " --periods-per-year changes that."
    ]
