"""All assets, jobs and schedules put together, as the settings ask for them.

Here belongs what is there and what is not; each part is in its own module.
"""

from dagster import AssetsDefinition, AssetSelection, Definitions, EnvVar, in_process_executor

from vp_pipeline.assets import partitions, schedules
from vp_pipeline.assets.aggregate import build_aggregate
from vp_pipeline.assets.candles import build_candles, retired_specs
from vp_pipeline.assets.klines import build_klines
from vp_pipeline.assets.sessions import build_session_volatility
from vp_pipeline.assets.strategies import build_strategies
from vp_pipeline.assets.volume_profile import build_volume_profiles
from vp_pipeline.settings import Settings
from vp_pipeline.storage.io_manager import PostgresIOManager


def build_defs(settings: Settings, postgres: PostgresIOManager | None = None) -> Definitions:
    """Everything the settings ask for. `postgres` replaces the store, for tests."""
    assets: list[AssetsDefinition] = []
    jobs, timers = [], []
    if settings.catalog.markets:
        hours, days = partitions.minute_hours(settings), partitions.minute_days(settings)
        assets += [build_candles(settings, hours), build_aggregate(settings, hours)]
        assets += build_volume_profiles(settings, days)
        tick, profiles = schedules.tick_job(), schedules.profiles_job()
        jobs += [tick, profiles]
        timers += [schedules.tick_schedule(tick), schedules.profiles_schedule(profiles)]
    if settings.catalog.klines:
        for interval, step in build_klines(settings).items():
            assets.append(step)
            job = schedules.klines_job(interval, AssetSelection.assets(*step.keys))
            jobs.append(job)
            timers.append(schedules.klines_schedule(job))
        assets.append(build_session_volatility(settings))
    assets += build_strategies(settings)
    if settings.catalog.klines or settings.catalog.strategies:
        reports = schedules.reports_job()
        jobs.append(reports)
        timers.append(schedules.reports_schedule(reports))
    store = postgres or PostgresIOManager(database_url=EnvVar("VP_DATABASE_URL"))
    return Definitions(
        assets=[*assets, *retired_specs(settings)],
        jobs=jobs,
        schedules=timers if settings.source != "replay" else [],
        # As "io_manager" it stores what assets return, as "postgres" the fetching steps call it.
        resources={"io_manager": store, "postgres": store},
        executor=in_process_executor,
    )
