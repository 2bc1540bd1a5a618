"""An installation's two databases, with rows in both."""

from collections.abc import Iterator
from itertools import count

import psycopg
import pytest
from dagster_postgres import PostgresEventLogStorage, PostgresRunStorage, PostgresScheduleStorage

from vp_pipeline.storage import embedded, migrate
from vp_pipeline.storage.connection import transaction
from vp_pipeline.upkeep.databases import DAGSTER, OWN
from vp_pipeline_tests.operations import installation

_numbers = count(1)


def sqlalchemy(url: str) -> str:
    """An address as Dagster needs it."""
    return url.replace("postgresql://", "postgresql+psycopg2://", 1)


@pytest.fixture
def empty(postgres_server: embedded.EmbeddedPostgres) -> Iterator[dict[str, str]]:
    """Addresses of two databases that are not there; what a test makes is dropped."""
    number = next(_numbers)
    names = {DAGSTER: f"dagster_copy_{number}", OWN: f"vp_copy_{number}"}
    yield {name: postgres_server.url(database) for name, database in names.items()}
    with psycopg.connect(postgres_server.url("postgres"), autocommit=True) as connection:
        for database in names.values():
            connection.execute(f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")


@pytest.fixture(scope="module")
def filled(database_url: str, postgres_server: embedded.EmbeddedPostgres) -> Iterator[dict[str, str]]:
    """Addresses of two databases with rows, by name."""
    with transaction(database_url) as connection:
        installation.fill(connection, "sandbox")
        connection.execute("INSERT INTO stale_hour SELECT 'it''s', E'\\t\\\\', now()")
    name = f"dagster_{next(_numbers)}"
    url = postgres_server.url(name)
    migrate.create_database(url)
    for storage in (PostgresEventLogStorage, PostgresRunStorage, PostgresScheduleStorage):
        storage(sqlalchemy(url), should_autocreate_tables=True).dispose()
    with transaction(url) as connection:
        connection.execute(
            "INSERT INTO event_logs (run_id, event, timestamp)"
            " SELECT i::text, '{}', now() FROM generate_series(1, 50) i"
        )
        connection.execute("INSERT INTO runs (run_id, status) VALUES ('1', 'SUCCESS')")
        connection.execute("INSERT INTO run_tags (run_id, key, value) VALUES ('1', 'a', 'b')")
    yield {DAGSTER: url, OWN: database_url}
    with psycopg.connect(postgres_server.url("postgres"), autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
