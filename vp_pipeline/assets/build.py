"""All assets, jobs and schedules put together, as the settings ask for them.

Here belongs what is there and what is not; each part is in its own module.
"""

from collections.abc import Sequence

from dagster import (
    AssetsDefinition,
    AssetSpec,
    Definitions,
    EnvVar,
    ExecutorDefinition,
    in_process_executor,
    map_asset_specs,
)

from vp_pipeline.assets import partitions, schedules
from vp_pipeline.assets.aggregate import build_aggregate
from vp_pipeline.assets.alerts import build_alerts
from vp_pipeline.assets.candles import build_candles, retired_specs
from vp_pipeline.assets.history import build_bar_history, build_history
from vp_pipeline.assets.klines import build_klines
from vp_pipeline.assets.sessions import build_session_volatility
from vp_pipeline.assets.strategies import build_strategies
from vp_pipeline.assets.upkeep import build_upkeep
from vp_pipeline.assets.volume_profile import build_volume_profiles
from vp_pipeline.settings import Settings
from vp_pipeline.storage.io_manager import PostgresIOManager


def build_defs(settings: Settings, postgres: PostgresIOManager | None = None) -> Definitions:
    """Everything the settings ask for. `postgres` replaces the store, for tests."""
    catalog = settings.catalog
    assets: list[AssetsDefinition] = []
    jobs, timers = [], []
    if catalog.markets:
        hours, days = partitions.minute_hours(settings), partitions.minute_days(settings)
        minutes = [build_candles(settings, hours), build_aggregate(settings, hours)]
        daily = build_volume_profiles(settings, days)
        assets += [*minutes, *daily]
        tick, profiles = schedules.tick_job(minutes), schedules.profiles_job(daily)
        jobs += [tick, profiles]
        timers += [schedules.tick_schedule(tick), schedules.profiles_schedule(profiles)]
    for interval, step in build_klines(settings).items():
        assets.append(step)
        bars = schedules.klines_job(interval, [step])
        jobs.append(bars)
        timers.append(schedules.klines_schedule(bars))
    if catalog.klines:
        tables = build_session_volatility(settings)
        assets.append(tables)
        sessions = schedules.sessions_job([tables])
        jobs.append(sessions)
        timers.append(schedules.sessions_schedule(sessions))
    reports = build_strategies(settings)
    if reports:
        assets += reports
        report = schedules.reports_job(reports)
        jobs.append(report)
        timers.append(schedules.reports_schedule(report))
    for steps, job_of in (
        (build_history(settings), schedules.history_job),
        (build_bar_history(settings), schedules.history_klines_job),
    ):
        if steps:
            assets += steps
            jobs.append(job_of(steps, _workers(settings)))
    kept = build_upkeep(settings)
    assets += kept
    upkeep = schedules.upkeep_job(kept)
    jobs.append(upkeep)
    timers.append(schedules.upkeep_schedule(upkeep))
    store = postgres or PostgresIOManager(database_url=EnvVar("VP_DATABASE_URL"))
    return Definitions(
        assets=_labelled([*assets, *retired_specs(settings)], settings.label),
        jobs=jobs,
        schedules=timers if settings.source != "replay" else [],
        sensors=[build_alerts(settings, [job.name for job in jobs], _checks(assets))]
        if settings.source != "replay"
        else [],
        # As "io_manager" it stores what assets return, as "postgres" the fetching steps call it.
        resources={"io_manager": store, "postgres": store},
        executor=in_process_executor,
    )


def _workers(settings: Settings) -> ExecutorDefinition | None:
    """What gives months of history to workers; None without a broker: they are loaded where all else is."""
    if settings.broker is None:
        return None
    from vp_pipeline.cluster.executor import cluster_executor

    return cluster_executor(settings.broker)


def _checks(assets: Sequence[AssetsDefinition]) -> list[str]:
    """All checks, as `asset/key:check`."""
    keys = [key for definition in assets for key in definition.check_keys]
    return [f"{key.asset_key.to_user_string()}:{key.name}" for key in keys]


def _labelled(
    assets: Sequence[AssetsDefinition | AssetSpec], label: str | None
) -> Sequence[AssetsDefinition | AssetSpec]:
    """Assets that say of themselves, as a tag and first of all, that they are not the market's."""
    if label is None:
        return assets
    tag = {"data": label.split()[0].lower()}
    return map_asset_specs(
        lambda spec: spec.replace_attributes(
            description=f"**{label}.** {spec.description}", tags={**spec.tags, **tag}
        ),
        assets,
    )
