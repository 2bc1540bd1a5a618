"""Daily volume profiles: levels, nodes and rows as tables, and documents as artifacts.

Here belongs which assets there are; what a run does is in `volume_profile_run`.
"""

from collections.abc import Iterator

from dagster import (
    AssetDep,
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

from vp_pipeline.assets.hour_profiles import GROUP, profile_hours_key
from vp_pipeline.assets.partitions import HOURS_OF_DAY
from vp_pipeline.settings import Settings
from vp_pipeline.storage.io_manager import PostgresIOManager, stored_as
from vp_pipeline.storage.tables import VOLUME_PROFILE


def volume_profile_key(base: str) -> AssetKey:
    """volume_profile/<base>."""
    return AssetKey(["volume_profile", base.lower()])


def build_volume_profiles(settings: Settings, days: PartitionsDefinition[str]) -> list[AssetsDefinition]:
    """One asset for each instrument."""
    return [_asset(settings, days, base) for base in settings.catalog.instruments]


def _asset(settings: Settings, days: PartitionsDefinition[str], base: str) -> AssetsDefinition:
    key = volume_profile_key(base)

    @multi_asset(
        name=f"volume_profile__{base.lower()}",
        specs=[
            AssetSpec(
                key,
                deps=[AssetDep(profile_hours_key(base), partition_mapping=HOURS_OF_DAY)],
                group_name=GROUP,
                kinds={"scipy", "plotly", "postgres"},
                skippable=True,
                description=f"{base} by price, a day at a time, over all venues at their own prices: point of"
                " control, value area and nodes with how sure they are, naked levels, delta, figures.",
                metadata=stored_as(VOLUME_PROFILE, base=base),
            )
        ],
        partitions_def=days,
        backfill_policy=BackfillPolicy.single_run(),
    )
    def volume_profile(
        context: AssetExecutionContext, postgres: ResourceParam[PostgresIOManager]
    ) -> Iterator[AssetMaterialization]:
        from vp_pipeline.assets import volume_profile_run

        yield from volume_profile_run.run(context, settings, postgres.database_url, base, days)

    return volume_profile
