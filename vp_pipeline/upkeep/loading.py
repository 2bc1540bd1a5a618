"""Rows of a dump into tables that this program, or its Dagster, has just made.

Here belongs what becomes of a dump in a database whose tables are there and empty. Triggers and references
wait until all rows are in: what the triggers would make is among them.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

import psycopg
from psycopg import sql

from vp_pipeline.storage.connection import Connection, guarded
from vp_pipeline.upkeep import servers
from vp_pipeline.upkeep.archive import BackupError
from vp_pipeline.upkeep.script import Rows, Sequence, parts

# A market's candles have a table of their own, as the migrations make it for a market that is there.
_PARTITION = re.compile(r"candle_([1-9]\d*)")
_TABLES = """
SELECT relname FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
WHERE nspname = %s AND relkind = %s"""
_TRIGGERS = """
SELECT DISTINCT nspname, relname FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid
JOIN pg_namespace ON pg_namespace.oid = relnamespace WHERE NOT tgisinternal"""
_REFERENCES = """
SELECT nspname, relname, conname, pg_get_constraintdef(pg_constraint.oid)
FROM pg_constraint JOIN pg_class ON pg_class.oid = conrelid
JOIN pg_namespace ON pg_namespace.oid = relnamespace
WHERE contype = 'f' AND conparentid = 0"""


def load(blocks: Iterable[bytes], url: str, without: frozenset[str] = frozenset()) -> Mapping[str, list[str]]:
    """Load a dump in one transaction, without tables that have their rows; columns by table of public.

    Raises:
        BackupError: it holds anything but rows, or rows of a table that is not there.
        psycopg.Error: the server refuses something.
    """
    columns: dict[str, list[str]] = {}
    with (
        psycopg.connect(guarded(url), client_encoding="utf8") as connection,
        _unhindered(connection),
        servers.script(blocks) as script,
    ):
        for part in parts(script):
            if isinstance(part, Sequence):
                _continue(connection, part)
                continue
            if part.schema == "public":
                columns[part.table] = list(part.columns)
            if part.schema == "public" and part.table in without:
                for _ in part.blocks:
                    pass
            else:
                _copy(connection, part)
    return columns


def _copy(connection: Connection, rows: Rows) -> None:
    names = _names(connection, rows.schema, "r")
    number = _PARTITION.fullmatch(rows.table)
    table = sql.Identifier(rows.schema, rows.table)
    if rows.table not in names and number and "candle" in _names(connection, "public", "p"):
        of = sql.SQL("CREATE TABLE {} PARTITION OF public.candle FOR VALUES IN ({})")
        connection.execute(of.format(table, sql.Literal(int(number[1]))))
    elif rows.table not in names:
        raise BackupError(
            f"the backup holds rows of {rows.schema}.{rows.table}, a table that neither this program nor its "
            "Dagster makes: take them out with pg_restore yourself if you trust who made the file"
        )
    into = sql.SQL("COPY {} ({}) FROM STDIN").format(
        table, sql.SQL(", ").join(map(sql.Identifier, rows.columns))
    )
    with connection.cursor().copy(into) as copy:
        for block in rows.blocks:
            copy.write(block)


def _continue(connection: Connection, sequence: Sequence) -> None:
    name = sql.Identifier(sequence.schema, sequence.name).as_string(connection)
    connection.execute("SELECT setval(%s::regclass, %s, %s)", [name, sequence.value, sequence.called])


def _names(connection: Connection, schema: str, kind: str) -> set[str]:
    return {str(name) for (name,) in connection.execute(_TABLES, [schema, kind]).fetchall()}


@contextmanager
def _unhindered(connection: Connection) -> Iterator[None]:
    """Without triggers and references, whose tables come in any order; checked at the end."""
    triggers = [sql.Identifier(*names) for names in connection.execute(_TRIGGERS).fetchall()]
    references = connection.execute(_REFERENCES).fetchall()
    for table in triggers:
        connection.execute(sql.SQL("ALTER TABLE {} DISABLE TRIGGER USER").format(table))
    for schema, table, name, _ in references:
        drop = sql.SQL("ALTER TABLE {} DROP CONSTRAINT {}")
        connection.execute(drop.format(sql.Identifier(schema, table), sql.Identifier(name)))
    yield
    for schema, table, name, definition in references:
        add = sql.SQL("ALTER TABLE {} ADD CONSTRAINT {} {}")
        # Of our own migrations and of Dagster, as PostgreSQL writes it.
        connection.execute(
            add.format(sql.Identifier(schema, table), sql.Identifier(name), sql.SQL(definition))
        )
    for table in triggers:
        connection.execute(sql.SQL("ALTER TABLE {} ENABLE TRIGGER USER").format(table))
