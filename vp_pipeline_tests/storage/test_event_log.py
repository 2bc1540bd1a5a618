import json
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from dagster import (
    AssetCheckKey,
    AssetCheckResult,
    AssetCheckSpec,
    AssetExecutionContext,
    AssetKey,
    DagsterEventType,
    DagsterInstance,
    Definitions,
    ExecuteInProcessResult,
    HourlyPartitionsDefinition,
    JobDefinition,
    Output,
    ReexecutionOptions,
    asset,
    define_asset_job,
    execute_job,
    in_process_executor,
    reconstructable,
)
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus
from dagster._core.storage.partition_status_cache import AssetPartitionStatus

from vp_pipeline.storage import migrate
from vp_pipeline.storage.embedded import EmbeddedPostgres
from vp_pipeline.storage.event_log import LEFT_OUT, LeanEventLogStorage

HOURS = HourlyPartitionsDefinition(start_date="2026-03-01-00:00")
KEY = "2026-03-01-05:00"
FAIL = "VP_TEST_FAIL"


@asset(partitions_def=HOURS, check_specs=[AssetCheckSpec("complete", asset="candles")])
def candles(context: AssetExecutionContext) -> Iterator[Output[int] | AssetCheckResult]:
    context.log.info("a message of the step")
    yield Output(1)
    yield AssetCheckResult(passed=True)


@asset(partitions_def=HOURS)
def profile(candles: int) -> int:
    if FAIL in os.environ:
        raise RuntimeError("the exchange is closed")
    return candles


DEFINITIONS = Definitions(
    assets=[candles, profile],
    executor=in_process_executor,
    jobs=[define_asset_job(name, [candles, profile]) for name in ("tick", "backfill")],
)


def tick() -> JobDefinition:
    return DEFINITIONS.resolve_job_def("tick")


@pytest.fixture(scope="module")
def dagster_url(postgres_server: EmbeddedPostgres) -> str:
    url = postgres_server.url("dagster")
    migrate.create_database(url)
    # Dagster's storage needs psycopg2 named; a crash may cost it the last moment's events, no more.
    return url.replace("postgresql:", "postgresql+psycopg2:") + "&options=-c%20synchronous_commit%3Doff"


@pytest.fixture
def instance(dagster_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DagsterInstance]:
    """A real instance on Postgres, from a dagster.yaml; empty at the start of each test."""
    monkeypatch.setenv("VP_TEST_DAGSTER_URL", dagster_url)
    postgres = {"postgres_url": {"env": "VP_TEST_DAGSTER_URL"}}

    def storage(module: str, name: str, **more: list[str]) -> dict[str, object]:
        return {"module": module, "class": name, "config": {**postgres, **more}}

    configuration = {
        "run_storage": storage("dagster_postgres.run_storage", "PostgresRunStorage"),
        "schedule_storage": storage("dagster_postgres.schedule_storage", "PostgresScheduleStorage"),
        "event_log_storage": storage(
            "vp_pipeline.storage.event_log", "LeanEventLogStorage", lean_jobs=["tick"]
        ),
        "telemetry": {"enabled": False},
    }
    (tmp_path / "dagster.yaml").write_text(json.dumps(configuration))
    with DagsterInstance.from_config(str(tmp_path)) as instance:
        yield instance
        instance.wipe()


def run(instance: DagsterInstance, job: str) -> ExecuteInProcessResult:
    return DEFINITIONS.resolve_job_def(job).execute_in_process(
        instance=instance, partition_key=KEY, raise_on_error=False
    )


def stored(instance: DagsterInstance, result: ExecuteInProcessResult) -> Counter[DagsterEventType | None]:
    return Counter(entry.dagster_event_type for entry in instance.all_logs(result.run_id))


def test_the_instance_uses_it(instance: DagsterInstance) -> None:
    storage = instance.event_log_storage
    assert isinstance(storage, LeanEventLogStorage)
    assert storage.lean_jobs == {"tick"}


def test_a_tick_stores_what_happened_and_no_more(instance: DagsterInstance) -> None:
    result = run(instance, "tick")
    assert result.success
    kinds = stored(instance, result)
    assert not kinds.keys() & LEFT_OUT
    assert kinds[DagsterEventType.RUN_SUCCESS] == 1
    assert kinds[DagsterEventType.STEP_START] == kinds[DagsterEventType.STEP_SUCCESS] == 2
    assert kinds[DagsterEventType.ASSET_MATERIALIZATION] == 2
    messages = [entry.user_message for entry in instance.all_logs(result.run_id)]
    assert messages.count("a message of the step") == 1


def test_another_job_is_logged_in_full(instance: DagsterInstance) -> None:
    kinds = stored(instance, run(instance, "backfill"))
    assert kinds.keys() >= LEFT_OUT - {
        # Come with resources that are built, of which this job has none.
        DagsterEventType.RESOURCE_INIT_STARTED,
        DagsterEventType.RESOURCE_INIT_SUCCESS,
    }
    assert kinds[DagsterEventType.ASSET_MATERIALIZATION_PLANNED] == 2


def test_a_tick_stores_half_the_rows(instance: DagsterInstance) -> None:
    lean, full = (stored(instance, run(instance, job)).total() for job in ("tick", "backfill"))
    assert lean <= 0.6 * full


def test_a_failing_tick_keeps_its_error(instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FAIL, "yes")
    result = run(instance, "tick")
    kinds = stored(instance, result)
    assert kinds[DagsterEventType.STEP_FAILURE] == 1
    assert kinds[DagsterEventType.RUN_FAILURE] == 1
    errors = [
        entry.dagster_event.step_failure_data.error
        for entry in instance.all_logs(result.run_id, of_type=DagsterEventType.STEP_FAILURE)
        if entry.dagster_event is not None
    ]
    assert errors[0] is not None
    assert errors[0].cause is not None
    assert "the exchange is closed" in errors[0].cause.message


def test_a_tick_materializes_its_assets(instance: DagsterInstance) -> None:
    result = run(instance, "tick")
    for key in (AssetKey("candles"), AssetKey("profile")):
        latest = instance.get_latest_materialization_event(key)
        assert latest is not None
        assert latest.run_id == result.run_id
        assert instance.get_materialized_partitions(key) == {KEY}
        statuses = instance.get_status_by_partition(key, [KEY], HOURS)
        assert statuses == {KEY: AssetPartitionStatus.MATERIALIZED}
    assert set(instance.all_asset_keys()) == {AssetKey("candles"), AssetKey("profile")}


def test_a_tick_leaves_one_row_of_a_check(instance: DagsterInstance) -> None:
    result = run(instance, "tick")
    check = AssetCheckKey(AssetKey("candles"), "complete")
    (record,) = instance.event_log_storage.get_asset_check_execution_history(check, limit=10)
    assert (record.status, record.run_id) == (AssetCheckExecutionRecordStatus.SUCCEEDED, result.run_id)


def test_a_failed_tick_can_be_continued(instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch) -> None:
    job, partition = reconstructable(tick), {"dagster/partition": KEY}
    monkeypatch.setenv(FAIL, "yes")
    first = execute_job(job, instance, tags=partition)
    monkeypatch.delenv(FAIL)
    options = ReexecutionOptions.from_failure(first.run_id, instance)
    second = execute_job(job, instance, tags=partition, reexecution_options=options)
    assert (first.success, second.success) == (False, True)
    assert [event.step_key for event in second.get_step_success_events()] == ["profile"]
