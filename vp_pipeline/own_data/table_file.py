"""Reads a table of dates and columns, strictly.

Here belongs what any such file can have wrong: its header, dates and number of cells. The file as text is in
`csv_lines`; what the cells mean is read in `returns_file` and `prices_file`.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd

from vp_pipeline.own_data.csv_lines import csv_lines
from vp_pipeline.own_data.errors import DataFileError

DATE_NAMES = ("date", "day", "time", "datetime", "timestamp")
# What the platform's own files say of simulated and recorded data, in every row.
SOURCE = "source"


@dataclass(frozen=True)
class Table:
    """The cells of each column as text, the date (UTC, ascending) and the line of each row."""

    path: Path
    dates: pd.DatetimeIndex
    columns: dict[str, list[str]]
    lines: list[int]

    def refuse(self, row: int, said: str) -> DataFileError:
        """The error of a row."""
        return DataFileError(f"{self.path}, line {self.lines[row]}: {said}")


def read_table(path: Path) -> Table:
    """The table of a UTF-8, comma-separated file whose first line names the columns.

    One column holds the dates: named as one of `DATE_NAMES`, or the first and without a name. They are
    ISO 8601, and UTC if they have no offset. Empty lines are skipped, as is the column `source`.

    Raises:
        DataFileError: anything else, with file, line and remedy.
    """
    numbered = ((line, row) for line, row in csv_lines(path) if row)
    line, header = next(numbered, (1, []))
    names = [name.strip() for name in header]
    if not names:
        raise DataFileError(f"{path} is empty: its first line has to name the columns")
    if len(names) == 1:
        raise DataFileError(
            f"{path}, line {line}: one column only: name the dates and at least one more, with commas between"
        )
    date_at = _date_column(path, line, names)
    lines, rows = [], []
    for line, row in numbered:
        if len(row) != len(names):
            said = f"{len(row)} cells under {len(names)} column names: complete the line or remove it"
            raise DataFileError(f"{path}, line {line}: {said}")
        lines.append(line)
        rows.append([cell.strip() for cell in row])
    if not rows:
        raise DataFileError(f"{path} has no rows below its column names: add a line for each date")
    columns = {
        name: [row[at] for row in rows] for at, name in enumerate(names) if at != date_at and name != SOURCE
    }
    return Table(path, _dates(path, lines, [row[date_at] for row in rows]), columns, lines)


def _date_column(path: Path, line: int, names: list[str]) -> int:
    """The place of the dates; checks the names of all."""
    dates = [at for at, name in enumerate(names) if name.lower() in DATE_NAMES or (not name and at == 0)]
    for at, name in enumerate(names):
        if not name and at not in dates:
            raise DataFileError(f"{path}, line {line}: column {at + 1} has no name: name it or remove it")
        if name in names[:at]:
            raise DataFileError(f"{path}, line {line}: column {name!r} is there twice: rename or remove one")
    if not dates:
        raise DataFileError(f"{path}, line {line}: no column 'date': name the column of the dates so")
    if len(dates) > 1:
        both = " and ".join(repr(names[at]) for at in dates[:2])
        raise DataFileError(f"{path}, line {line}: {both} may both be the dates: remove or rename one")
    return dates[0]


def _dates(path: Path, lines: list[int], texts: list[str]) -> pd.DatetimeIndex:
    found: list[datetime] = []
    for line, text in zip(lines, texts, strict=True):
        try:
            date = datetime.fromisoformat(text)
        except ValueError:
            said = (
                f"{text!r} is not a date: write it as 2024-01-31" if text else "the date is missing: add it"
            )
            raise DataFileError(f"{path}, line {line}: {said}") from None
        date = date.replace(tzinfo=UTC) if date.tzinfo is None else date.astimezone(UTC)
        if found and date == found[-1]:
            raise DataFileError(f"{path}, line {line}: the date {text} is there twice: keep one of the rows")
        if found and date < found[-1]:
            raise DataFileError(
                f"{path}, line {line}: {text} comes after a later date: sort the rows by date"
            )
        found.append(date)
    return pd.DatetimeIndex(found, name="date")
