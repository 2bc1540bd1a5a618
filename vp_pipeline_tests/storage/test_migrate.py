import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pandas as pd
import psycopg
import pytest
from sqlalchemy.exc import ProgrammingError

from vp_pipeline.storage import migrate, rows, stale
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
    "bytea": "bytea",
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
def test_time_is_a_part_of_the_key(table: Table) -> None:
    if table.time is not None:
        assert table.time in table.key
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


def test_candles_and_coverage_of_the_first_version_are_carried_over(
    postgres_server: EmbeddedPostgres,
) -> None:
    url = postgres_server.url("first_version")
    migrate.create_database(url)
    migrate.upgrade(url, "0001")
    with transaction(url) as connection:
        connection.execute(
            "INSERT INTO market (exchange, symbol) VALUES ('kraken', 'BTC/USD'), ('okx', 'A/B')"
        )
        connection.execute(
            "INSERT INTO candle SELECT 1, minute, 1, 4, 0.5, 2, 3 FROM generate_series("
            "'2026-01-01 00:00Z'::timestamptz, '2026-01-01 01:09Z', '1 min') AS minute"
            " WHERE minute <> '2026-01-01 00:30Z'"
        )
        connection.execute(
            "INSERT INTO coverage VALUES"
            " (1, '2026-01-01 00:00Z', 60, 59, 'the exchange has no candle'),"
            " (1, '2026-01-01 01:00Z', 15, 10, ''),"
            " (2, '2026-01-01 00:00Z', 60, 0, 'timeout'), (2, '2026-01-01 01:00Z', 15, 0, 'timeout')"
        )
    migrate.upgrade(url)
    with transaction(url) as connection:
        stored = connection.execute(
            "SELECT tableoid::regclass::text, count(*) FROM candle GROUP BY 1"
        ).fetchall()
        runs = connection.execute(
            "SELECT symbol, state, to_char(start_time, 'HH24:MI'), minutes, reason FROM coverage"
            " ORDER BY symbol DESC, start_time"
        ).fetchall()
        candle = connection.execute("SELECT * FROM candle LIMIT 1").fetchone()
    assert stored == [("candle_1", 69)]
    assert candle == (1, False, datetime(2026, 1, 1, tzinfo=UTC), 1.0, 4.0, 0.5, 2.0, 3.0, None, None)
    assert runs == [
        ("BTC/USD", "got", "00:00", 30, ""),
        ("BTC/USD", "exchange-empty", "00:30", 1, "the exchange has no candle"),
        ("BTC/USD", "got", "00:31", 39, ""),
        ("BTC/USD", "unknown", "01:10", 5, "an earlier version did not record why"),
        ("A/B", "unknown", "00:00", 75, "timeout"),
    ]


OF_EVERY_VERSION = """
INSERT INTO market (exchange, symbol) VALUES ('kraken', 'BTC/USD');
INSERT INTO candle (market_id, provisional, open_time, open, high, low, close, volume)
    SELECT 1, false, '2026-01-01Z'::timestamptz + n * interval '1 minute', 1, 4, 0.5, 2, n
    FROM generate_series(0, 149) AS n;
INSERT INTO aggregate (base, open_time, open, high, low, close, volume, markets, missing, price_market)
    SELECT 'BTC', '2026-01-01Z'::timestamptz + n * interval '1 minute', 1, 4, 0.5, 2, n, 1, '',
        'kraken BTC/USD'
    FROM generate_series(0, 149) AS n;
INSERT INTO coverage_run (market_id, start_time, end_time, state, reason)
    VALUES (1, '2026-01-01Z', '2026-01-01 02:30Z', 'got', '');
INSERT INTO kline VALUES ('BTCUSDT', '5m', '2026-01-01Z', 1, 2, 1, 2, 7, 1, 1, 1);
INSERT INTO daily_return (symbol, day, close, return) VALUES ('BTCUSDT', '2026-01-01', 1, 0.1);
INSERT INTO strategy_return VALUES ('equal_weight', '2026-01-01', 0.1);
INSERT INTO artifact (name, partition, media_type, content, size, sha256, run_id, created_at)
    VALUES ('tearsheets/a', '', 'text/plain', 'a', 1, 'x', 'r', '2026-01-01Z')
"""


@pytest.mark.parametrize("version", sorted(migrate.versions())[1:-1])
def test_what_any_later_version_stored_is_kept(postgres_server: EmbeddedPostgres, version: str) -> None:
    url = postgres_server.url(f"from_{version}")
    migrate.create_database(url)
    migrate.upgrade(url, version)
    with transaction(url) as connection:
        for statement in OF_EVERY_VERSION.split(";\n"):
            connection.execute(statement)
    migrate.upgrade(url)
    with transaction(url) as connection:
        for table, count in (("candle", 150), ("aggregate", 150), ("kline", 1), ("artifact", 1)):
            query = f"SELECT count(*) FROM {table}"
            assert connection.execute(query).fetchone() == (count,), table
        assert connection.execute("SELECT sum(volume) FROM candle").fetchone() == (149 * 150 / 2,)
        runs = connection.execute("SELECT state, minutes FROM coverage").fetchall()
        bars = connection.execute(
            "SELECT length, minutes, high, volume FROM site.bar ORDER BY length, open_time"
        ).fetchall()
        for name, columns in (("daily_return", "close, return"), ("strategy_return", "return")):
            assert connection.execute(f"SELECT {columns} FROM {name}").fetchone()
    assert runs == [("got", 150)]
    # What readers see is made of what is there, whenever it was stored.
    assert bars == [
        ("day", 150, 4.0, 11_175.0),
        ("hour", 60, 4.0, 1_770.0),
        ("hour", 60, 4.0, 5_370.0),
        ("hour", 30, 4.0, 4_035.0),
    ]


def test_what_was_made_and_given_up_before_the_tenth_version_is_made_and_asked_for_again(
    postgres_server: EmbeddedPostgres,
) -> None:
    url = postgres_server.url("before_the_tenth")
    migrate.create_database(url)
    migrate.upgrade(url, "0009")
    given_up = {
        "the exchange has banned this address until 2026-01-01 12:02:30: ask it less often": "unknown",
        "the exchange has an error (HTTP 429); it wants no request before 2026-01-01 00:00:00 UTC": "unknown",
        "kraken serves the last 719 minutes alone": "unfetchable",
    }
    with transaction(url) as connection:
        for statement in OF_EVERY_VERSION.split(";\n"):
            connection.execute(statement)
        for day, reason in enumerate(given_up, 2):
            connection.execute(
                "INSERT INTO coverage_run VALUES (1, %s, %s, 'unfetchable', %s)",
                [datetime(2026, 1, day, tzinfo=UTC), datetime(2026, 1, day, 1, tzinfo=UTC), reason],
            )
        # One hour waits already.
        stale.mark(connection, stale.AGGREGATE, "BTC", [datetime(2026, 1, 1, tzinfo=UTC)])
    migrate.upgrade(url)
    with transaction(url) as connection:
        assert stale.pending(connection, stale.AGGREGATE, "BTC") == [
            datetime(2026, 1, 1, hour, tzinfo=UTC) for hour in range(3)
        ]
        found = connection.execute("SELECT reason, state FROM coverage_run WHERE reason <> ''").fetchall()
        assert dict(found) == given_up


def test_a_query_by_market_looks_into_its_partition_alone(postgres_server: EmbeddedPostgres) -> None:
    url = postgres_server.url("partitions")
    migrate.create_database(url)
    migrate.upgrade(url)
    with transaction(url) as connection:
        numbers = market_ids(connection, [("many", f"M{number}/USD") for number in range(50)])
        of_one = "SELECT close FROM candle WHERE market_id = %s AND open_time >= now()"
        of_name = "SELECT close FROM market_candle WHERE exchange = 'many' AND symbol = 'M7/USD'"
        plan = "EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) "
        by_number = connection.execute(plan + of_one, [numbers["many", "M7/USD"]]).fetchall()
        by_name = connection.execute(plan + of_name).fetchall()
    assert str(by_number).count("candle_") == 2, "one partition and its index"
    # By name the market is known only when the query runs; the other partitions are not touched then.
    assert str(by_name).count("never executed") >= 49


def test_bars_hold_what_is_written_while_they_are_made_the_first_time(
    postgres_server: EmbeddedPostgres,
) -> None:
    url = postgres_server.url("written_meanwhile")
    migrate.create_database(url)
    migrate.upgrade(url, "0005")
    minute = (
        "INSERT INTO aggregate (base, open_time, close, volume, markets, missing, price_market)"
        " VALUES ('BTC', '2026-01-01 00:00Z', 2, 3, 1, '', 'kraken BTC/USD')"
    )
    waits = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'aggregate'::regclass"
    with ThreadPoolExecutor(1) as pool, psycopg.connect(url) as tick, psycopg.connect(url) as watch:
        tick.execute(minute)
        upgrade = pool.submit(migrate.upgrade, url)
        while watch.execute(waits).fetchone() == (0,):
            assert not upgrade.done()
            watch.rollback()
            time.sleep(0.01)
        tick.commit()
        upgrade.result()
    with psycopg.connect(url) as connection:
        bars = connection.execute("SELECT length, close, minutes FROM site.bar ORDER BY length").fetchall()
    assert bars == [("day", 2.0, 1), ("hour", 2.0, 1)]


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
