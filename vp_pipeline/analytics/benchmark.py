"""A series of returns beside that of a benchmark.

Here belongs what takes two series; conventions are those of `performance`.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from vp_pipeline.analytics.performance import DAYS_PER_YEAR, cagr, deviation, known_returns, ratio


@dataclass(frozen=True)
class Comparison:
    """NaN where undefined, as the beta to a benchmark that never moves.

    `beta` is covariance over the benchmark's variance; `alpha` the mean return that beta does not explain,
    times the periods a year; `information_ratio` mean over standard deviation of the difference, times the
    root of the periods a year; `excess_cagr` the difference of the two CAGRs.
    """

    beta: float
    alpha: float
    correlation: float
    information_ratio: float
    excess_cagr: float


def compare(returns: pd.Series, benchmark: pd.Series, periods_per_year: float = DAYS_PER_YEAR) -> Comparison:
    """The comparison over the rows where both have a return.

    Raises:
        NotEnoughData: fewer than two such rows.
    """
    both = pd.concat([returns, benchmark], axis=1, join="inner", keys=["own", "other"]).dropna()
    own, other = known_returns(both["own"]), known_returns(both["other"])
    covariance = float(np.cov(own, other)[0, 1])
    spread, benchmark_spread = deviation(own), deviation(other)
    beta = ratio(covariance, benchmark_spread**2)
    active = own - other
    return Comparison(
        beta=beta,
        alpha=float(own.mean() - beta * other.mean()) * periods_per_year,
        correlation=ratio(covariance, spread * benchmark_spread),
        information_ratio=ratio(float(active.mean()), deviation(active)) * float(np.sqrt(periods_per_year)),
        excess_cagr=cagr(both["own"], periods_per_year) - cagr(both["other"], periods_per_year),
    )
