"""Jobs and the schedules that start them.

A job is what one run may hold: assets of one partitioning. A recording does not go on, so that a
replay has the jobs and no schedules.
"""

from collections.abc import Sequence
from datetime import UTC, timedelta

from dagster import (
    AssetsDefinition,
    AssetSelection,
    DefaultScheduleStatus,
    ExecutorDefinition,
    RunRequest,
    ScheduleDefinition,
    ScheduleEvaluationContext,
    define_asset_job,
    schedule,
)

# The type of what define_asset_job makes, which Dagster does not export.
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition as Job

from vp_pipeline.assets.keys import (
    DAY_FORMAT,
    HISTORY_JOB,
    HISTORY_KLINES_JOB,
    HOUR_FORMAT,
    PLACE,
    PLATFORM,
    PROFILES_JOB,
    REPORTS_JOB,
    SESSIONS_JOB,
    TICK_JOB,
    UPKEEP_JOB,
    WORKERS,
    klines_job_name,
    range_tags,
)


def tick_job(assets: Sequence[AssetsDefinition]) -> Job:
    """Candles of all markets, their coverage, the aggregate and the hours' profiles."""
    return _job(TICK_JOB, assets, tick_job.__doc__)


def profiles_job(assets: Sequence[AssetsDefinition]) -> Job:
    """Volume profiles of days."""
    return _job(PROFILES_JOB, assets, profiles_job.__doc__)


def klines_job(interval: str, assets: Sequence[AssetsDefinition]) -> Job:
    """Bars of the USD-M perpetuals of one interval."""
    return _job(klines_job_name(interval), assets, klines_job.__doc__)


def sessions_job(assets: Sequence[AssetsDefinition]) -> Job:
    """Session tables as of a day, their reports and the comparison."""
    return _job(SESSIONS_JOB, assets, sessions_job.__doc__)


def reports_job(assets: Sequence[AssetsDefinition]) -> Job:
    """Daily returns, strategies and tearsheets, from all that is stored."""
    return _job(REPORTS_JOB, assets, reports_job.__doc__)


def history_job(assets: Sequence[AssetsDefinition], workers: ExecutorDefinition | None = None) -> Job:
    """Months of spot minutes, and the aggregate of what came; started by hand or by `vp backfill`."""
    return _job(HISTORY_JOB, assets, history_job.__doc__, workers)


def history_klines_job(assets: Sequence[AssetsDefinition], workers: ExecutorDefinition | None = None) -> Job:
    """Months of bars of the USD-M perpetuals; started by hand or by `vp backfill`."""
    return _job(HISTORY_KLINES_JOB, assets, history_klines_job.__doc__, workers)


def upkeep_job(assets: Sequence[AssetsDefinition]) -> Job:
    """The daily backup, and pruning what would grow without end."""
    return _job(UPKEEP_JOB, assets, upkeep_job.__doc__)


def _job(
    name: str,
    assets: Sequence[AssetsDefinition],
    description: str | None,
    workers: ExecutorDefinition | None = None,
) -> Job:
    keys = [key for definition in assets for key in definition.keys]
    return define_asset_job(
        name,
        AssetSelection.assets(*keys),
        description=description,
        tags={PLACE: PLATFORM if workers is None else WORKERS},
        executor_def=workers,
    )


def tick_schedule(job: Job) -> ScheduleDefinition:
    """Every quarter of an hour, from the hour of (tick - 15 min) to the hour of the tick.

    The range, and not the newest hour alone, so that the last quarter of an hour is fetched too.
    """
    return _ranged(job, "*/15 * * * *", timedelta(minutes=15), HOUR_FORMAT, tick_schedule.__doc__)


def klines_schedule(job: Job) -> ScheduleDefinition:
    """Every hour, the hour that has ended and the open one."""
    return _ranged(job, "4 * * * *", timedelta(hours=1), HOUR_FORMAT, klines_schedule.__doc__)


def profiles_schedule(job: Job) -> ScheduleDefinition:
    """Every hour, the day of the hour that has ended and the open day."""
    return _ranged(job, "6 * * * *", timedelta(hours=1), DAY_FORMAT, profiles_schedule.__doc__)


def sessions_schedule(job: Job) -> ScheduleDefinition:
    """Every day, as of the day that has ended."""
    day = timedelta(days=1)
    return _ranged(job, "15 0 * * *", day, DAY_FORMAT, sessions_schedule.__doc__, short_of=day)


def reports_schedule(job: Job) -> ScheduleDefinition:
    """Every day, after the daily bars have closed."""
    return _daily(job, "20 0 * * *", reports_schedule.__doc__)


def upkeep_schedule(job: Job) -> ScheduleDefinition:
    """Every day, between two ticks and far from the other daily jobs."""
    return _daily(job, "38 2 * * *", upkeep_schedule.__doc__)


def _daily(job: Job, cron: str, description: str | None) -> ScheduleDefinition:
    return ScheduleDefinition(
        job=job,
        cron_schedule=cron,
        execution_timezone="UTC",
        default_status=DefaultScheduleStatus.RUNNING,
        description=description,
    )


def _ranged(
    job: Job,
    cron: str,
    back: timedelta,
    key_format: str,
    description: str | None,
    short_of: timedelta = timedelta(),
) -> ScheduleDefinition:
    @schedule(
        job=job,
        name=f"{job.name}_schedule",
        cron_schedule=cron,
        execution_timezone="UTC",
        default_status=DefaultScheduleStatus.RUNNING,
        description=description,
    )
    def evaluate(context: ScheduleEvaluationContext) -> RunRequest:
        tick = context.scheduled_execution_time.astimezone(UTC)
        return RunRequest(run_key=tick.isoformat(), tags=range_tags(tick - back, tick - short_of, key_format))

    return evaluate
