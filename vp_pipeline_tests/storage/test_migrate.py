from concurrent.futures import ThreadPoolExecutor

import pandas as pd
import psycopg
import pytest
from sqlalchemy.exc import ProgrammingError

from vp_pipeline.storage import migrate, rows
from vp_pipeline.storage.connection import transaction
from vp_pipeline.storage.embedded import EmbeddedPostgres
from vp_pipeline.storage.markets import market_ids
from vp_pipeline.storage.tables import CANDLE, MARKET_CANDLE, TABLES, PgType, Table

CATALOG_NAMES: dict[str, PgType] = {
    "smallint": "int2",
    "integer": "int4",
    "bigint": "int8",
    "double precision": "float8",
    "boolean": "bool",
    "text": "text",
    "date": "date",
    "timestamp with time zone": "timestamptz",
}


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_declared_table_is_the_migrated_one(database_url: str, table: Table) -> None:
    with psycopg.connect(database_url) as connection:
        columns = connection.execute(
            "SELECT column_name, data_type FROM information_schema.columns"
            " WHERE table_schema = 'public' AND table_name = %s ORDER BY ordinal_position",
            [table.name],
        ).fetchall()
        key = connection.execute(
            "SELECT column_name FROM information_schema.key_column_usage"
            " JOIN information_schema.table_constraints USING (constraint_name, table_name)"
            " WHERE constraint_type = 'PRIMARY KEY' AND table_name = %s"
            " ORDER BY key_column_usage.ordinal_position",
            [table.name],
        ).fetchall()
    assert {name: CATALOG_NAMES[kind] for name, kind in columns} == table.columns
    assert tuple(name for (name,) in key) == table.key


def test_declared_view_can_be_read(database_url: str) -> None:
    with transaction(database_url) as connection:
        number = market_ids(connection, [("kraken", "BTC/USD")])["kraken", "BTC/USD"]
        hour = pd.DataFrame({"open_time": pd.date_range("2026-01-01", periods=2, freq="min", tz="UTC")})
        candles = hour.assign(open=1.0, high=4.0, low=0.5, close=2.0, volume=3.0)
        candles = candles.assign(provisional=[False, True], quote_volume=6.0, taker_buy_volume=None)
        rows.replace(connection, CANDLE, candles, {"market_id": number})
        read = rows.read(connection, MARKET_CANDLE, {"exchange": "kraken", "symbol": "BTC/USD"})
    assert list(read.columns) == list(MARKET_CANDLE.columns)
    assert read["close"].tolist() == [2.0], "a provisional candle is none yet"


def test_every_migrated_table_is_declared_or_known(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        rows = connection.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
            " AND relkind IN ('r', 'p') AND NOT relispartition"
        ).fetchall()
    known = {"alembic_version", "market", "artifact", "artifact_include"}
    assert {name for (name,) in rows} == known | set(TABLES)


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_scope_and_time_are_parts_of_the_key(table: Table) -> None:
    assert table.key[: len(table.scope)] == table.scope
    if table.time is not None:
        assert table.key[len(table.scope)] == table.time
        assert table.columns[table.time] in ("date", "timestamptz")


def test_creates_a_database_once(postgres_server: EmbeddedPostgres) -> None:
    url = postgres_server.url('odd "name" of 100%')
    assert migrate.create_database(url)
    assert not migrate.create_database(url)
    with psycopg.connect(url) as connection:
        assert connection.info.dbname == 'odd "name" of 100%'


def test_creates_a_database_once_when_two_ask_at_once(postgres_server: EmbeddedPostgres) -> None:
    url = postgres_server.url("created_at_once")
    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(migrate.create_database, [url] * 4)) == [False, False, False, True]


def test_upgrade_again_changes_nothing(postgres_server: EmbeddedPostgres) -> None:
    url = postgres_server.url("upgraded_twice")
    migrate.create_database(url)
    migrate.upgrade(url)
    with psycopg.connect(url) as connection:
        connection.execute("INSERT INTO market (exchange, symbol) VALUES ('kraken', 'BTC/USD')")
    migrate.upgrade(url)
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT exchange, symbol FROM market").fetchall() == [("kraken", "BTC/USD")]


def test_upgrades_at_once_wait_for_each_other(postgres_server: EmbeddedPostgres) -> None:
    url = postgres_server.url("upgraded_at_once")
    migrate.create_database(url)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(migrate.upgrade, [url] * 4))
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT count(*) FROM alembic_version").fetchone() == (1,)


def test_unreachable_server_is_an_error(postgres_server: EmbeddedPostgres) -> None:
    url = f"postgresql://postgres@/vp?host={postgres_server.folder}"
    with pytest.raises(psycopg.OperationalError):
        migrate.create_database(url)


def test_unreachable_database_is_an_error(postgres_server: EmbeddedPostgres) -> None:
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        migrate.upgrade(postgres_server.url("never_created"))


def test_address_without_a_database_is_an_error() -> None:
    with pytest.raises(ValueError, match="names no database: end it with /name"):
        migrate.create_database("postgresql://postgres@127.0.0.1")


def test_failing_migration_leaves_nothing(
    postgres_server: EmbeddedPostgres,
) -> None:
    url = postgres_server.url("failing")
    migrate.create_database(url)
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE strategy_weight ()")
    with pytest.raises(ProgrammingError, match="strategy_weight"):
        migrate.upgrade(url)
    with psycopg.connect(url) as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
    assert tables == [("strategy_weight",)]
