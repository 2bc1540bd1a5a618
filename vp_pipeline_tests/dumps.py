"""A database as bytes, for tests that something has not changed."""

import psycopg
from psycopg import sql


def dump(database_url: str, *without: str) -> dict[str, bytes]:
    """Every table's rows but for those of the tables named, each in one order."""
    tables = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"
    with psycopg.connect(database_url) as connection:
        names = [name for (name,) in connection.execute(tables) if name not in without]
        return {name: _rows(connection, name) for name in names}


def _rows(connection: psycopg.Connection[tuple[object, ...]], table: str) -> bytes:
    query = sql.SQL("COPY (SELECT * FROM {} AS rows ORDER BY rows::text) TO STDOUT")
    with connection.cursor().copy(query.format(sql.Identifier(table))) as copy:
        return b"".join(bytes(block) for block in copy)
