"""Reads a file of trades, strictly.

Here belongs everything that can be wrong with trades; the file as text is in `csv_lines`, candles are read by
`candle_file`. Columns are found by name, in any order, upper or lower case: price, one of the names in
`AMOUNT` for the volume in the base asset, and id. Other columns are not read: trades may stand in any order
and share a time, so that only a repeated id is taken for a trade that is there twice.
"""

from array import array
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from vp_pipeline.own_data.cells import finite
from vp_pipeline.own_data.csv_lines import csv_lines
from vp_pipeline.own_data.errors import DataFileError

AMOUNT = ("volume", "amount", "quantity", "qty", "size", "base_qty")
ID = ("id", "trade_id")


def read_trades(path: Path) -> pd.DataFrame:
    """Columns price and volume (finite floats, prices positive, volumes not negative) of a CSV file.

    Raises:
        DataFileError: anything else, with file, line and remedy.
    """
    lines = csv_lines(path)
    _, header = next(lines, (1, []))
    if not header:
        raise DataFileError(f"{path} is empty: its first line has to name the columns")
    names = [name.strip().lower() for name in header]
    places = {
        what: _place(path, names, choice) for what, choice in (("price", ("price",)), ("volume", AMOUNT))
    }
    identity = next((names.index(name) for name in ID if name in names), None)
    columns = {what: array("d") for what in places}
    seen: dict[str, int] = {}
    for line, row in lines:
        if len(row) != len(names):
            raise DataFileError(
                f"{path}, line {line}: {len(row)} values for {len(names)} columns: complete or remove it"
            )
        for what, at in places.items():
            columns[what].append(_number(path, line, names[at], row[at], positive=what == "price"))
        if identity is not None:
            first = seen.setdefault(row[identity].strip(), line)
            if first != line:
                raise DataFileError(
                    f"{path}, line {line}: trade {row[identity].strip()} is in line {first} too:"
                    " keep one of them"
                )
    if not columns["price"]:
        raise DataFileError(f"{path} has no trades: add a line for each below the column names")
    return pd.DataFrame({what: np.array(values) for what, values in columns.items()})


def _place(path: Path, names: list[str], choice: Sequence[str]) -> int:
    held = [at for at, name in enumerate(names) if name in choice]
    if len(held) == 1:
        return held[0]
    if not held:
        raise DataFileError(
            f"{path}, line 1: no column {' or '.join(choice)}, which --placement trades needs:"
            " add it or rename one"
        )
    raise DataFileError(
        f"{path}, line 1: columns {' and '.join(names[at] for at in held)} may be meant: keep one of them"
    )


def _number(path: Path, line: int, name: str, text: str, positive: bool) -> float:
    value = finite(text)
    if value is not None and (value > 0 if positive else value >= 0):
        return value
    wanted = "a positive number" if positive else "a number from 0 on"
    said = f"{name} is {text.strip()!r}, not {wanted}" if text.strip() else f"{name} is empty"
    raise DataFileError(f"{path}, line {line}: {said}: correct it or remove the line")
