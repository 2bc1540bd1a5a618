"""Reads a file of returns, strictly.

Here belongs what can be wrong with a return; dates and columns are those of `table_file`.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from vp_pipeline.own_data.cells import finite
from vp_pipeline.own_data.errors import DataFileError
from vp_pipeline.own_data.table_file import Table, read_table

MIN_ROWS = 2
_NOTHING = ("", "nan")
PERCENT_FROM = 0.5
"""A column whose median return is larger than this, up or down, is taken for percent."""


def read_returns(path: Path) -> pd.DataFrame:
    """The returns, a column for each of the file's but the dates: they are the index (UTC, ascending).

    A cell may be empty or NaN before a column's first return and after its last; between, none may.

    Raises:
        DataFileError: anything but returns as fractions from -1 on, with file, line and remedy.
    """
    table = read_table(path)
    if len(table.lines) < MIN_ROWS:
        raise DataFileError(f"{path} has one row: statistics need at least {MIN_ROWS} returns, add more")
    return pd.DataFrame({name: _returns(table, name) for name in table.columns}, index=table.dates)


def _returns(table: Table, name: str) -> list[float]:
    texts = table.columns[name]
    values: list[float] = []
    for row, text in enumerate(texts):
        value = np.nan if text.lower() in _NOTHING else finite(text)
        if value is None:
            raise table.refuse(row, f"{name} is {_wrong(text)}")
        values.append(value)
    known = np.flatnonzero(~np.isnan(values))
    if known.size < MIN_ROWS:
        raise DataFileError(
            f"{table.path}, line 1: {name} has {known.size or 'no'} return{'s' * (known.size != 1)}:"
            f" statistics need at least {MIN_ROWS}, add more or remove the column"
        )
    if (gaps := np.flatnonzero(np.diff(known) > 1)).size:
        raise table.refuse(int(known[gaps[0]]) + 1, f"{name} is {_wrong('')}")
    sizes = np.abs(values)
    if (middle := float(np.nanmedian(sizes))) > PERCENT_FROM:
        said = f"half of all {name} move by more than {middle:.3g}, as if in percent: divide them by 100"
        raise table.refuse(int(np.argmax(sizes > PERCENT_FROM)), said)
    for row, value in enumerate(values):
        if value < -1:
            raise table.refuse(
                row,
                f"{name} is {table.columns[name][row]}, a loss of more than everything:"
                " returns are fractions (-0.01 for -1 %), correct it",
            )
    return values


def _wrong(text: str) -> str:
    if not text:
        return "empty, but has returns before and after: give each row between a return, 0 if there was none"
    if text.endswith("%"):
        return f"{text!r}: write it as a fraction, 0.015 for 1.5 %"
    return f"{text!r}, not a number: correct it, or remove the row or the column"
