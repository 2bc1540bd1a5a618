"""Connections to Postgres.

Here belongs opening one, and nothing that needs pandas: the supervising process and the site's
documents do without it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

Connection = psycopg.Connection[tuple[Any, ...]]


@contextmanager
def transaction(url: str) -> Iterator[Connection]:
    """A connection whose statements are committed together, or not at all."""
    with psycopg.connect(url, application_name="vp") as connection:
        connection.execute("SET TIME ZONE 'UTC'")
        yield connection
