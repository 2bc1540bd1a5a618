"""The site's connections to Postgres: they can change nothing, and are never waited on for long.

Here belongs how the site connects. What it asks is in the `*_queries` modules and in `storage`.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg.conninfo import make_conninfo

from vp_pipeline.settings import Settings
from vp_pipeline.storage.connection import Connection, transaction

CONNECT_SECONDS = 3
STATEMENT_SECONDS = 30

# Repeatable read: one page is made from one state of the database.
_OPTIONS = (
    "-c default_transaction_read_only=on -c default_transaction_isolation=repeatable\\ read"
    f" -c statement_timeout={STATEMENT_SECONDS}s"
)


@contextmanager
def reading(settings: Settings) -> Iterator[Connection]:
    """A connection that can change nothing.

    Raises:
        psycopg.OperationalError: Postgres does not answer, or took longer than `STATEMENT_SECONDS`.
    """
    with transaction(address(settings)) as connection:
        become_reader(connection)
        yield connection


def address(settings: Settings) -> str:
    """How the site connects."""
    return make_conninfo(
        settings.database_url.get_secret_value(), connect_timeout=CONNECT_SECONDS, options=_OPTIONS
    )


# The role may select and nothing else; a migration creates it where it may.
_BECOME = (
    "SELECT set_config('role', rolname, false) FROM pg_roles"
    " WHERE rolname = 'vp_reader' AND pg_has_role(rolname, 'MEMBER')"
)


def become_reader(connection: Connection) -> None:
    """Take the role of a reader; where there is none, the connection is read-only by its settings."""
    connection.execute(_BECOME)


async def become_reader_async(connection: psycopg.AsyncConnection[tuple[object, ...]]) -> None:
    """The same for a connection of an event loop."""
    await connection.execute(_BECOME)
