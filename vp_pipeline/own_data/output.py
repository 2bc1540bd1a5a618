"""Writes what a command found.

Here belong JSON, tables as text and pages as files; what they hold is decided by each command.
"""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from vp_pipeline.figures.page import Section


def as_json(document: Mapping[str, object]) -> str:
    """The document on one line; what is not a number (NaN) is null."""
    return json.dumps(_known(document), allow_nan=False)


def columns(rows: Iterable[Sequence[str]]) -> str:
    """The rows with their cells aligned: the first to the left, the others to the right."""
    cells = [list(row) for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if at else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in cells
    )


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
    """Write a file and say where.

    Raises:
        click.ClickException: the file cannot be written.
    """
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise click.ClickException(
            f"cannot write {out} ({error.strerror}): give a file in a folder you may write to"
        ) from error
    click.echo(f"wrote {out}")


def _known(value: object) -> object:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _known(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_known(part) for part in value]
    return value
