"""Connections to Postgres.

Here belongs opening one, and nothing that needs pandas: the supervising process and the site's
documents do without it.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, TypeVar

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from vp_pipeline.storage.address import plain

Connection = psycopg.Connection[tuple[Any, ...]]
T = TypeVar("T")

ATTEMPTS: Final = 5
"""So often is work tried that ends in a deadlock."""


def guarded(url: str) -> str:
    """The address of a database that somebody else may make things in, for a caller with more rights than he.

    Functions and operators are PostgreSQL's own, whatever the database has of the same name and says to look
    for first. Tables have to be named with their schema.
    """
    options = conninfo_to_dict(url).get("options") or ""
    return make_conninfo(url, options=f"{options} -c search_path=pg_catalog".strip())


@contextmanager
def transaction(url: str) -> Iterator[Connection]:
    """A connection whose statements are committed together, or not at all."""
    with psycopg.connect(plain(url), application_name="vp") as connection:
        connection.execute("SET TIME ZONE 'UTC'")
        yield connection


def in_transaction(url: str, work: Callable[[Connection], T]) -> T:
    """What `work` returns of a transaction of its own, done again if it ended in a deadlock.

    For work that marks what others make and makes what others marked: which of two that wait for each
    other has to begin anew is Postgres' choice, and no order of their statements suits both.

    Raises:
        psycopg.errors.DeadlockDetected: it did so `ATTEMPTS` times.
    """
    for _ in range(ATTEMPTS - 1):
        try:
            with transaction(url) as connection:
                return work(connection)
        except psycopg.errors.DeadlockDetected:
            continue
    with transaction(url) as connection:
        return work(connection)
