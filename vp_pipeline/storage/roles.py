"""Who may do what: an owner of the tables, a writer of their rows, a reader.

Here belong the two lesser roles and their rights, given anew at every start: a backup holds none. The owner
is whoever calls this. What runs assets is the writer; the website is the reader.
"""

from collections.abc import Mapping

import psycopg
from psycopg import sql

from vp_pipeline.storage.connection import Connection, guarded

WRITER, READER = "vp_writer", "vp_reader"
# PostgreSQL 17 and newer let others than the owner vacuum a table.
_MAINTAIN_SINCE = 170_000

_GRANTS = """
GRANT USAGE ON SCHEMA public, site TO vp_writer, vp_reader;
GRANT SELECT ON ALL TABLES IN SCHEMA public, site TO vp_reader;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public, site TO vp_writer;
GRANT USAGE, SELECT, UPDATE ON ALL SEQUENCES IN SCHEMA public, site TO vp_writer;
ALTER DEFAULT PRIVILEGES IN SCHEMA public, site GRANT SELECT ON TABLES TO vp_reader;
ALTER DEFAULT PRIVILEGES IN SCHEMA public, site GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO vp_writer;
REVOKE INSERT, UPDATE, DELETE ON alembic_version, installation FROM vp_writer;
REVOKE CREATE ON SCHEMA public, site FROM PUBLIC;
REVOKE EXECUTE ON FUNCTION make_candle_partition() FROM PUBLIC
"""
_MAINTAIN = """
GRANT MAINTAIN ON ALL TABLES IN SCHEMA public, site TO vp_writer;
ALTER DEFAULT PRIVILEGES IN SCHEMA public, site GRANT MAINTAIN ON TABLES TO vp_writer
"""
# What PostgreSQL lets everybody do with its own functions: fill the disk with large objects, hold the locks
# that writers wait for. Only a superuser may take that back.
_EVERYBODYS = """
SELECT format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', oid::regprocedure),
    CASE WHEN proname ~ 'advisory' THEN
        format('GRANT EXECUTE ON FUNCTION %s TO vp_writer', oid::regprocedure) END
FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace
    AND proname ~ '^(pg_(try_)?advisory_|lo_(creat|create|from_bytea|import|put)$|lowrite$)' ORDER BY 1
"""
_NOT_THE_WRITERS = """
SELECT format('ALTER %s public.%I OWNER TO vp_writer',
    CASE relkind WHEN 'S' THEN 'SEQUENCE' WHEN 'v' THEN 'VIEW' ELSE 'TABLE' END, relname)
FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'S')
    AND pg_get_userbyid(relowner) <> 'vp_writer'
    -- A column's own sequence goes with its table.
    AND (relkind <> 'S' OR NOT EXISTS (
        SELECT FROM pg_depend WHERE objid = pg_class.oid AND deptype IN ('a', 'i')))
"""


def create(url: str, passwords: Mapping[str, str | None]) -> None:
    """Let both roles be there and log in, with these passwords if any.

    Without one a role can log in only where the server asks for none, as the embedded one does.

    Raises:
        psycopg.errors.InsufficientPrivilege: the owner may not create roles.
    """
    with psycopg.connect(guarded(url), autocommit=True) as connection:
        for role in (WRITER, READER):
            name = sql.Identifier(role)
            if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone():
                connection.execute(sql.SQL("CREATE ROLE {}").format(name))
            connection.execute(sql.SQL("ALTER ROLE {} LOGIN").format(name))
            # Nobody gives away to a role what it is no member of.
            connection.execute(sql.SQL("GRANT {} TO CURRENT_USER").format(name))
            if password := passwords.get(role):
                # Hashed here, so that it stands in no log of the server.
                connection.pgconn.change_password(role.encode(), password.encode())


def grant(url: str) -> None:
    """Give both roles their rights in our own database."""
    with psycopg.connect(url) as connection:
        _each(connection, _GRANTS)
        if connection.info.server_version >= _MAINTAIN_SINCE:
            _each(connection, _MAINTAIN)
        _close(connection)
        if connection.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user").fetchone() == (
            True,
        ):
            for statements in connection.execute(_EVERYBODYS).fetchall():
                for statement in filter(None, statements):
                    connection.execute(statement)


def hand_over(dagster_url: str) -> None:
    """Let the writer, and nobody else, have Dagster's database, whose tables Dagster makes itself."""
    with psycopg.connect(guarded(dagster_url)) as connection:
        database = sql.Identifier(connection.info.dbname)
        connection.execute(sql.SQL("ALTER DATABASE {} OWNER TO vp_writer").format(database))
        connection.execute(sql.SQL("REVOKE CONNECT ON DATABASE {} FROM PUBLIC").format(database))
        _close(connection)
        for (statement,) in connection.execute(_NOT_THE_WRITERS).fetchall():
            connection.execute(statement)


def _close(connection: Connection) -> None:
    """Let nobody but its owner make schemas here, or tables of a session: those have triggers too."""
    database = sql.Identifier(connection.info.dbname)
    connection.execute(sql.SQL("REVOKE CREATE, TEMPORARY ON DATABASE {} FROM PUBLIC").format(database))


def _each(connection: Connection, statements: str) -> None:
    for statement in statements.split(";\n"):
        connection.execute(statement)
