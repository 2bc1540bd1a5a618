"""Key figures of a series of returns.

Here belongs what one series says of itself. Whether a Sharpe ratio is luck is in `sharpe_significance`, how
far the figures may be off in `bootstrap`, the comparison with another series in `benchmark`, costs in
`costs`.

Conventions of every function here and in those modules:

- `returns` are simple returns as fractions, one a period, in order; missing ones are left out. A gain of
  half is 0.5. None is below -1.
- There are `periods_per_year` periods a year, by default the 365 days a market that never closes has. Time is
  counted in rows, not by the calendar: 365 daily rows are a year, whatever their dates.
- The risk-free rate is 0. Deviations are the sample's (n - 1).
- What is undefined is NaN: a Sharpe ratio of returns that are all the same, a Calmar ratio without a
  drawdown.

The definitions agree with quantstats 0.0.86 at the same number of periods, but for `kurtosis` (see there).
"""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import cast

import numpy as np
import numpy.typing as npt
import pandas as pd

from vp_pipeline.analytics.errors import NotEnoughData

DAYS_PER_YEAR = 365

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Performance:
    """Fractions a year but for the ratios; NaN where undefined. `max_drawdown` is negative or 0."""

    cagr: float
    volatility: float
    sharpe: float
    sortino: float
    max_drawdown: float


@dataclass(frozen=True)
class Drawdown:
    """The deepest fall of the wealth from its highest level so far.

    `depth` is a fraction, negative or 0. `peak`, `trough` and `recovery` are labels of the index: the row
    of the last high before, the lowest row, and the first row at that high again. `peak` is None if the
    high is what was invested before the first row, `recovery` if there was none. `length` counts the
    periods from the peak to the recovery, or to the last row.
    """

    depth: float
    peak: Hashable | None
    trough: Hashable | None
    recovery: Hashable | None
    length: int


def performance(returns: pd.Series, periods_per_year: float = DAYS_PER_YEAR) -> Performance:
    """The five figures every table shows.

    Raises:
        NotEnoughData: fewer than two returns.
    """
    known = known_returns(returns)
    return Performance(
        cagr=cagr(returns, periods_per_year),
        volatility=volatility(returns, periods_per_year),
        sharpe=sharpe(returns, periods_per_year),
        sortino=sortino(returns, periods_per_year),
        max_drawdown=float(fall(wealth(known)).min()),
    )


def cagr(returns: pd.Series, periods_per_year: float = DAYS_PER_YEAR) -> float:
    """Compound annual growth: (product of 1 + r) ^ (periods a year / n) - 1."""
    known = known_returns(returns)
    with np.errstate(over="ignore"):  # infinite: a few enormous returns, held to go on for a year
        return float(wealth(known)[-1] ** (periods_per_year / len(known)) - 1)


def volatility(returns: pd.Series, periods_per_year: float = DAYS_PER_YEAR) -> float:
    """Standard deviation (n - 1), times the root of the periods a year."""
    return float(deviation(known_returns(returns)) * np.sqrt(periods_per_year))


def sharpe(returns: pd.Series, periods_per_year: float = DAYS_PER_YEAR) -> float:
    """Mean over standard deviation (n - 1), times the root of the periods a year.

    With one period a year it is the ratio of one period, which `sharpe_significance` is about.
    """
    known = known_returns(returns)
    return ratio(float(known.mean()), deviation(known)) * float(np.sqrt(periods_per_year))


def sortino(returns: pd.Series, periods_per_year: float = DAYS_PER_YEAR) -> float:
    """Mean over downside deviation, times the root of the periods a year.

    The downside deviation is the root of the mean over all n periods of min(r, 0)^2: the target is 0, and a
    gain counts as 0, but counts.
    """
    known = known_returns(returns)
    downside = float(np.sqrt(np.square(np.minimum(known, 0)).mean()))
    return ratio(float(known.mean()), downside) * float(np.sqrt(periods_per_year))


def calmar(returns: pd.Series, periods_per_year: float = DAYS_PER_YEAR) -> float:
    """CAGR over the depth of the deepest drawdown, of the whole series."""
    return ratio(cagr(returns, periods_per_year), -drawdown(returns).depth)


def skew(returns: pd.Series) -> float:
    """Skewness, corrected for bias (G1, as pandas and quantstats); NaN for fewer than three returns."""
    return cast(float, pd.Series(known_returns(returns)).skew())


def kurtosis(returns: pd.Series) -> float:
    """Pearson's kurtosis, 3 for a normal distribution; NaN for fewer than four returns.

    It is pandas' and quantstats' bias-corrected excess kurtosis (G2) plus 3.
    """
    return cast(float, pd.Series(known_returns(returns)).kurt()) + 3


def drawdown(returns: pd.Series) -> Drawdown:
    """The deepest drawdown, and when it was; the first of several as deep."""
    known = returns.dropna()
    level = wealth(known_returns(returns))
    falls = fall(level)
    trough = int(falls.argmin())
    if falls[trough] == 0:
        return Drawdown(0.0, None, None, None, 0)
    high = level[: trough + 1].max()
    peak = trough - int(level[: trough + 1][::-1].argmax())
    regained = np.flatnonzero(level[trough:] >= high)
    recovery = trough + int(regained[0]) if regained.size else None
    # Place 0 of the wealth is before the first row.
    return Drawdown(
        depth=float(falls[trough]),
        peak=known.index[peak - 1] if peak else None,
        trough=known.index[trough - 1],
        recovery=None if recovery is None else known.index[recovery - 1],
        length=(len(known) if recovery is None else recovery) - peak,
    )


def underwater(returns: pd.Series) -> pd.Series:
    """Each row's fall from the highest wealth so far, a fraction, negative or 0; a missing return earns 0."""
    falls = fall(wealth(returns.fillna(0).to_numpy(dtype=float)))
    return pd.Series(falls[1:], index=returns.index, name=returns.name)


def known_returns(returns: pd.Series) -> Floats:
    """The returns that are not missing.

    Raises:
        NotEnoughData: fewer than two.
    """
    known = returns.dropna().to_numpy(dtype=float)
    if len(known) < 2:
        raise NotEnoughData(f"performance needs two returns, got {len(known)}")
    return known


def wealth(known: Floats) -> Floats:
    """What 1 grows to, along the last axis: 1 and then the wealth after each row; once 0, it stays 0."""
    growth = np.cumprod(np.maximum(1 + known, 0), axis=-1)
    return np.concatenate((np.ones((*known.shape[:-1], 1)), growth), axis=-1)


def fall(level: Floats) -> Floats:
    """How far each wealth is below the highest so far, along the last axis, as a fraction, negative or 0."""
    return np.asarray(level / np.maximum.accumulate(level, axis=-1) - 1)


def deviation(known: Floats) -> float:
    """Sample standard deviation; exactly 0 if all are the same, where rounding would leave a trace."""
    return float(known.std(ddof=1)) if np.ptp(known) > 0 else 0.0


def ratio(value: float, divisor: float) -> float:
    """NaN instead of a division by zero."""
    return value / divisor if divisor > 0 else np.nan
