"""Three roles with logins of their own: what each may, and above all what it may not."""

from collections.abc import Iterator

import psycopg
import pytest

from vp_pipeline.storage import migrate, roles
from vp_pipeline.storage.embedded import EmbeddedPostgres
from vp_pipeline.storage.markets import market_ids
from vp_pipeline.storage.roles import READER, WRITER

Connection = psycopg.Connection[tuple[object, ...]]


@pytest.fixture(scope="module")
def server(postgres_server: EmbeddedPostgres, database_url: str) -> EmbeddedPostgres:
    roles.create(postgres_server.url("postgres"), {})
    roles.grant(database_url)
    migrate.create_database(postgres_server.url("roles_dagster"))
    with psycopg.connect(postgres_server.url("roles_dagster")) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS event_logs (id serial PRIMARY KEY, event text)")
    roles.hand_over(postgres_server.url("roles_dagster"))
    return postgres_server


@pytest.fixture
def name(database_url: str) -> str:
    return str(psycopg.conninfo.conninfo_to_dict(database_url)["dbname"])


@pytest.fixture
def writer(server: EmbeddedPostgres, name: str) -> Iterator[Connection]:
    with psycopg.connect(server.url(name, WRITER), autocommit=True) as connection:
        yield connection


@pytest.fixture
def reader(server: EmbeddedPostgres, name: str) -> Iterator[Connection]:
    with psycopg.connect(server.url(name, READER), autocommit=True) as connection:
        yield connection


def test_the_writer_writes_rows_of_new_markets_too(writer: Connection) -> None:
    with writer.transaction():
        [number] = market_ids(writer, [("kraken", "XRP/USD")]).values()
        writer.execute(
            "INSERT INTO candle (market_id, provisional, open_time, open, high, low, close, volume)"
            " VALUES (%s, false, '2024-01-01Z', 1, 2, 0.5, 1.5, 10)",
            [number],
        )
    assert writer.execute(f"SELECT count(*) FROM candle_{number}").fetchone() == (1,)
    writer.execute(f"DELETE FROM candle WHERE market_id = {number}")
    writer.execute("VACUUM (ANALYZE) candle")
    writer.execute(f"VACUUM candle_{number}")


@pytest.mark.parametrize(
    "statement",
    [
        "DROP TABLE candle",
        "ALTER TABLE aggregate ADD COLUMN mine text",
        "CREATE TABLE mine (one int)",
        "UPDATE alembic_version SET version_num = 'mine'",
        "DELETE FROM installation",
        "CREATE ROLE mine",
        "ALTER ROLE vp_writer SUPERUSER",
        "SET ROLE postgres",
        "SET SESSION AUTHORIZATION postgres",
        "COPY market TO PROGRAM 'true'",
        "SELECT pg_read_file('/etc/passwd')",
        "ALTER SYSTEM SET fsync = off",
        "CREATE FUNCTION public.mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "ALTER FUNCTION make_candle_partition() SECURITY INVOKER",
    ],
)
def test_the_writer_changes_no_table_and_no_right(writer: Connection, statement: str) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        writer.execute(statement)


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO market (exchange, symbol) VALUES ('mine', 'BTC/USD')",
        "UPDATE aggregate SET volume = 0",
        "DELETE FROM site.bar",
        "TRUNCATE candle",
        "SELECT nextval(pg_get_serial_sequence('market', 'market_id'))",
        "RESET ROLE; DELETE FROM aggregate",
        "SET ROLE vp_writer",
        "SET ROLE postgres",
        "CREATE TABLE mine (one int)",
        "DROP TABLE candle",
        "COPY aggregate TO PROGRAM 'true'",
    ],
)
def test_the_reader_can_only_select(reader: Connection, statement: str) -> None:
    assert reader.execute("SELECT count(*) FROM aggregate").fetchone() == (0,)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        reader.execute(statement)


def test_no_names_of_the_callers_stand_in_the_owners_way(writer: Connection) -> None:
    """A function that acts as the owner must not find the caller's objects first."""
    writer.execute("CREATE TEMP TABLE candle (mine int)")
    writer.execute("SET search_path = pg_temp, public")
    writer.execute("INSERT INTO public.market (exchange, symbol) VALUES ('kraken', 'LTC/USD')")
    found = writer.execute(
        "SELECT count(*) FROM pg_inherits WHERE inhparent = 'public.candle'::regclass"
    ).fetchone()
    numbers = writer.execute("SELECT count(*) FROM public.market").fetchone()
    assert found == numbers


def test_dagsters_database_is_the_writers_alone(server: EmbeddedPostgres) -> None:
    with psycopg.connect(server.url("roles_dagster", WRITER)) as connection:
        connection.execute("INSERT INTO event_logs (event) VALUES ('one')")
        connection.execute("ALTER TABLE event_logs ADD COLUMN more text")
        connection.execute("CREATE TABLE another (one int)")
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        psycopg.connect(server.url("roles_dagster", READER))


def test_given_again_nothing_changes(server: EmbeddedPostgres, database_url: str) -> None:
    query = "SELECT relname, relacl::text FROM pg_class WHERE relacl IS NOT NULL ORDER BY 1"
    with psycopg.connect(database_url) as connection:
        before = connection.execute(query).fetchall()
    roles.create(database_url, {})
    roles.grant(database_url)
    roles.hand_over(server.url("roles_dagster"))
    with psycopg.connect(database_url) as connection:
        assert connection.execute(query).fetchall() == before
