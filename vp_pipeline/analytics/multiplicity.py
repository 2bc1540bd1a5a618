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
    known = np.flatnonzero(np.isfinite(p))
    order = known[np.argsort(p[known], kind="stable")]
    result = np.full(len(p), np.nan)
    result[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(len(order), 0, -1)), 1)
    return result
