"""Three roles with logins of their own: what each may, and above all what it may not."""

from collections.abc import Iterator
from pathlib import Path

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
        "CREATE TEMP TABLE mine (one int)",
        "CREATE SCHEMA mine",
        "SELECT lo_create(0)",
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
        "CREATE TEMP TABLE mine (one int)",
        "CREATE SCHEMA mine",
        "DROP TABLE candle",
        "COPY aggregate TO PROGRAM 'true'",
        "SELECT lo_create(0)",
        "SELECT lo_from_bytea(0, 'mine')",
        "SELECT lo_put(1, 0, 'mine')",
        "SELECT pg_advisory_lock(7620519)",
        "SELECT pg_try_advisory_xact_lock(7620519)",
    ],
)
def test_the_reader_can_only_select(reader: Connection, statement: str) -> None:
    assert reader.execute("SELECT count(*) FROM aggregate").fetchone() == (0,)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        reader.execute(statement)


@pytest.fixture
def temporary_tables(server: EmbeddedPostgres, name: str) -> Iterator[None]:
    """What both roles must not have, so that what stands behind it is tried by itself."""
    with psycopg.connect(server.url(name), autocommit=True) as owner:
        owner.execute(f"GRANT TEMPORARY ON DATABASE {name} TO vp_writer, vp_reader")
        yield
        owner.execute(f"REVOKE TEMPORARY ON DATABASE {name} FROM vp_writer, vp_reader")


@pytest.mark.usefixtures("temporary_tables")
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


def attack(role: Connection, marker: Path) -> None:
    """Have the owner's function run a program, by a trigger on a table whose market is a text."""
    role.execute("SET default_transaction_read_only = off")
    role.execute("CREATE TEMP TABLE mine (market_id text)")
    role.execute(
        "CREATE TRIGGER mine AFTER INSERT ON mine"
        " FOR EACH ROW EXECUTE FUNCTION public.make_candle_partition()"
    )
    program = f"z (a int); COPY (SELECT 1) TO PROGRAM 'touch {marker}'; --"
    role.execute("INSERT INTO mine VALUES (%s)", [program])


@pytest.mark.parametrize("login", [WRITER, READER])
@pytest.mark.parametrize("given", ["nothing", "tables of a session", "and the function"])
def test_no_role_runs_a_program_as_the_owner(
    server: EmbeddedPostgres,
    name: str,
    login: str,
    given: str,
    request: pytest.FixtureRequest,
) -> None:
    """Three things stand in the way, and each of them alone is enough."""
    marker = server.folder / "data" / "marker"  # where the server can write, whoever it runs as
    if given != "nothing":
        request.getfixturevalue("temporary_tables")
    with psycopg.connect(server.url(name), autocommit=True) as owner:
        if given == "and the function":
            owner.execute("GRANT EXECUTE ON FUNCTION make_candle_partition() TO PUBLIC")
        try:
            with (
                psycopg.connect(server.url(name, login), autocommit=True) as role,
                pytest.raises(psycopg.errors.InsufficientPrivilege) as refused,
            ):
                attack(role, marker)
        finally:
            owner.execute("REVOKE EXECUTE ON FUNCTION make_candle_partition() FROM PUBLIC")
    expected = {
        "nothing": "permission denied to create temporary tables",
        "tables of a session": "permission denied for function public.make_candle_partition",
        "and the function": "for the table market alone",
    }
    assert expected[given] in str(refused.value)
    assert not marker.exists()


@pytest.mark.usefixtures("server")
def test_a_restored_database_is_closed_at_the_next_start(database_url: str) -> None:
    """A backup holds no rights: everybody has what PostgreSQL gives everybody."""
    name = psycopg.conninfo.conninfo_to_dict(database_url)["dbname"]
    opened = "SELECT has_function_privilege('vp_reader', 'make_candle_partition()', 'EXECUTE'),"
    opened += f" has_database_privilege('vp_reader', '{name}', 'TEMPORARY')"
    with psycopg.connect(database_url, autocommit=True) as owner:
        owner.execute("GRANT EXECUTE ON FUNCTION make_candle_partition() TO PUBLIC")
        owner.execute(f"GRANT TEMPORARY ON DATABASE {name} TO PUBLIC")
        assert owner.execute(opened).fetchone() == (True, True)
        roles.grant(database_url)
        assert owner.execute(opened).fetchone() == (False, False)


def test_no_function_but_that_one_acts_as_its_owner(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        found = connection.execute("SELECT proname FROM pg_proc WHERE prosecdef").fetchall()
    assert found == [("make_candle_partition",)]


def test_dagsters_database_is_the_writers_alone(server: EmbeddedPostgres) -> None:
    with psycopg.connect(server.url("roles_dagster", WRITER)) as connection:
        connection.execute("INSERT INTO event_logs (event) VALUES ('one')")
        connection.execute("ALTER TABLE event_logs ADD COLUMN more text")
        connection.execute("CREATE TABLE another (one int)")
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        psycopg.connect(server.url("roles_dagster", READER))


def test_the_writer_has_nothing_done_by_the_owner(server: EmbeddedPostgres) -> None:
    """Whose database it is, may say which functions are found first there."""
    url = server.url("roles_dagster")
    with psycopg.connect(server.url("roles_dagster", WRITER), autocommit=True) as writer:
        writer.execute(
            "CREATE FUNCTION public.pg_get_userbyid(oid) RETURNS name LANGUAGE plpgsql AS $$"
            " BEGIN EXECUTE 'ALTER ROLE vp_writer SUPERUSER'; RETURN 'vp_writer'; END $$"
        )
        writer.execute("ALTER DATABASE roles_dagster SET search_path = public, pg_catalog")
        try:
            roles.hand_over(url)
            with psycopg.connect(url) as owner:
                found = owner.execute("SELECT rolsuper FROM pg_roles WHERE rolname = 'vp_writer'").fetchone()
                assert found == (False,)
        finally:
            with psycopg.connect(url) as owner:
                owner.execute("ALTER ROLE vp_writer NOSUPERUSER")
                owner.execute("ALTER DATABASE roles_dagster RESET search_path")
                owner.execute("DROP FUNCTION public.pg_get_userbyid(oid)")


def test_given_again_nothing_changes(server: EmbeddedPostgres, database_url: str) -> None:
    query = "SELECT relname, relacl::text FROM pg_class WHERE relacl IS NOT NULL ORDER BY 1"
    with psycopg.connect(database_url) as connection:
        before = connection.execute(query).fetchall()
    roles.create(database_url, {})
    roles.grant(database_url)
    roles.hand_over(server.url("roles_dagster"))
    with psycopg.connect(database_url) as connection:
        assert connection.execute(query).fetchall() == before
