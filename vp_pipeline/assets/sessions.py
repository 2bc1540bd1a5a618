"""Volatility by weekday and trading session, as of each day: one asset a symbol, and their comparison.

Here belongs which assets there are; which bars go in and what a run leaves behind is in `sessions_run`.
"""

from collections.abc import Iterator
from datetime import UTC
from itertools import groupby

from dagster import (
    AssetDep,
    AssetExecutionContext,
    AssetKey,
    AssetMaterialization,
    AssetsDefinition,
    AssetSpec,
    BackfillPolicy,
    DailyPartitionsDefinition,
    ResourceParam,
    multi_asset,
)

from vp_pipeline.assets.klines import GROUP, klines_key
from vp_pipeline.assets.partitions import HOURS_OF_DAY, kline_hours
from vp_pipeline.catalog import Klines
from vp_pipeline.settings import Settings
from vp_pipeline.storage.io_manager import PostgresIOManager, stored_as
from vp_pipeline.storage.tables import SESSION_VOLATILITY
from vp_pipeline.windows import DAY, ceil, floor


def session_key(settings: Settings, series: Klines) -> AssetKey:
    """session_volatility/<symbol>."""
    return AssetKey(["session_volatility", settings.catalog.kline_key(series)])


def comparison_key(interval: str) -> AssetKey:
    """session_comparison/<interval>."""
    return AssetKey(["session_comparison", interval])


def session_days(settings: Settings) -> DailyPartitionsDefinition:
    """Days as of which the tables can be made; of a recording those it touches."""
    hours = kline_hours(settings, list(settings.catalog.klines))
    start = floor(hours.start.astimezone(UTC), DAY)
    if hours.end is None:
        return DailyPartitionsDefinition(start_date=start, end_offset=1)
    return DailyPartitionsDefinition(start_date=start, end_date=ceil(hours.end.astimezone(UTC), DAY))


def compared_intervals(settings: Settings) -> list[str]:
    """Intervals that several symbols have."""
    ordered = sorted(series.interval for series in settings.catalog.klines)
    return [interval for interval, group in groupby(ordered) if len(list(group)) > 1]


def build_session_volatility(settings: Settings) -> AssetsDefinition:
    """One step for all symbols and the comparisons."""
    series_of = {session_key(settings, series): series for series in settings.catalog.klines}
    compared = compared_intervals(settings)

    @multi_asset(
        name="session_volatility",
        specs=[
            *(_spec(settings, key, series) for key, series in series_of.items()),
            *(_comparison_spec(settings, interval) for interval in compared),
        ],
        can_subset=True,
        partitions_def=session_days(settings),
        backfill_policy=BackfillPolicy.single_run(),
    )
    def session_volatility(
        context: AssetExecutionContext, postgres: ResourceParam[PostgresIOManager]
    ) -> Iterator[AssetMaterialization]:
        from vp_pipeline.assets import sessions_run

        yield from sessions_run.run(context, settings, postgres, series_of, compared)

    return session_volatility


def _spec(settings: Settings, key: AssetKey, series: Klines) -> AssetSpec:
    return AssetSpec(
        key,
        deps=[AssetDep(klines_key(settings, series), partition_mapping=HOURS_OF_DAY)],
        group_name=GROUP,
        kinds={"pandas", "plotly", "postgres"},
        skippable=True,
        description=f"Volatility, volume, taker share and volume per trade of {series.symbol} by weekday,"
        " trading session and quarter of the hour as of each day, over the last 30, 90 and 365 days and all,"
        " with intervals, tests and a report.",
        metadata=stored_as(SESSION_VOLATILITY, symbol=series.symbol, interval=series.interval),
    )


def _comparison_spec(settings: Settings, interval: str) -> AssetSpec:
    return AssetSpec(
        comparison_key(interval),
        deps=[
            AssetDep(klines_key(settings, series), partition_mapping=HOURS_OF_DAY)
            for series in settings.catalog.klines
            if series.interval == interval
        ],
        group_name=GROUP,
        kinds={"plotly"},
        skippable=True,
        description=f"Sessions of all symbols with {interval} bars compared over the bars that they have in"
        " common, and the bars that they have not.",
    )
