"""Reads the lines of a CSV file one after the other, plain or gzipped.

Here belongs what a file can have wrong as text; what its cells mean is in `candle_file` and `table_file`.
No more than a line is held, so that a year of minutes is read on a small machine.
"""

import csv
import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from vp_pipeline.own_data.errors import DataFileError

_DAMAGES = (gzip.BadGzipFile, EOFError, zlib.error)


def csv_lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    """The cells of each line with its number; empty lines at the end of the file are none.

    Raises:
        DataFileError: the file cannot be read, or is no gzip, UTF-8 or CSV.
    """
    try:
        with _opened(path) as file:
            yield from _rows(path, file)
    except UnicodeDecodeError as error:
        raise _not_text(path) from error
    except _DAMAGES as error:
        raise _damaged(path) from error
    except OSError as error:
        raise DataFileError(f"cannot read {path} ({error.strerror}): give a file you may read") from error


def _opened(path: Path) -> TextIO:
    if path.suffix.lower() == ".gz":
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
    return path.open(encoding="utf-8-sig", newline="")


def _rows(path: Path, file: TextIO) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(file, strict=True, skipinitialspace=True)
    line = 1
    empty: list[int] = []
    try:
        for row in reader:
            if row:
                # Only now is it certain that they are not at the end.
                yield from ((number, []) for number in empty)
                empty.clear()
                yield line, row
            else:
                empty.append(line)
            line = reader.line_num + 1
    except csv.Error as error:
        raise DataFileError(f"{path}, line {line}: not CSV ({error}): check its quotes") from error


def _not_text(path: Path) -> DataFileError:
    """The error that names the first line which is not UTF-8; of a damaged gzip file, its damage."""
    try:
        with gzip.open(path) if path.suffix.lower() == ".gz" else path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                try:
                    line.decode("utf-8")
                except UnicodeDecodeError:
                    return DataFileError(f"{path}, line {number}: not UTF-8 text: save the file as UTF-8")
    except _DAMAGES:
        return _damaged(path)
    raise AssertionError(f"{path} has changed while it was read")


def _damaged(path: Path) -> DataFileError:
    return DataFileError(
        f"{path} is no complete gzip file: gzip it again, or drop .gz from its name if it is text"
    )
