"""What a database holds, as numbers that two databases can be compared by.

Here belongs counting and hashing tables. The hash depends on the rows alone and not on their order, nor on
PostgreSQL's version. The database may be another's, who must not have his functions called.
"""

from collections.abc import Mapping, Sequence
from typing import TypedDict

from psycopg import sql

from vp_pipeline.storage.connection import Connection

_TABLES = """
SELECT relname FROM pg_class
WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY relname"""
# Of a row, not of the table's own type, which its owner may have given a cast to text.
_COUNT = """
SELECT count(*), coalesce(sum(
    ('x' || substr(md5(ROW({})::text), 1, 16))::bit(64)::bigint::numeric), 0)::text
FROM ONLY {} AS whole"""


class TableContents(TypedDict):
    """Rows of a table, and the sum of a 64-bit hash over them."""

    rows: int
    hash: str


def tables(connection: Connection) -> list[str]:
    """Names of all tables that hold rows; partitions are tables of their own."""
    return [str(name) for (name,) in connection.execute(_TABLES).fetchall()]


def of(
    connection: Connection, columns: Mapping[str, Sequence[str]] | None = None
) -> dict[str, TableContents]:
    """Contents of every table, in the caller's transaction. Reads all rows.

    `columns`: of tables that may have others, or the same in another order, than where they were counted.
    """
    connection.execute("SET LOCAL TIME ZONE 'UTC'")
    return {name: _contents(connection, name, (columns or {}).get(name)) for name in tables(connection)}


def differences(expected: Mapping[str, TableContents], found: Mapping[str, TableContents]) -> list[str]:
    """What differs, a line a table; nothing if the contents are the same."""
    lines = []
    for name in sorted({*expected, *found}):
        one, other = expected.get(name), found.get(name)
        if one is None or other is None:
            lines.append(f"{name}: {'not in the backup' if one is None else 'missing'}")
        elif one["rows"] != other["rows"]:
            lines.append(f"{name}: {other['rows']:,} rows instead of {one['rows']:,}")
        elif one["hash"] != other["hash"]:
            lines.append(f"{name}: {one['rows']:,} rows, but other ones")
    return lines


def _contents(connection: Connection, table: str, columns: Sequence[str] | None) -> TableContents:
    named = [sql.Identifier("whole", name) for name in columns or ()]
    values = sql.SQL(", ").join(named) if named else sql.SQL("whole.*")
    query = sql.SQL(_COUNT).format(values, sql.Identifier("public", table))
    row = connection.execute(query).fetchone()
    if row is None:
        raise ValueError(f"{table} gave no count")
    return {"rows": int(row[0]), "hash": str(row[1])}
