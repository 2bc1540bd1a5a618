"""Bars of USD-M perpetuals, one asset a series, all of one interval fetched in one step.

Here belongs what a fetch of bars leaves behind; what is computed from them is in `sessions`.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import groupby

from dagster import (
    AssetExecutionContext,
    AssetKey,
    AssetMaterialization,
    AssetsDefinition,
    AssetSpec,
    BackfillPolicy,
    Failure,
    MetadataValue,
    ResourceParam,
    multi_asset,
)

from vp_pipeline.assets.clocks import turn_clock
from vp_pipeline.assets.partitions import hour_key, kline_hours, window_of
from vp_pipeline.catalog import INTERVAL_MINUTES, Interval, Klines
from vp_pipeline.exchanges.frames import GRACE, Fetched
from vp_pipeline.settings import Settings
from vp_pipeline.storage.io_manager import Batch, PostgresIOManager, stored_as
from vp_pipeline.storage.tables import KLINE
from vp_pipeline.windows import HOUR, Window

GROUP = "sessions"
# One address shares one request budget: more threads would only wait for it.
THREADS = 4


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
    bar = timedelta(minutes=INTERVAL_MINUTES[interval])

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
        partitions_def=kline_hours(settings, group),
        backfill_policy=BackfillPolicy.single_run(),
    )
    def klines(
        context: AssetExecutionContext, postgres: ResourceParam[PostgresIOManager]
    ) -> Iterator[AssetMaterialization]:
        from vp_pipeline.exchanges.errors import FetchError
        from vp_pipeline.exchanges.futures import EXCHANGE, FuturesClient

        window = window_of(context)
        turn_clock(settings, window.end + GRACE)
        selected = {key: series for key, series in series_of.items() if key in context.selected_asset_keys}
        host, cache = settings.exchange_host(EXCHANGE), settings.home / "cache" / "listings"

        def fetch(series: Klines) -> Fetched | FetchError:
            try:
                client = FuturesClient(host, cache=cache)
                return client.fetch(series.symbol, interval, bar, _recorded(series, window))
            except FetchError as error:
                return error

        with ThreadPoolExecutor(THREADS) as pool:
            outcomes = dict(zip(selected, pool.map(fetch, selected.values()), strict=True))
        fetched = {key: outcome for key, outcome in outcomes.items() if isinstance(outcome, Fetched)}
        failed = {key: outcome for key, outcome in outcomes.items() if isinstance(outcome, FetchError)}
        postgres.write(
            Batch(
                KLINE,
                outcome.frame.assign(interval=interval),
                {"symbol": selected[key].symbol, "interval": interval},
                outcome.answered,
            )
            for key, outcome in fetched.items()
        )
        for key, outcome in fetched.items():
            yield from _materializations(key, outcome, bar)
        lines = [f"{selected[key].symbol}: {len(outcome.frame)} bars" for key, outcome in fetched.items()]
        lines += [str(error) for error in failed.values()]
        log = context.log.warning if failed else context.log.info
        log(f"{len(fetched)} of {len(outcomes)} series fetched\n" + "\n".join(lines))
        if failed and not fetched:
            raise Failure(
                "No series could be fetched. See the reason of each.",
                metadata={error.market: MetadataValue.text(error.reason) for error in failed.values()},
                allow_retries=True,
            )

    return klines


def _recorded(series: Klines, window: Window) -> Window:
    """The part of the window that a recording of the series covers; all of it when live."""
    recorded = window if series.recorded is None else window.intersect(series.recorded.hours)
    return recorded or window


def _materializations(key: AssetKey, outcome: Fetched, bar: timedelta) -> Iterator[AssetMaterialization]:
    bars = outcome.frame["open_time"].dt.floor(HOUR).value_counts()
    for hour in outcome.answered.split(HOUR):
        rows = int(bars.get(hour.start, 0))
        yield AssetMaterialization(
            key,
            partition=hour_key(hour.start),
            metadata={"rows": rows, "bars_missing": hour.count(bar) - rows},
        )
