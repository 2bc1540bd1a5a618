"""The site's connections to Postgres: they can change nothing, and are never waited on for long.

Here belongs how the site connects. What it asks is in the `*_queries` modules and in `storage`.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from fastapi import Request
from psycopg.conninfo import make_conninfo
from psycopg_pool import ConnectionPool

from vp_pipeline.settings import Settings
from vp_pipeline.storage.connection import Connection

CONNECT_SECONDS = 3
STATEMENT_SECONDS = 30
_PATIENCE_SECONDS = 1.5
# A connection nobody used for so long is closed, and its memory in Postgres freed.
_IDLE_SECONDS = 120.0

# Repeatable read: one page is made from one state of the database.
_OPTIONS = (
    "-c default_transaction_read_only=on -c default_transaction_isolation=repeatable\\ read"
    f" -c statement_timeout={STATEMENT_SECONDS}s -c timezone=UTC"
)


class Readers:
    """At most `most` connections, kept between requests: to open one costs more than most pages."""

    def __init__(self, settings: Settings, most: int) -> None:
        self._pool: ConnectionPool[Connection] = ConnectionPool(
            address(settings),
            kwargs={"application_name": "vp"},
            configure=_prepare,
            check=ConnectionPool.check_connection,
            min_size=0,
            max_size=most,
            max_idle=_IDLE_SECONDS,
            # Where Postgres does not answer the reader is told soon; the next request tries anew.
            timeout=_PATIENCE_SECONDS,
            reconnect_timeout=_PATIENCE_SECONDS,
            num_workers=1,
            open=False,
        )

    def open(self) -> None:
        """Begin; nothing is connected before the first request."""
        self._pool.open()

    def close(self) -> None:
        """Close all connections."""
        self._pool.close()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection that can change nothing, within one transaction.

        Raises:
            psycopg.OperationalError: Postgres does not answer, or took longer than `STATEMENT_SECONDS`.
        """
        with self._pool.connection() as connection:
            yield connection


@contextmanager
def reading(request: Request) -> Iterator[Connection]:
    """As `Readers.reading`, of the application that answers the request."""
    readers: Readers = request.app.state.readers
    with readers.reading() as connection:
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


def _prepare(connection: Connection) -> None:
    """Take the role of a reader; where there is none, the connection is read-only by its settings."""
    connection.execute(_BECOME)
    connection.commit()


async def become_reader(connection: psycopg.AsyncConnection[tuple[object, ...]]) -> None:
    """The same for a connection of an event loop."""
    await connection.execute(_BECOME)
