"""How far key figures of a series of returns may be off, by resampling it.

Here belongs the stationary bootstrap (Politis and Romano, "The Stationary Bootstrap", JASA 89, 1994): a
resample is strung together from blocks of consecutive returns, whose lengths are geometric, so that what
returns have to do with those before them is mostly kept. The series is taken as a ring. Same returns and
seed, same intervals.

An interval is the range between the percentiles of the resamples. It knows only what happened: a crash that
is not in the returns is in no interval either.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from vp_pipeline.analytics.performance import DAYS_PER_YEAR, Floats, fall, known_returns, wealth

SAMPLES = 1_000
LEVEL = 0.95

_BATCH = 500_000
"""Returns resampled at once: a few arrays of 4 MB."""

Interval = tuple[float, float]


@dataclass(frozen=True)
class Intervals:
    """Lower and upper bound at `level`, NaN where undefined; `mean_block` is in periods."""

    sharpe: Interval
    cagr: Interval
    max_drawdown: Interval
    level: float
    samples: int
    mean_block: float


def bootstrap_intervals(
    returns: pd.Series,
    periods_per_year: float = DAYS_PER_YEAR,
    *,
    level: float = LEVEL,
    samples: int = SAMPLES,
    mean_block: float | None = None,
    seed: int = 0,
) -> Intervals:
    """Intervals of Sharpe ratio, CAGR and deepest drawdown.

    Args:
        returns: as in `performance`.
        periods_per_year: as in `performance`.
        level: share of the resamples inside an interval.
        samples: resamples.
        mean_block: mean length of a block; by default the cube root of the number of returns.
        seed: of the random numbers.

    Raises:
        NotEnoughData: fewer than two returns.
        ValueError: a level outside (0, 1), no samples, or a block shorter than 1.
    """
    known = known_returns(returns)
    block = len(known) ** (1 / 3) if mean_block is None else mean_block
    if not (0 < level < 1 and samples >= 1 and block >= 1):
        raise ValueError(f"cannot draw {samples} samples of blocks of {block} for a level of {level}")
    rng = np.random.default_rng(seed)
    size = max(1, _BATCH // len(known))
    batches = [
        _figures(known[stationary_rows(len(known), min(size, samples - done), block, rng)], periods_per_year)
        for done in range(0, samples, size)
    ]
    figures = np.concatenate(batches, axis=1)
    sharpe, cagr, max_drawdown = (_interval(row, level) for row in figures)
    return Intervals(sharpe, cagr, max_drawdown, level, samples, block)


def stationary_rows(
    n: int, samples: int, mean_block: float, rng: np.random.Generator
) -> npt.NDArray[np.intp]:
    """Rows of a series of n for each resample, samples x n; blocks begin with probability 1 / mean_block."""
    place = np.arange(n)
    begins = rng.random((samples, n)) < 1 / mean_block
    begins[:, 0] = True
    begin = np.maximum.accumulate(np.where(begins, place, 0), axis=1)
    first = np.take_along_axis(rng.integers(0, n, (samples, n)), begin, axis=1)
    return np.asarray((first + place - begin) % n, dtype=np.intp)


def _figures(resampled: Floats, periods_per_year: float) -> Floats:
    """Sharpe ratio, CAGR and deepest drawdown (3 rows) of each resample, as `performance` defines them."""
    level = wealth(resampled)
    deviation = resampled.std(axis=1, ddof=1)
    # All the same: rounding would leave a trace of a deviation.
    deviation[np.ptp(resampled, axis=1) == 0] = np.nan
    with np.errstate(over="ignore"):
        cagr = level[:, -1] ** (periods_per_year / resampled.shape[1]) - 1
    sharpe = resampled.mean(axis=1) / deviation * np.sqrt(periods_per_year)
    return np.stack([sharpe, cagr, fall(level).min(axis=1)])


def _interval(values: Floats, level: float) -> Interval:
    """Between the percentiles of the values that are defined."""
    known = values[~np.isnan(values)]
    if not known.size:
        return np.nan, np.nan
    with np.errstate(invalid="ignore"):  # between infinite values
        low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
