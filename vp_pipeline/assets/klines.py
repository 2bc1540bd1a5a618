"""Bars of USD-M perpetuals, one asset a series, all of one interval fetched in one step.

Here belongs which assets there are; what a run does is in `klines_run`, what is computed of the bars in
`sessions`.
"""

from collections.abc import Iterator
from itertools import groupby

from dagster import (
    AssetExecutionContext,
    AssetKey,
    AssetMaterialization,
    AssetsDefinition,
    AssetSpec,
    BackfillPolicy,
    ResourceParam,
    multi_asset,
)

from vp_pipeline.assets.partitions import kline_hours
from vp_pipeline.catalog import INTERVAL_MINUTES, Interval, Klines
from vp_pipeline.settings import Settings
from vp_pipeline.storage.io_manager import PostgresIOManager, stored_as
from vp_pipeline.storage.tables import KLINE

GROUP = "sessions"


def klines_key(settings: Settings, series: Klines) -> AssetKey:
    """klines/<symbol>."""
    return AssetKey(["klines", settings.catalog.kline_key(series)])


def build_klines(settings: Settings) -> dict[Interval, AssetsDefinition]:
    """One step for each interval in use."""
    by_interval = sorted(settings.catalog.klines, key=lambda series: INTERVAL_MINUTES[series.interval])
    return {
        interval: _step(settings, interval, list(group))
        for interval, group in groupby(by_interval, key=lambda series: series.interval)
    }


def _step(settings: Settings, interval: Interval, group: list[Klines]) -> AssetsDefinition:
    series_of = {klines_key(settings, series): series for series in group}
    hours = kline_hours(settings, group)

    @multi_asset(
        name=f"klines_{interval}",
        specs=[
            AssetSpec(
                key,
                group_name=GROUP,
                kinds={"binance", "postgres"},
                skippable=True,
                description=f"{interval} bars of the USD-M perpetual {series.symbol}.",
                metadata=stored_as(KLINE, symbol=series.symbol, interval=interval),
            )
            for key, series in series_of.items()
        ],
        can_subset=True,
        partitions_def=hours,
        backfill_policy=BackfillPolicy.single_run(),
    )
    def fetch_klines(
        context: AssetExecutionContext, postgres: ResourceParam[PostgresIOManager]
    ) -> Iterator[AssetMaterialization]:
        from vp_pipeline.assets import klines_run

        yield from klines_run.run(context, settings, postgres.database_url, series_of, hours)

    return fetch_klines
