"""The normalized aggregate: one asset a base, all its markets' volumes added minute by minute.

Here belongs which markets and which lead go into it; the arithmetic is in `analytics.aggregate`.
"""

from collections.abc import Iterator

from dagster import (
    AssetExecutionContext,
    AssetKey,
    AssetMaterialization,
    AssetsDefinition,
    AssetSpec,
    BackfillPolicy,
    PartitionsDefinition,
    ResourceParam,
    multi_asset,
)

from vp_pipeline.analytics.plain_sum import aggregate as add_up
from vp_pipeline.assets.candles import COVERAGE_KEY
from vp_pipeline.assets.partitions import hour_key, window_of
from vp_pipeline.settings import Settings
from vp_pipeline.storage.connection import transaction
from vp_pipeline.storage.io_manager import Batch, PostgresIOManager, stored_as
from vp_pipeline.storage.markets import market_ids, read_candles
from vp_pipeline.storage.tables import AGGREGATE
from vp_pipeline.windows import HOUR

GROUP = "aggregate"


def aggregate_key(base: str) -> AssetKey:
    """aggregate/<base>."""
    return AssetKey(["aggregate", base.lower()])


def build_aggregate(settings: Settings, hours: PartitionsDefinition[str]) -> AssetsDefinition:
    """The step that adds up every instrument's markets."""
    catalog = settings.catalog
    bases = {aggregate_key(base): base for base in catalog.instruments}

    @multi_asset(
        name="aggregate",
        specs=[
            AssetSpec(
                key,
                deps=[COVERAGE_KEY],
                group_name=GROUP,
                kinds={"pandas", "postgres"},
                skippable=True,
                description=f"Minute candles of {base}: volume of all its markets in {base},"
                f" prices of {catalog.instruments[base].lead}, which markets did not report.",
                metadata=stored_as(AGGREGATE, base=base),
            )
            for key, base in bases.items()
        ],
        can_subset=True,
        partitions_def=hours,
        backfill_policy=BackfillPolicy.single_run(),
    )
    def aggregate(
        context: AssetExecutionContext, postgres: ResourceParam[PostgresIOManager]
    ) -> Iterator[AssetMaterialization]:
        window = window_of(context)
        selected = {key: base for key, base in bases.items() if key in context.selected_asset_keys}
        frames = {}
        with transaction(postgres.database_url) as connection:
            for key, base in selected.items():
                markets = catalog.live_markets(base)
                numbers = market_ids(connection, [(m.exchange, m.symbol) for m in markets])
                names = {numbers[m.exchange, m.symbol]: m.name for m in markets}
                lead = next(n for n, name in names.items() if name == catalog.instruments[base].lead)
                frames[key] = add_up(read_candles(connection, list(names), window), names, lead)
        postgres.write(
            Batch(AGGREGATE, frame, {"base": selected[key]}, window) for key, frame in frames.items()
        )
        for key, frame in frames.items():
            minutes_by_hour = frame.groupby(frame["open_time"].dt.floor(HOUR))
            for hour, minutes in minutes_by_hour:
                yield AssetMaterialization(
                    key,
                    partition=hour_key(hour),
                    metadata={
                        "rows": len(minutes),
                        "volume": float(minutes["volume"].sum()),
                        "minutes_without_lead": int(minutes["close"].isna().sum()),
                        "fewest_markets": int(minutes["markets"].min()),
                    },
                )

    return aggregate
