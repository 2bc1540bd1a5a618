"""The daily assets and the alerting sensor on real databases."""

import json
import tarfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from dagster import AssetKey, DagsterInstance, build_sensor_context

from vp_pipeline.assets import alerts, upkeep
from vp_pipeline.assets.build import build_defs
from vp_pipeline.settings import Settings
from vp_pipeline.storage import embedded
from vp_pipeline.storage.connection import transaction
from vp_pipeline.storage.io_manager import PostgresIOManager
from vp_pipeline.upkeep import messages
from vp_pipeline.upkeep.incidents import News
from vp_pipeline_tests.upkeep.dagster_home import CHECKS, JOBS, Wrong, instance_on, run

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def dagster_url(postgres_server: embedded.EmbeddedPostgres) -> Iterator[str]:
    yield postgres_server.url("upkeep")
    with psycopg.connect(postgres_server.url("postgres"), autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS upkeep WITH (FORCE)")


@pytest.fixture(scope="module")
def instance(dagster_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DagsterInstance]:
    with instance_on(dagster_url, tmp_path_factory.mktemp("dagster")) as instance:
        yield instance


@pytest.fixture
def settings(database_url: str, dagster_url: str, instance: DagsterInstance, tmp_path: Path) -> Settings:
    assert instance
    return Settings.model_validate(
        {
            "home": tmp_path,
            "database_url": database_url,
            "dagster_database_url": dagster_url,
            "backup_keep": 2,
            "alert_webhook": "http://127.0.0.1:1/s3cret",
        }
    )


def test_the_daily_run(
    settings: Settings, instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = settings.database_url.get_secret_value()
    definitions = build_defs(settings, PostgresIOManager(database_url=url))
    for number in range(3):
        old = settings.backup_folder / f"vp-backup-2025010{number}T000000Z.tar"
        old.parent.mkdir(exist_ok=True)
        old.touch()
    result = definitions.resolve_job_def("upkeep").execute_in_process(instance=instance)
    assert result.success
    files = sorted(settings.backup_folder.iterdir())
    assert files[0].name == "vp-backup-20250102T000000Z.tar"
    assert len(files) == 2
    with tarfile.open(files[1]) as tar:
        assert tar.getnames() == ["dagster.dump", "vp.dump", "manifest.json", "SHA256SUMS"]
    event = instance.get_latest_materialization_events([AssetKey("maintenance")])[AssetKey("maintenance")]
    assert event is not None
    assert event.asset_materialization is not None
    metadata = event.asset_materialization.metadata
    assert {"deleted log rows", "dagster, MB", "vp, MB", "free, MB", "vacuumed"} <= set(metadata)
    (check,) = result.get_asset_check_evaluations()
    assert (check.check_name, check.passed) == (upkeep.DISK_CHECK, True)
    monkeypatch.setattr(upkeep, "LEAST_FREE", 10**18)
    result = definitions.resolve_job_def("upkeep").execute_in_process(
        instance=instance, asset_selection=[AssetKey("maintenance")]
    )
    assert not result.get_asset_check_evaluations()[0].passed


def test_no_backups_if_none_are_kept(settings: Settings) -> None:
    without = settings.model_copy(update={"backup_keep": 0})
    assert [asset.key.to_user_string() for asset in upkeep.build_upkeep(without)] == ["maintenance"]


class Watched:
    """The sensor's evaluation, time after time."""

    def __init__(self, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
        self.settings, self.cursor, self.now = settings, "", NOW
        self.sent: list[News] = []
        self.log: list[str] = []
        self.broken = False
        monkeypatch.setattr(messages, "send", self.send)

    def send(self, _channels: object, _name: str, news: News) -> None:
        if self.broken:
            raise messages.DeliveryError("the webhook at x does not answer")
        self.sent.append(news)

    def look(self) -> list[tuple[str, str]]:
        """What was sent by one evaluation."""
        self.sent.clear()
        self.now += timedelta(minutes=2)
        self.cursor, _ = alerts.evaluate(self.settings, JOBS, CHECKS, self.cursor, self.now, self.log.append)
        return [(news.kind, news.incident) for news in self.sent]


@pytest.fixture
def watched(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watched]:
    yield Watched(settings, monkeypatch)
    Wrong.check, Wrong.job = None, False


def test_one_alert_an_incident_and_one_recovery(watched: Watched, instance: DagsterInstance) -> None:
    run(instance, "days")
    assert watched.look() == []
    Wrong.check = "fine"
    run(instance, "days")
    assert watched.look() == [("alert", "check checked:fine")]
    assert watched.sent[0].text == "kraken BTC/USD: no answer"
    run(instance, "days")
    assert watched.look() == []
    Wrong.check = None
    run(instance, "days")
    assert watched.look() == [("recovery", "check checked:fine")]
    assert watched.look() == []
    assert [line.split(":")[0] for line in watched.log] == ["alert", "recovery"]


def test_warnings_only_if_wanted(watched: Watched, instance: DagsterInstance) -> None:
    Wrong.check = "mild"
    run(instance, "days")
    assert watched.look() == []
    watched.settings = watched.settings.model_copy(update={"alert_warnings": True})
    assert watched.look() == [("alert", "check checked:mild")]


def test_a_job_that_fails(watched: Watched, instance: DagsterInstance) -> None:
    Wrong.job = True
    run(instance, "days")
    assert watched.look() == [("alert", "job days")]
    Wrong.job = False
    run(instance, "days")
    assert watched.look() == [("recovery", "job days")]


def test_what_nobody_took_is_sent_later_once(watched: Watched, instance: DagsterInstance) -> None:
    watched.broken = True
    Wrong.check = "fine"
    run(instance, "days")
    assert watched.look() == []
    assert watched.look() == []
    Wrong.check = None
    run(instance, "days")
    watched.broken = False
    assert watched.look() == [("alert", "check checked:fine"), ("recovery", "check checked:fine")]
    assert watched.look() == []
    assert json.loads(watched.cursor) == {"open": {}, "pending": []}
    assert any("not delivered" in line for line in watched.log)


def test_minutes_that_do_not_come(watched: Watched, database_url: str) -> None:
    with transaction(database_url) as connection:
        connection.execute("INSERT INTO market (exchange, symbol) VALUES ('x', 'A/B') ON CONFLICT DO NOTHING")
        connection.execute(
            "INSERT INTO coverage_run (market_id, start_time, end_time, state, reason)"
            " SELECT market_id, %(end)s - interval '1 hour', %(end)s, 'got', '' FROM market",
            {"end": NOW - timedelta(minutes=40)},
        )
    assert watched.look() == []
    watched.now += timedelta(minutes=10)
    assert watched.look() == [("alert", "minutes")]
    with transaction(database_url) as connection:
        connection.execute("UPDATE coverage_run SET end_time = %s", [NOW])
    assert watched.look() == [("recovery", "minutes")]


def test_the_sensor_as_dagster_calls_it(settings: Settings, instance: DagsterInstance) -> None:
    definition = alerts.build_alerts(settings, JOBS, CHECKS)
    result = definition.evaluate_tick(build_sensor_context(instance))
    assert not result.run_requests
    assert result.cursor is not None
    assert set(json.loads(result.cursor)) == {"open", "pending"}
    assert result.skip_message is not None
    assert "incidents are open" in result.skip_message
