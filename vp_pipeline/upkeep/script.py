"""The rows in what pg_restore writes of a dump, and nothing else of it.

Here belongs reading that script without running it: whoever made the dump could have put any statement in
there, and any command of psql. What goes on is names and rows; a line that is neither is refused.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

from vp_pipeline.upkeep.archive import CHUNK, BackupError

_NAME = rb'(?:[a-z_][a-z0-9_]*|"[a-z_][a-z0-9_]*")'
_COPY = re.compile(rb"COPY (public|site)\.(%(n)s) \((%(n)s(?:, %(n)s)*)\) FROM stdin;\n" % {b"n": _NAME})
_SEQUENCE = re.compile(
    rb"SELECT pg_catalog\.setval\('(public|site)\.(%s)', (\d{1,19}), (true|false)\);\n" % _NAME
)
_END = b"\\.\n"
_ENCODING = b"SET client_encoding = "
# Comments, settings of the session that would run this, and what keeps psql from commands.
_NOTHING = re.compile(
    rb"(--.*|SET [a-z_]+ = [\w']+;|SELECT pg_catalog\.set_config\('search_path', '', false\);"
    rb"|\\(un)?restrict [A-Za-z0-9]+)?\n"
)


@dataclass(frozen=True)
class Rows:
    """Rows of a table in COPY's text format; to be read to their end before what comes next."""

    schema: str
    table: str
    columns: tuple[str, ...]
    blocks: Iterator[bytes]


@dataclass(frozen=True)
class Sequence:
    """Where a sequence stood, and whether it had given that number."""

    schema: str
    name: str
    value: int
    called: bool


def parts(script: IO[bytes]) -> Iterator[Rows | Sequence]:
    """Everything of a data section, in its order.

    Raises:
        BackupError: it has something else, or ends within a table.
    """
    while line := script.readline():
        if found := _COPY.fullmatch(line):
            schema, table, columns = map(_text, found.groups())
            yield Rows(schema, table, tuple(columns.split(", ")), _rows(script, table))
        elif found := _SEQUENCE.fullmatch(line):
            schema, name, value, called = map(_text, found.groups())
            yield Sequence(schema, name, int(value), called == "true")
        elif not _NOTHING.fullmatch(line) or (line.startswith(_ENCODING) and b"'UTF8'" not in line):
            raise BackupError(
                f"the backup holds something other than rows, {line[:80]!r}: `vp backup` makes no such file;"
                " if you trust who made it, see what is in there with pg_restore"
            )


def _rows(script: IO[bytes], table: str) -> Iterator[bytes]:
    lines: list[bytes] = []
    size = 0
    for line in iter(script.readline, _END):
        if not line:
            raise BackupError(f"the backup ends within the table {table}: use another copy")
        lines.append(line)
        size += len(line)
        if size >= CHUNK:
            yield b"".join(lines)
            lines, size = [], 0
    yield b"".join(lines)


def _text(name: bytes) -> str:
    return name.replace(b'"', b"").decode()
