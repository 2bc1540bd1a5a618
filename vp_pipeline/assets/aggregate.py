"""The normalized aggregate: one asset a base, all its markets' volumes added minute by minute.

Here belongs which assets there are, and in which order they are made; what a run does is in `aggregate_run`.
"""

from collections.abc import Iterator

from dagster import (
    AssetCheckResult,
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

from vp_pipeline.assets import check_specs, hour_profiles
from vp_pipeline.assets.candles import COVERAGE_KEY
from vp_pipeline.catalog import Catalog
from vp_pipeline.settings import Settings
from vp_pipeline.storage.io_manager import PostgresIOManager, stored_as
from vp_pipeline.storage.tables import AGGREGATE

GROUP = "aggregate"


def aggregate_key(base: str) -> AssetKey:
    """aggregate/<base>."""
    return AssetKey(["aggregate", base.lower()])


def build_aggregate(settings: Settings, hours: PartitionsDefinition[str]) -> AssetsDefinition:
    """The step that adds up every instrument's markets, and makes the profiles of the hours after that."""
    catalog = settings.catalog
    bases = {aggregate_key(base): base for base in rates_first(catalog)}

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
        ]
        + hour_profiles.specs(settings, aggregate_key),
        check_specs=[spec for key in bases for spec in check_specs.of_aggregate(key)],
        can_subset=True,
        partitions_def=hours,
        backfill_policy=BackfillPolicy.single_run(),
    )
    def aggregate(
        context: AssetExecutionContext, postgres: ResourceParam[PostgresIOManager]
    ) -> Iterator[AssetMaterialization | AssetCheckResult]:
        from vp_pipeline.assets import aggregate_run

        yield from aggregate_run.run(context, settings, postgres.database_url, bases)

    return aggregate


def rates_base(catalog: Catalog) -> str:
    """The instrument whose markets tell what a quote currency is worth: BTC, which is quoted in them all."""
    return "BTC" if "BTC" in catalog.instruments else next(iter(catalog.instruments))


def rates_first(catalog: Catalog) -> list[str]:
    """All instruments, that which makes the rates before those which read them."""
    return sorted(catalog.instruments, key=lambda base: base != rates_base(catalog))
