"""Volume by price of any window of minutes, in bounded memory.

Here belongs adding up what `market_queries` hands over in chunks; the definitions are in `analytics`.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from vp_pipeline.analytics.price_rows import PriceRows, volume_by_price
from vp_pipeline.analytics.value_area import ValueArea, value_area


@dataclass(frozen=True, eq=False)
class Profile:
    """Volume by price and its value area."""

    rows: PriceRows
    area: ValueArea


def profile_of(chunks: Iterable[npt.NDArray[np.float64]], row_size: float) -> Profile | None:
    """The profile of minutes in arrays (n, 3) of low, high and volume; None without volume."""
    rows = PriceRows(0, row_size, np.zeros(0))
    for chunk in chunks:
        rows += volume_by_price(pd.DataFrame(chunk, columns=["low", "high", "volume"]), row_size)
    return Profile(rows, value_area(rows)) if rows.total > 0 else None
