"""Reads a candle file, strictly.

Here belongs everything that can be wrong with a file; what is computed from candles does not. Columns are
found by name, in any order, upper or lower case, spaces around names and values ignored: open_time, open,
high, low, close, volume, trades, taker_buy_volume. Other columns are not read. How open_time may be
written is in `open_time`.
"""

import csv
import gzip
import io
import zlib
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from vp_pipeline.own_data import open_time
from vp_pipeline.own_data.errors import CandleFileError

PRICES = ("open", "high", "low", "close")
AMOUNTS = ("volume", "trades", "taker_buy_volume")

_Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class _Cells:
    """The cells of the known columns as text, and the line each row began on."""

    path: Path
    columns: dict[str, list[str]]
    lines: Sequence[int]

    def refuse(self, row: int, said: str) -> CandleFileError:
        return CandleFileError(f"{self.path}, line {self.lines[row]}: {said}")

    def refuse_first(self, wrong: _Mask, said: Callable[[int], str]) -> None:
        """Raise for the first row that is wrong, if any."""
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
        CandleFileError: anything else, with file, line and remedy.
    """
    cells = _cells(path, _text(path), required, f"{purpose} needs: {remedy}")
    columns: dict[str, pd.Series] = {}
    if "open_time" in cells.columns:
        columns["open_time"] = pd.Series(_times(cells))
    for name in (*PRICES, *AMOUNTS):
        if name in cells.columns:
            columns[name] = pd.Series(_numbers(cells, name))
    candles = pd.DataFrame(columns)
    _check_ranges(cells, candles)
    return candles


def _text(path: Path) -> str:
    try:
        content = path.read_bytes()
        if path.suffix.lower() == ".gz":
            content = gzip.decompress(content)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise CandleFileError(
            f"{path} is no complete gzip file: gzip it again, or drop .gz from its name if it is text"
        ) from error
    except OSError as error:
        raise CandleFileError(f"cannot read {path} ({error.strerror}): give a file you may read") from error
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise CandleFileError(f"{path}, line {line}: not UTF-8 text: save the file as UTF-8") from error


def _cells(path: Path, text: str, required: Collection[str], wanted: str) -> _Cells:
    numbered = _rows(path, text)
    _, header = next(numbered, (0, []))
    if not header:
        raise CandleFileError(f"{path} is empty: its first line has to name the columns")
    names = [name.strip().lower() for name in header]
    known = {name: at for at, name in enumerate(names) if name in ("open_time", *PRICES, *AMOUNTS)}
    for name in known:
        if names.count(name) > 1:
            raise CandleFileError(f"{path}, line 1: column {name} is there twice: keep one of them")
    missing = [name for name in required if name not in known]
    if missing:
        raise CandleFileError(f"{path}, line 1: no column {', '.join(missing)}, which {wanted}")
    lines, rows = [], []
    for line, row in numbered:
        if len(row) != len(names):
            raise CandleFileError(
                f"{path}, line {line}: {len(row)} values for {len(names)} columns: complete or remove it"
            )
        lines.append(line)
        rows.append(row)
    if not rows:
        raise CandleFileError(f"{path} has no candles: add a line for each below the column names")
    return _Cells(path, {name: [row[at].strip() for row in rows] for name, at in known.items()}, lines)


def _rows(path: Path, text: str) -> Iterator[tuple[int, list[str]]]:
    """Each row with its line number; empty lines at the end of the file are none."""
    reader = csv.reader(io.StringIO(text.rstrip("\r\n"), newline=""), strict=True)
    line = 1
    try:
        for row in reader:
            yield line, row
            line = reader.line_num + 1
    except csv.Error as error:
        raise CandleFileError(f"{path}, line {line}: not CSV ({error}): check its quotes") from error


def _times(cells: _Cells) -> pd.DatetimeIndex:
    try:
        times = open_time.parse(cells.columns["open_time"])
    except open_time.WrongTimeError as error:
        raise cells.refuse(error.row, error.said) from error
    steps = np.diff(times.asi8)
    cells.refuse_first(
        np.concatenate(([False], steps == 0)),
        lambda row: f"open_time {cells.columns['open_time'][row]} is there twice: keep one of the candles",
    )
    cells.refuse_first(
        np.concatenate(([False], steps < 0)),
        lambda row: (
            f"open_time {cells.columns['open_time'][row]} is before that of the candle above: sort by it"
        ),
    )
    return times


def _numbers(cells: _Cells, name: str) -> npt.NDArray[np.float64]:
    texts = cells.columns[name]
    try:
        values = np.array([_number(text) for text in texts], dtype=np.float64)
    except ValueError:
        row = next(at for at, text in enumerate(texts) if not _is_number(text))
        what = f"{name} is {texts[row]!r}, not a number" if texts[row] else f"{name} is empty"
        raise cells.refuse(row, f"{what}: correct it or remove the line") from None
    cells.refuse_first(
        ~np.isfinite(values), lambda row: f"{name} is {texts[row]}: correct it or remove the line"
    )
    low = values <= 0 if name in PRICES else values < 0
    bound = "not positive" if name in PRICES else "negative"
    cells.refuse_first(low, lambda row: f"{name} is {texts[row]}, {bound}: correct it or remove the line")
    return values


def _number(text: str) -> float:
    if "_" in text:  # which Python takes for a separator of digits
        raise ValueError(text)
    return float(text)


def _is_number(text: str) -> bool:
    try:
        _number(text)
    except ValueError:
        return False
    return True


def _check_ranges(cells: _Cells, candles: pd.DataFrame) -> None:
    def said(one: str, word: str, other: str) -> Callable[[int], str]:
        return lambda row: (
            f"{one} {cells.columns[one][row]} is {word} {other} {cells.columns[other][row]}:"
            " correct the candle or remove the line"
        )

    for one, word, other in (
        ("low", "above", "high"),
        ("open", "above", "high"),
        ("close", "above", "high"),
        ("open", "below", "low"),
        ("close", "below", "low"),
    ):
        if one in candles and other in candles:
            left, right = candles[one].to_numpy(), candles[other].to_numpy()
            cells.refuse_first(left > right if word == "above" else left < right, said(one, word, other))
