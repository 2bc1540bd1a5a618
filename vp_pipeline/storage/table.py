"""What a table is to the writing code: columns, key, what a partition covers.

Here belongs the kind of declaration; the declarations are in `tables` and `profile_tables`.
"""

from dataclasses import dataclass
from typing import Literal

PgType = Literal["int2", "int4", "int8", "float8", "bool", "text", "date", "timestamptz", "bytea"]


@dataclass(frozen=True)
class Table:
    """`time` says which column a partition's window selects."""

    name: str
    columns: dict[str, PgType]
    key: tuple[str, ...]
    time: str | None = None
