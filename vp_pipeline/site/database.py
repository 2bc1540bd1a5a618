"""The site's connections to Postgres: read-only, and never waited on for long.

Here belongs how the site connects. What it asks is in the `*_queries` modules and in `storage`.
"""

from contextlib import AbstractContextManager

from psycopg.conninfo import make_conninfo

from vp_pipeline.settings import Settings
from vp_pipeline.storage.connection import Connection, transaction

CONNECT_SECONDS = 3
STATEMENT_SECONDS = 30


def reading(settings: Settings) -> AbstractContextManager[Connection]:
    """A connection that can change nothing.

    Raises:
        psycopg.OperationalError: Postgres does not answer, or took longer than `STATEMENT_SECONDS`.
    """
    return transaction(
        make_conninfo(
            settings.database_url.get_secret_value(),
            connect_timeout=CONNECT_SECONDS,
            # Repeatable read: one page is made from one state of the database.
            options="-c default_transaction_read_only=on -c default_transaction_isolation=repeatable\\ read"
            f" -c statement_timeout={STATEMENT_SECONDS}s",
        )
    )
