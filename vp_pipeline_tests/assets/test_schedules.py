"""Which windows the schedules ask for, and what a tick leaves in Dagster's event log."""

from datetime import UTC, datetime

import pytest
from dagster import DagsterInstance, RunRequest, ScheduleDefinition, build_schedule_context

from vp_pipeline.assets.build import build_defs
from vp_pipeline.assets.keys import RANGE_END, RANGE_START
from vp_pipeline.settings import Settings
from vp_pipeline.storage.io_manager import PostgresIOManager
from vp_pipeline_tests.assets.conftest import Replayed

SHIPPED = {"database_url": "postgresql://nobody@127.0.0.1/none", "hourly_start": "2026-03-01T00:00:00Z"}


def schedule(name: str) -> ScheduleDefinition:
    definitions = build_defs(Settings.model_validate(SHIPPED), PostgresIOManager(database_url="unused"))
    return definitions.get_repository_def().get_schedule_def(name)


def requested(name: str, moment: str) -> tuple[str, str]:
    """First and last partition that the schedule asks for at a moment, UTC."""
    when = datetime.fromisoformat(moment).replace(tzinfo=UTC)
    definition = schedule(name)
    with DagsterInstance.ephemeral() as instance:
        context = build_schedule_context(instance, scheduled_execution_time=when)
        (request,) = definition.evaluate_tick(context).run_requests or ()
    assert isinstance(request, RunRequest)
    return request.tags[RANGE_START], request.tags[RANGE_END]


@pytest.mark.parametrize(
    ("moment", "first", "last"),
    [
        ("2026-03-02T17:00", "2026-03-02-16:00", "2026-03-02-17:00"),
        ("2026-03-02T17:15", "2026-03-02-17:00", "2026-03-02-17:00"),
        ("2026-03-02T17:45", "2026-03-02-17:00", "2026-03-02-17:00"),
        ("2026-03-03T00:00", "2026-03-02-23:00", "2026-03-03-00:00"),
    ],
)
def test_a_tick_covers_the_last_quarter_of_the_hour(moment: str, first: str, last: str) -> None:
    assert requested("tick_schedule", moment) == (first, last)


def test_profiles_cover_the_day_that_has_just_ended() -> None:
    assert requested("volume_profiles_schedule", "2026-03-03T00:06") == ("2026-03-02", "2026-03-03")
    assert requested("volume_profiles_schedule", "2026-03-03T09:06") == ("2026-03-03", "2026-03-03")


def test_schedules_run_by_default_and_count_in_utc() -> None:
    for name, cron in (("tick_schedule", "*/15 * * * *"), ("klines_5m_job_schedule", "4 * * * *")):
        definition = schedule(name)
        assert definition.cron_schedule == cron
        assert definition.execution_timezone == "UTC"
        assert definition.default_status.value == "RUNNING"


def test_a_recording_has_no_schedules(replayed: Replayed) -> None:
    assert not replayed.definitions.schedules
