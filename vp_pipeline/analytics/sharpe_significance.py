"""How likely a Sharpe ratio is more than luck.

Here belong the probabilistic and the deflated Sharpe ratio. Sharpe ratios are of one period throughout:
divide an annual one by the root of the periods a year. Kurtosis is Pearson's, 3 for a normal distribution.

Sources: Bailey and Lopez de Prado, "The Sharpe Ratio Efficient Frontier", Journal of Risk 15 (2012), for
the probabilistic ratio; "The Deflated Sharpe Ratio", Journal of Portfolio Management 40 (2014), for the
deflated one.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import pandas as pd

from vp_pipeline.analytics.performance import kurtosis, sharpe, skew

_NORMAL = NormalDist()


@dataclass(frozen=True)
class Trials:
    """The variants that were tried: how many, and the variance of their Sharpe ratios of one period."""

    count: int
    sharpe_variance: float

    @classmethod
    def among(cls, variants: Iterable[pd.Series], count: int | None = None) -> "Trials":
        """These, which stand for `count` if more were tried.

        Raises:
            ValueError: there is none.
            NotEnoughData: one has fewer than two returns.
        """
        known = [one.dropna() for one in variants]
        if not known:
            raise ValueError("no variant was tried: give one or more")
        variance = trial_variance([sharpe(one, 1) for one in known], min(map(len, known)))
        return cls(len(known) if count is None else count, variance)

    @property
    def best_by_luck(self) -> float:
        """The Sharpe ratio of one period expected of the best of them, were they all worth nothing."""
        return expected_maximum_sharpe(self.sharpe_variance, self.count)


def psr(returns: pd.Series, benchmark_sharpe: float = 0.0) -> float:
    """Probability that the true Sharpe ratio is above `benchmark_sharpe`, which is of one period.

    NaN where the ratio or its error is undefined: fewer than four returns, or returns that are all the same.

    Raises:
        NotEnoughData: fewer than two returns.
    """
    n = int(returns.notna().sum())
    return probabilistic_sharpe(sharpe(returns, 1), n, skew(returns), kurtosis(returns), benchmark_sharpe)


def dsr(returns: pd.Series, sharpe_variance: float, trials: int) -> float:
    """`psr` against the Sharpe ratio expected of the best of `trials` variants that are all worth nothing.

    With one trial it is `psr` against 0. Variants that resemble each other are counted as if they did not.

    Args:
        returns: of the variant that was chosen.
        sharpe_variance: of the variants' Sharpe ratios of one period; see `trial_variance`.
        trials: variants tried, the chosen one among them.
    """
    return psr(returns, expected_maximum_sharpe(sharpe_variance, trials))


def probabilistic_sharpe(ratio: float, n: int, skewness: float, kurt: float, benchmark: float = 0.0) -> float:
    """The probabilistic Sharpe ratio from moments: of n returns with Sharpe ratio `ratio` of one period."""
    error = 1 - skewness * ratio + (kurt - 1) / 4 * ratio**2
    if not error > 0:
        return math.nan
    return _NORMAL.cdf((ratio - benchmark) * math.sqrt((n - 1) / error))


def expected_maximum_sharpe(sharpe_variance: float, trials: int) -> float:
    """Expected largest of N = `trials` independent Sharpe ratios around 0.

    ((1 - g) Z(1 - 1/N) + g Z(1 - 1/(N e))) times the root of the variance, where g is Euler and
    Mascheroni's constant, Z the normal quantile. 0 for one trial.
    It is an approximation for many trials, 1.4 % high for fifty.

    Raises:
        ValueError: no trial, or a negative variance.
    """
    if trials < 1 or sharpe_variance < 0:
        raise ValueError(
            f"needs a trial and a variance of 0 or more, got {trials} trials, variance {sharpe_variance}"
        )
    if trials == 1:
        return 0.0
    quantiles = _NORMAL.inv_cdf(1 - 1 / trials), _NORMAL.inv_cdf(1 - 1 / (trials * math.e))
    return math.sqrt(sharpe_variance) * ((1 - np.euler_gamma) * quantiles[0] + np.euler_gamma * quantiles[1])


def trial_variance(sharpes: Sequence[float], n: int) -> float:
    """Variance of the variants' Sharpe ratios of one period, those that are undefined left out.

    With fewer than two it is what chance alone gives them over n returns: 1 / (n - 1).
    """
    known = [value for value in sharpes if not math.isnan(value)]
    return float(np.var(known, ddof=1)) if len(known) > 1 else 1 / (n - 1)
