"""Reads a file of closing prices, strictly.

Here belongs what can be wrong with a price; dates and columns are those of `table_file`.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from vp_pipeline.own_data.cells import finite
from vp_pipeline.own_data.errors import DataFileError
from vp_pipeline.own_data.table_file import Table, read_table

MIN_ROWS = 3
"""Two returns."""


def read_closes(path: Path) -> pd.DataFrame:
    """A column of closes for each symbol, the dates as index (UTC, ascending).

    A cell may be empty or NaN before a symbol's listing and after its delisting; between, none may.

    Raises:
        DataFileError: anything else, with file, line and remedy.
    """
    table = read_table(path)
    if len(table.lines) < MIN_ROWS:
        raise DataFileError(
            f"{path} has {len(table.lines)} rows: statistics need at least {MIN_ROWS} closes, add more"
        )
    return pd.DataFrame({name: _closes(table, name) for name in table.columns}, index=table.dates)


def _closes(table: Table, symbol: str) -> list[float]:
    texts = table.columns[symbol]
    values: list[float] = []
    for row, text in enumerate(texts):
        value = np.nan if text.lower() in ("", "nan") else finite(text)
        if value is None:
            raise table.refuse(row, f"{symbol} is {text!r}, not a price: correct it, or leave it empty")
        if value <= 0:
            raise table.refuse(row, f"{symbol} is {text}: a price is above 0, correct it or leave it empty")
        values.append(value)
    known = np.flatnonzero(~np.isnan(values))
    if known.size < 2:
        raise DataFileError(
            f"{table.path}, line 1: {symbol} has fewer than two closes: add some or remove the column"
        )
    gaps = np.flatnonzero(np.diff(known) > 1)
    if gaps.size:
        said = f"{symbol} has no close, but has before and after: fill it in, or remove the row"
        raise table.refuse(int(known[gaps[0]]) + 1, said)
    return values
