"""Reads a candle file, strictly.

Here belongs everything that can be wrong with candles; the file as text is in `csv_lines`. Columns are found
by name, in any order, upper or lower case, spaces around names and values ignored: open_time, open, high,
low, close, volume, trades, taker_buy_volume. Other columns are not read. How open_time may be written is in
`open_time`.
"""

from array import array
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from vp_pipeline.analytics.price_rows import Floats
from vp_pipeline.own_data import open_time
from vp_pipeline.own_data.cells import number
from vp_pipeline.own_data.csv_lines import csv_lines
from vp_pipeline.own_data.errors import DataFileError

PRICES = ("open", "high", "low", "close")
AMOUNTS = ("volume", "trades", "taker_buy_volume")
ALIASES = {"count": "trades", "open_time_ms": "open_time", "taker_buy_base": "taker_buy_volume"}
"""Names of the same columns in archives and recordings."""

_BATCH = 10_000  # lines: columns are read much faster than cells, yet few lines are held as text


@dataclass
class _Columns:
    """What was read so far: `times` as text, `lines` the number of each candle's line."""

    path: Path
    numbers: dict[str, "array[float]"]
    times: list[str] = field(default_factory=list)
    lines: "array[int]" = field(default_factory=lambda: array("q"))

    def refuse(self, row: int, said: str) -> DataFileError:
        return DataFileError(f"{self.path}, line {self.lines[row]}: {said}")

    def refuse_first(self, wrong: npt.NDArray[np.bool_], said: Callable[[int], str]) -> None:
        """Raise for the first candle that is wrong, if any."""
        if wrong.any():
            row = int(np.argmax(wrong))
            raise self.refuse(row, said(row))


def read_candles(
    path: Path, required: Collection[str], purpose: str, remedy: str = "add it or rename one"
) -> pd.DataFrame:
    """The candles of a CSV file, also gzipped (`.gz`), in the order of its lines.

    Args:
        path: the file: UTF-8, comma separated, the first line names the columns.
        required: columns that have to be there.
        purpose: what needs them, for the message if one is missing.
        remedy: what to do about a missing one.

    Returns:
        The known columns the file has: open_time (UTC, strictly ascending), the others as finite floats;
        prices are positive, open and close within low to high, amounts not negative.

    Raises:
        DataFileError: anything else, with file, line and remedy.
    """
    read = _columns(path, required, f"{purpose} needs: {remedy}")
    columns: dict[str, pd.Series] = {}
    if read.times:
        columns["open_time"] = pd.Series(_times(read))
    for name in (*PRICES, *AMOUNTS):
        if name in read.numbers:
            columns[name] = pd.Series(_checked(read, name))
    candles = pd.DataFrame(columns)
    _check_ranges(read, candles)
    return candles


def _columns(path: Path, required: Collection[str], wanted: str) -> _Columns:
    numbered = csv_lines(path)
    _, header = next(numbered, (1, []))
    if not header:
        raise DataFileError(f"{path} is empty: its first line has to name the columns")
    names = _named(header)
    known = {name: at for at, name in enumerate(names) if name in ("open_time", *PRICES, *AMOUNTS)}
    for name in known:
        if names.count(name) > 1:
            raise DataFileError(f"{path}, line 1: column {name} is there twice: keep one of them")
    missing = [name for name in required if name not in known]
    if missing:
        raise DataFileError(f"{path}, line 1: no column {', '.join(missing)}, which {wanted}")
    read = _Columns(path, {name: array("d") for name in known if name != "open_time"})
    batch: list[list[str]] = []
    for line, row in numbered:
        if len(row) != len(names):
            raise DataFileError(
                f"{path}, line {line}: {len(row)} values for {len(names)} columns: complete or remove it"
            )
        read.lines.append(line)
        batch.append(row)
        if len(batch) == _BATCH:
            _add(read, known, batch)
            batch.clear()
    if not read.lines:
        raise DataFileError(f"{path} has no candles: add a line for each below the column names")
    _add(read, known, batch)
    return read


def _named(header: Sequence[str]) -> list[str]:
    """Column names, those of exchanges' archives by our names unless ours are there too."""
    names = [name.strip().lower() for name in header]
    return [ALIASES[name] if name in ALIASES and ALIASES[name] not in names else name for name in names]


def _add(read: _Columns, known: dict[str, int], batch: list[list[str]]) -> None:
    """Add the last lines read."""
    for name, at in known.items():
        texts = [row[at] for row in batch]
        if name == "open_time":
            read.times.extend(text.strip() for text in texts)
            continue
        try:
            read.numbers[name].extend(map(number, texts))
        except ValueError:
            wrong = next(row for row, text in enumerate(texts) if not _is_number(text))
            text = texts[wrong].strip()
            what = f"{name} is {text!r}, not a number" if text else f"{name} is empty"
            row = len(read.lines) - len(batch) + wrong
            raise read.refuse(row, f"{what}: correct it or remove the line") from None


def _is_number(text: str) -> bool:
    try:
        number(text)
    except ValueError:
        return False
    return True


def _times(read: _Columns) -> pd.DatetimeIndex:
    texts: Sequence[str] = read.times
    try:
        times = open_time.parse(texts)
    except open_time.WrongTimeError as error:
        raise read.refuse(error.row, error.said) from error
    steps = np.diff(times.asi8, prepend=times.asi8[0] - 1)
    read.refuse_first(
        steps == 0, lambda row: f"open_time {texts[row]} is there twice: keep one of the candles"
    )
    read.refuse_first(
        steps < 0, lambda row: f"open_time {texts[row]} is before that of the candle above: sort by it"
    )
    return times


def _checked(read: _Columns, name: str) -> Floats:
    values = np.array(read.numbers[name])

    def said(what: str) -> Callable[[int], str]:
        return lambda row: f"{name} is {values[row]:.15g}{what}: correct it or remove the line"

    read.refuse_first(~np.isfinite(values), said(""))
    if name in PRICES:
        read.refuse_first(values <= 0, said(", not positive"))
    else:
        read.refuse_first(values < 0, said(", negative"))
    return values


def _check_ranges(read: _Columns, candles: pd.DataFrame) -> None:
    for lower, upper, one, word, other in (
        ("low", "high", "low", "above", "high"),
        ("open", "high", "open", "above", "high"),
        ("close", "high", "close", "above", "high"),
        ("low", "open", "open", "below", "low"),
        ("low", "close", "close", "below", "low"),
    ):
        if lower in candles and upper in candles:
            wrong = (candles[lower] > candles[upper]).to_numpy()
            if wrong.any():
                row = int(np.argmax(wrong))
                left, right = candles[one].iloc[row], candles[other].iloc[row]
                said = f"{one} {left:.15g} is {word} {other} {right:.15g}"
                raise read.refuse(row, f"{said}: correct the candle or remove the line")
