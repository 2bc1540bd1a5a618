"""Corrections of p-values for the number of tests made at once.

Here belong corrections that need nothing but the p-values. NaN is a test that was not made: it stays NaN and
does not count.
"""

import numpy as np

from vp_pipeline.analytics.price_rows import Floats


def holm(p: Floats) -> Floats:
    """Adjusted so that the chance of any false finding is held, whatever the tests' dependence.

    Source: Holm, "A simple sequentially rejective multiple test procedure", Scand. J. Statist. 6, 1979.
    """
    known, ordered, order = _ordered(p)
    adjusted = np.minimum(np.maximum.accumulate(ordered * np.arange(len(ordered), 0, -1)), 1)
    return _placed(p, known, order, adjusted)


def benjamini_hochberg(p: Floats) -> Floats:
    """Adjusted so that the expected share of false findings among all findings is held.

    For tests that are independent or positively dependent. Source: Benjamini and Hochberg, "Controlling the
    false discovery rate", J. R. Statist. Soc. B 57, 1995.
    """
    known, ordered, order = _ordered(p)
    steps = ordered * len(ordered) / np.arange(1, len(ordered) + 1)
    adjusted = np.minimum(np.minimum.accumulate(steps[::-1])[::-1], 1)
    return _placed(p, known, order, adjusted)


def _ordered(p: Floats) -> tuple[np.ndarray, Floats, np.ndarray]:
    known = np.flatnonzero(np.isfinite(p))
    order = np.argsort(p[known], kind="stable")
    return known, p[known][order], order


def _placed(p: Floats, known: np.ndarray, order: np.ndarray, adjusted: Floats) -> Floats:
    result = np.full(len(p), np.nan)
    result[known[order]] = adjusted
    return result
