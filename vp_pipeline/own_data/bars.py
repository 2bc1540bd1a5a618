"""Length of the bars of a file.

Here belongs how it is found; what follows from it is the analytics' matter.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from vp_pipeline.own_data.errors import DataFileError


def bar_length(path: Path, candles: pd.DataFrame) -> pd.Timedelta:
    """The median spacing of open_time, the lower one of two.

    Raises:
        DataFileError: there is only one candle.
    """
    steps = np.sort(np.diff(candles["open_time"].to_numpy()))
    if len(steps) == 0:
        raise DataFileError(f"{path} has one candle, so the length of its bars is unknown: give two or more")
    return pd.Timedelta(steps[(len(steps) - 1) // 2])
