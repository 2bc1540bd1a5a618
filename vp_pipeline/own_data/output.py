"""Writes what a command found.

Here belong JSON, tables as text and pages as files; what they hold is decided by each command.
"""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import click

if TYPE_CHECKING:
    import pandas as pd

    from vp_pipeline.figures.page import Section

Json: TypeAlias = Mapping[str, "Json"] | list["Json"] | str | float | int | bool | None


def as_json(value: Any) -> Json:
    """For `json.dumps`: dataclasses as objects, dates as ISO 8601, what is not finite as null."""
    if is_dataclass(value):
        return object_of(value)
    if isinstance(value, Mapping):
        return {str(name): as_json(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [as_json(item) for item in value]
    if isinstance(value, datetime):
        return date_text(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if value is None or isinstance(value, str | float | int):
        return value
    raise TypeError(f"{type(value).__name__} has no JSON")


def object_of(value: Any) -> dict[str, Json]:
    """A dataclass as a JSON object, its fields as `as_json` has them."""
    return {field.name: as_json(getattr(value, field.name)) for field in fields(value)}


def date_text(date: Any) -> str:
    """The day, with the time if it is not midnight; no date is the start."""
    if date is None:
        return "the start"
    import pandas as pd

    when = pd.Timestamp(date)
    return when.strftime("%Y-%m-%d") if when == when.normalize() else when.isoformat()


def echo_json(document: Any) -> None:
    """One indented JSON document; what is not finite is null."""
    click.echo(json.dumps(as_json(document), indent=2, allow_nan=False, ensure_ascii=False))


def columns(rows: Iterable[Sequence[str]], numbers: bool = True) -> str:
    """The rows with their cells aligned: the first to the left, the others to the right if `numbers`."""
    cells = [list(row) for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if at and numbers else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in cells
    )


def echo_table(title: str, table: "pd.DataFrame") -> None:
    """A title and a table of text: a row a statistic, a column a series."""
    names = [str(name) for name in table.columns]
    rows = [["", *names], *([str(label), *map(str, row)] for label, row in table.T.items())]
    click.echo(f"{title}\n\n{columns(rows, numbers=False)}")


def echo_remarks(remarks: Sequence[str]) -> None:
    """Sentences below a table."""
    click.echo()
    for remark in remarks:
        click.echo(remark)


def number(value: float, digits: int = 6) -> str:
    """The value with that many significant digits, all digits before the point, and never an exponent."""
    if not math.isfinite(value):
        return "-"
    places = max(0, digits - 1 - math.floor(math.log10(abs(value)))) if value else 0
    text = f"{value:,.{places}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def write_page(out: Path, title: str, subtitle: str, sections: Iterable["Section"]) -> None:
    """Write one self-contained page and say where.

    Raises:
        click.ClickException: the file cannot be written.
    """
    from vp_pipeline.figures.page import inline, render_page

    write_text(out, inline(render_page(title, subtitle, None, sections)))


def write_text(out: Path, text: str) -> None:
    """Write a file and say where; one that was there stays whole until it is replaced.

    Raises:
        click.ClickException: the file cannot be written.
    """
    try:
        if out.exists() and not out.is_file():  # such as /dev/stdout
            out.write_text(text, encoding="utf-8")
        else:
            whole = out.resolve()
            unfinished = whole.with_name(f"{whole.name}.part")
            unfinished.write_text(text, encoding="utf-8")
            unfinished.replace(whole)
    except OSError as error:
        raise click.ClickException(
            f"cannot write {out} ({error.strerror}): give a file in a folder you may write to"
        ) from error
    click.echo(f"wrote {out}")
