"""How good a backtest is, and how sure that is: all figures of a tearsheet's first page.

Here belongs gathering them; each is defined in its own module.
"""

import math
from collections.abc import Hashable
from dataclasses import dataclass

import pandas as pd

from vp_pipeline.analytics import performance as of
from vp_pipeline.analytics.backtest import Backtest
from vp_pipeline.analytics.benchmark import Comparison, compare
from vp_pipeline.analytics.bootstrap import Intervals, bootstrap_intervals
from vp_pipeline.analytics.costs import break_even_bps
from vp_pipeline.analytics.evidence import Evidence, Findings, evidence
from vp_pipeline.analytics.performance import DAYS_PER_YEAR, Performance
from vp_pipeline.analytics.sharpe_significance import Trials, dsr, psr

IN_SAMPLE = 2 / 3
"""The part of the days that is in sample unless a day is given."""


@dataclass(frozen=True)
class Sample:
    """Days [`first`, `last`] and what was earned in them after costs; no figures with fewer than two days."""

    first: Hashable
    last: Hashable
    days: int
    net: Performance | None

    @property
    def sharpe(self) -> float:
        """NaN without figures."""
        return math.nan if self.net is None else self.net.sharpe


@dataclass(frozen=True)
class Assessment:
    """Fractions, a year where it says so; NaN where undefined. After costs unless it says `gross`.

    `turnover` and `exposure` are means a day, `costs` what trading takes a year; `break_even_bps` is the
    cost at which the mean return is 0. `luck` is the annual Sharpe ratio expected of the best of
    `trials` variants that are worth nothing.
    """

    days: int
    first: Hashable
    last: Hashable
    periods_per_year: float
    gross: Performance
    net: Performance
    benchmark: Performance
    comparison: Comparison
    drawdown: of.Drawdown
    calmar: float
    skew: float
    kurtosis: float
    intervals: Intervals
    psr: float
    dsr: float
    trials: int
    luck: float
    turnover: float
    exposure: float
    costs: float
    break_even_bps: float
    in_sample: Sample
    out_of_sample: Sample
    evidence: Evidence


def assess(
    tested: Backtest,
    benchmark: pd.Series,
    trials: Trials,
    *,
    looks_ahead: bool = False,
    split: pd.Timestamp | None = None,
    periods_per_year: float = DAYS_PER_YEAR,
) -> Assessment:
    """All figures of one strategy.

    Args:
        tested: of at least two days.
        benchmark: its returns on the same days, named; a missing one is no day of the comparison.
        trials: the variants that were tried, this one among them.
        looks_ahead: whether it does, by its word or by test.
        split: the first day out of sample; by default the last third of the days are.
        periods_per_year: to annualise with.

    Raises:
        NotEnoughData: fewer than two days, alone or with the benchmark.
    """
    net = tested.net
    whole = of.performance(net, periods_per_year)
    intervals = bootstrap_intervals(net, periods_per_year)
    comparison = compare(net, benchmark, periods_per_year)
    inside, outside = samples(net, split, periods_per_year)
    probability = psr(net)
    deflated = dsr(net, trials.sharpe_variance, trials.count)
    return Assessment(
        days=len(net),
        first=net.index[0],
        last=net.index[-1],
        periods_per_year=periods_per_year,
        gross=of.performance(tested.gross, periods_per_year),
        net=whole,
        benchmark=of.performance(benchmark.reindex(net.index), periods_per_year),
        comparison=comparison,
        drawdown=of.drawdown(net),
        calmar=of.calmar(net, periods_per_year),
        skew=of.skew(net),
        kurtosis=of.kurtosis(net),
        intervals=intervals,
        psr=probability,
        dsr=deflated,
        trials=trials.count,
        luck=trials.best_by_luck * math.sqrt(periods_per_year),
        turnover=float(tested.turnover.mean()),
        exposure=float(tested.exposure.mean()),
        costs=float(tested.costs.mean()) * periods_per_year,
        break_even_bps=break_even_bps(tested.gross, tested.turnover),
        in_sample=inside,
        out_of_sample=outside,
        evidence=evidence(
            Findings(
                days=len(net),
                looks_ahead=looks_ahead,
                sharpe=whole.sharpe,
                sharpe_low=intervals.sharpe[0],
                psr=probability,
                dsr=deflated,
                trials=trials.count,
                out_of_sample_sharpe=outside.sharpe,
                excess_cagr=comparison.excess_cagr,
                benchmark=str(benchmark.name),
            )
        ),
    )


def costs_at(tested: Backtest, multiples: tuple[float, ...], periods_per_year: float) -> pd.DataFrame:
    """CAGR and Sharpe ratio if all costs were that many times as high; a row a multiple."""
    rows = []
    for multiple in multiples:
        net = (tested.gross - multiple * tested.costs).clip(lower=-1)
        rows.append((multiple, of.cagr(net, periods_per_year), of.sharpe(net, periods_per_year)))
    return pd.DataFrame(rows, columns=["multiple", "cagr", "sharpe"])


def samples(
    net: pd.Series, split: pd.Timestamp | None = None, periods_per_year: float = DAYS_PER_YEAR
) -> tuple[Sample, Sample]:
    """The days before `split` and those from it on; by default two thirds and one."""
    at = math.ceil(len(net) * IN_SAMPLE) if split is None else int(net.index.searchsorted(split))
    inside, outside = (_sample(part, periods_per_year) for part in (net.iloc[:at], net.iloc[at:]))
    return inside, outside


def _sample(net: pd.Series, periods_per_year: float) -> Sample:
    if not len(net):
        return Sample(None, None, 0, None)
    known = of.performance(net, periods_per_year) if len(net) > 1 else None
    return Sample(net.index[0], net.index[-1], len(net), known)
