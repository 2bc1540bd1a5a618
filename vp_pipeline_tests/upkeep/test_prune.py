"""Pruning what Dagster itself has written: old things go, what was made stays known."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from dagster import AssetCheckKey, AssetKey, AssetMaterialization, DagsterInstance

from vp_pipeline.storage import embedded
from vp_pipeline.upkeep import indexes, prune
from vp_pipeline_tests.upkeep.dagster_home import HOURS, instance_on, materializations, run

TOMORROW = datetime.now(UTC) + timedelta(days=1)
KEY = AssetKey("hourly")
FIRST = datetime(2026, 3, 1, 5, tzinfo=UTC)


@pytest.fixture(scope="module")
def url(postgres_server: embedded.EmbeddedPostgres) -> Iterator[str]:
    yield postgres_server.url("prune")
    with psycopg.connect(postgres_server.url("postgres"), autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS prune WITH (FORCE)")


@pytest.fixture(scope="module")
def instance(url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DagsterInstance]:
    with instance_on(url, tmp_path_factory.mktemp("dagster")) as instance:
        for partition in [*HOURS[:2], HOURS[0], HOURS[0]]:
            run(instance, "hours", partition)
        for _ in range(3):
            run(instance, "days")
        yield instance


def rows(url: str, query: str) -> int:
    with psycopg.connect(url) as connection:
        row = connection.execute(query.encode()).fetchone()
    return int(row[0]) if row else 0


def test_nothing_young_goes(instance: DagsterInstance, url: str) -> None:
    before = rows(url, "SELECT count(*) FROM event_logs")
    assert set(prune.prune(url, datetime.now(UTC) - timedelta(days=1), FIRST).values()) == {0}
    assert rows(url, "SELECT count(*) FROM event_logs") == before
    assert materializations(instance, "hourly") == 4


def test_what_was_made_stays_known(instance: DagsterInstance, url: str) -> None:
    newest = {partition: instance.get_latest_materialization_events([KEY])[KEY] for partition in HOURS[:1]}
    runs = instance.get_runs_count()
    deleted = prune.prune(url, TOMORROW, FIRST)
    assert instance.get_materialized_partitions(KEY) == set(HOURS[:2])
    assert instance.get_latest_materialization_events([KEY])[KEY] == newest[HOURS[0]]
    assert materializations(instance, "hourly") == 2
    assert materializations(instance, "daily") == 3, "without partitions, each is history"
    assert deleted["superseded materializations"] == 2
    assert deleted["runs"] == 2
    assert instance.get_runs_count() == runs - 2
    check = AssetCheckKey(AssetKey("checked"), "fine")
    records = instance.event_log_storage.get_asset_check_execution_history(check, limit=10)
    assert [record.status.value for record in records] == ["SUCCEEDED"]
    assert deleted["check results"] == 4
    assert (
        rows(url, "SELECT count(*) FROM event_logs WHERE dagster_event_type = 'ASSET_CHECK_EVALUATION'") == 2
    )
    kinds = "('ASSET_MATERIALIZATION', 'ASSET_CHECK_EVALUATION')"
    assert (
        rows(url, f"SELECT count(*) FROM event_logs WHERE coalesce(dagster_event_type, '') NOT IN {kinds}")
        == 0
    )
    assert set(prune.prune(url, TOMORROW, FIRST).values()) == {0}, "the second time there is nothing left"


def test_a_run_under_way_keeps_its_log(instance: DagsterInstance, url: str) -> None:
    run(instance, "hours", HOURS[2])
    (newest,) = instance.get_runs(limit=1)
    with psycopg.connect(url) as connection:
        connection.execute("UPDATE runs SET status = 'STARTED' WHERE run_id = %s", [newest.run_id])
    before = len(instance.all_logs(newest.run_id))
    assert before > 3
    prune.prune(url, TOMORROW, FIRST)
    assert len(instance.all_logs(newest.run_id)) == before
    assert instance.get_run_by_id(newest.run_id) is not None


def test_ticks_and_tags_go(instance: DagsterInstance, url: str) -> None:
    assert instance
    with psycopg.connect(url) as connection:
        connection.execute(
            "INSERT INTO job_ticks (job_origin_id, selector_id, status, type, timestamp, tick_body)"
            " SELECT 'o', 's', status, 'SENSOR', now(), '{}' FROM unnest(ARRAY['SKIPPED', 'STARTED']) status"
        )
    assert prune.prune(url, TOMORROW, FIRST)["ticks"] == 1
    orphans = "SELECT count(*) FROM asset_event_tags WHERE event_id NOT IN (SELECT id FROM event_logs)"
    assert rows(url, orphans) == 0


def test_hours_that_are_over_are_history(instance: DagsterInstance, url: str) -> None:
    key = AssetKey("dated")
    kept = ["2026-02", "2026-03-01", "2026-03-01-04:00"]
    for partition in [*kept, "2026-02-28", "2026-02-28-23:00"]:
        instance.report_runless_asset_event(AssetMaterialization(key, partition=partition))
    run(instance, "days")  # what belongs to no run is looked at once a later run is old
    assert prune.prune(url, TOMORROW, FIRST)["partitions that are over"] == 2
    assert instance.get_materialized_partitions(key) == set(kept)
    told = [record.partition_key for record in instance.fetch_materializations(key, limit=9).records]
    assert sorted(map(str, told)) == sorted([*kept, "2026-02-28", "2026-02-28-23:00"])
    assert prune.prune(url, TOMORROW, FIRST)["partitions that are over"] == 0


def test_an_empty_index_is_rebuilt(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("CREATE TABLE mostly (id bigint PRIMARY KEY, word text)")
        connection.execute("CREATE INDEX words ON mostly (word)")
        connection.execute("INSERT INTO mostly SELECT i, md5(i::text) FROM generate_series(1, 20000) i")
        connection.execute("ANALYZE mostly")
        assert indexes.rebuild(database_url, 0) == []
        connection.execute("DELETE FROM mostly WHERE id % 20 > 0")
        connection.execute("VACUUM ANALYZE mostly")
        before = rows(database_url, "SELECT pg_relation_size('words')")
        assert indexes.rebuild(database_url) == [], "too small to matter"
        assert indexes.rebuild(database_url, 0) == ["mostly_pkey", "words"]
        assert indexes.rebuild(database_url, 0) == []
        assert rows(database_url, "SELECT pg_relation_size('words')") < before / 5
        connection.execute("DROP TABLE mostly")


def test_vacuum_and_sizes(url: str, database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO stale_hour SELECT 'x', i::text, now() FROM generate_series(1, 2000) i"
        )
        connection.execute("DELETE FROM stale_hour")
    assert "stale_hour" in prune.vacuum(database_url)
    assert "stale_hour" not in prune.vacuum(database_url)
    size, tables = prune.sizes(url)
    assert size > sum(tables.values()) > 0
    assert "event_logs" in tables
    assert "stale_hour" in prune.sizes(database_url, 99)[1]
