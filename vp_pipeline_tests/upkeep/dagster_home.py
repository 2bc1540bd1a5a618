"""A Dagster instance on Postgres, as the platform has it, with a few assets that take no time."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dagster import (
    AssetCheckResult,
    AssetCheckSeverity,
    AssetCheckSpec,
    AssetKey,
    DagsterInstance,
    Definitions,
    MaterializeResult,
    StaticPartitionsDefinition,
    asset,
    define_asset_job,
    in_process_executor,
)

from vp_pipeline.storage import migrate
from vp_pipeline_tests.conftest import REPOSITORY

HOURS = [f"hour-{number}" for number in range(3)]


class Wrong:
    """What the checked asset finds, set by a test."""

    check: str | None = None
    job = False


@asset(partitions_def=StaticPartitionsDefinition(HOURS))
def hourly() -> None:
    """With partitions."""


@asset
def daily() -> None:
    """Without partitions."""


@asset(check_specs=[AssetCheckSpec("fine", asset="checked"), AssetCheckSpec("mild", asset="checked")])
def checked() -> Iterator[MaterializeResult[None]]:
    """With two checks."""
    if Wrong.job:
        raise RuntimeError("as told")
    severe = AssetCheckSeverity.ERROR
    yield MaterializeResult(
        check_results=[
            AssetCheckResult(
                check_name="fine",
                passed=Wrong.check != "fine",
                severity=severe,
                description="kraken BTC/USD: no answer",
            ),
            AssetCheckResult(
                check_name="mild", passed=Wrong.check != "mild", severity=AssetCheckSeverity.WARN
            ),
        ]
    )


DEFINITIONS = Definitions(
    [hourly, daily, checked],
    jobs=[define_asset_job("hours", [hourly]), define_asset_job("days", [daily, checked])],
    executor=in_process_executor,
)
CHECKS = ["checked:fine", "checked:mild"]
JOBS = ["hours", "days"]


def run(instance: DagsterInstance, job: str, partition: str | None = None) -> None:
    """Run a job to its end, well or not."""
    DEFINITIONS.resolve_job_def(job).execute_in_process(
        instance=instance, partition_key=partition, raise_on_error=False
    )


def materializations(instance: DagsterInstance, *path: str) -> int:
    """How many are recorded of an asset."""
    return len(instance.fetch_materializations(AssetKey(list(path)), limit=1000).records)


@contextmanager
def instance_on(url: str, home: Path) -> Iterator[DagsterInstance]:
    """Dagster as of the repository's dagster.yaml, on this database."""
    import os

    migrate.create_database(url)
    (home / "dagster.yaml").write_text((REPOSITORY / "dagster.yaml").read_text())
    before = os.environ.get("VP_DAGSTER_DATABASE_URL")
    os.environ["VP_DAGSTER_DATABASE_URL"] = url.replace("postgresql://", "postgresql+psycopg2://", 1)
    try:
        with DagsterInstance.from_config(str(home)) as instance:
            yield instance
    finally:
        if before is None:
            del os.environ["VP_DAGSTER_DATABASE_URL"]
        else:
            os.environ["VP_DAGSTER_DATABASE_URL"] = before
