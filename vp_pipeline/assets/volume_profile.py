"""Daily volume profiles: levels, rows and nodes as tables, and a figure as an artifact.

Here belongs which days are made and where they are kept; what a day becomes is in `profile_day`.
"""

import pandas as pd
from dagster import (
    AssetExecutionContext,
    AssetIn,
    AssetKey,
    AssetsDefinition,
    BackfillPolicy,
    Failure,
    PartitionsDefinition,
    asset,
)

from vp_pipeline.analytics.errors import NotEnoughData
from vp_pipeline.assets.aggregate import aggregate_key
from vp_pipeline.assets.artifacts import publish
from vp_pipeline.assets.keys import DAY_FORMAT
from vp_pipeline.assets.partitions import HOURS_OF_DAY, window_of
from vp_pipeline.catalog import Instrument
from vp_pipeline.settings import Settings
from vp_pipeline.storage.io_manager import stored_as
from vp_pipeline.storage.tables import VOLUME_PROFILE
from vp_pipeline.windows import DAY

GROUP = "volume_profile"


def volume_profile_key(base: str) -> AssetKey:
    """volume_profile/<base>."""
    return AssetKey(["volume_profile", base.lower()])


def build_volume_profiles(settings: Settings, days: PartitionsDefinition[str]) -> list[AssetsDefinition]:
    """One asset for each instrument."""
    instruments = settings.catalog.instruments
    return [_asset(settings, days, base, instrument) for base, instrument in instruments.items()]


def _asset(
    settings: Settings, days: PartitionsDefinition[str], base: str, instrument: Instrument
) -> AssetsDefinition:
    key = volume_profile_key(base)

    @asset(
        key=key,
        ins={"minutes": AssetIn(aggregate_key(base), partition_mapping=HOURS_OF_DAY)},
        partitions_def=days,
        backfill_policy=BackfillPolicy.single_run(),
        group_name=GROUP,
        kinds={"scipy", "plotly", "postgres"},
        description=f"{base} by price, a day at a time: point of control, value area, KDE nodes, figure.",
        metadata=stored_as(VOLUME_PROFILE, base=base),
    )
    def volume_profile(context: AssetExecutionContext, minutes: pd.DataFrame) -> dict[str, pd.DataFrame]:
        from vp_pipeline.assets import profile_day

        tables: dict[str, list[pd.DataFrame]] = {}
        for day in window_of(context).split(DAY):
            label = day.start.strftime(DAY_FORMAT)
            try:
                result = profile_day.compute(minutes, day, instrument.row_size)
            except NotEnoughData as error:
                context.log.warning(f"{base} {label}: no profile: {error}")
                continue
            document = profile_day.document(settings, base, label, result)
            metadata = publish(context, settings, key, document, label)
            context.add_asset_metadata({**profile_day.levels(result), **metadata}, key, label)
            for name, frame in profile_day.frames(result, day).items():
                tables.setdefault(name, []).append(frame)
        if not tables:
            raise Failure(
                f"No day of {window_of(context)} has enough minutes for a profile:"
                f" materialize aggregate/{base.lower()} for its hours first."
            )
        return {name: pd.concat(frames, ignore_index=True) for name, frames in tables.items()}

    return volume_profile
