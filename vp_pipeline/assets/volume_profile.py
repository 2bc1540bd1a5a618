"""Daily volume profiles: levels, nodes and rows as tables, and documents as artifacts.

Here belongs which days are made and where they are kept. What a day becomes is in `profile_day` and
`profile_documents`, which are imported only when they run. Not only a run's own days are made: whoever
changes an hour's profile marks it, so that a healed day gets its profile by the next runs.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any

from dagster import (
    AssetDep,
    AssetExecutionContext,
    AssetKey,
    AssetMaterialization,
    AssetsDefinition,
    AssetSpec,
    BackfillPolicy,
    Failure,
    MetadataValue,
    PartitionsDefinition,
    ResourceParam,
    multi_asset,
)

from vp_pipeline.analytics.errors import NotEnoughData
from vp_pipeline.assets.artifacts import links, shared_part
from vp_pipeline.assets.hour_profiles import GROUP, profile_hours_key
from vp_pipeline.assets.keys import DAY_FORMAT
from vp_pipeline.assets.partitions import HOURS_OF_DAY, window_of
from vp_pipeline.settings import Settings
from vp_pipeline.storage import artifacts, stale
from vp_pipeline.storage.connection import Connection, transaction
from vp_pipeline.storage.io_manager import PostgresIOManager, stored_as
from vp_pipeline.storage.tables import VOLUME_PROFILE
from vp_pipeline.windows import DAY, HOUR, Window, union

if TYPE_CHECKING:
    from vp_pipeline.assets.profile_day import DayProfile

# Changed days, the newest, that one run makes anew besides its own; the next goes on.
PENDING_AT_ONCE = 31


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
        window = window_of(context)
        own = [day.start for day in window.split(DAY)]
        first = str(days.get_first_partition_key())
        with transaction(postgres.database_url) as connection:
            pending = stale.pending_days(connection, stale.VOLUME_PROFILE, base, PENDING_AT_ONCE + len(own))
        older = [day for day in pending if day not in own][:PENDING_AT_ONCE]
        made = 0
        # The oldest first: what a day says of naked levels rests on those before it.
        for start in sorted({*own, *older}):
            label = start.strftime(DAY_FORMAT)
            try:
                metadata = make(postgres.database_url, settings, base, start, context.run.run_id)
            except NotEnoughData as error:
                context.log.warning(f"{base} {label}: no profile: {error}")
                continue
            made += start in own
            if label >= first:
                yield AssetMaterialization(key, partition=label, metadata=metadata)
        if not made:
            raise Failure(
                f"No day of {window} has volume at a price in US dollars:"
                f" materialize aggregate/{base.lower()} and profile_hours/{base.lower()} for its hours first."
            )

    return volume_profile


def make(database_url: str, settings: Settings, base: str, start: datetime, run_id: str) -> dict[str, Any]:
    """Make the profile of the day that begins at `start`; what its materialization says.

    Raises:
        NotEnoughData: there is no volume at a price in dollars.
    """
    from vp_pipeline.assets import profile_day, profile_frames
    from vp_pipeline.assets.profile_inputs import gather
    from vp_pipeline.storage import rows

    day = Window(start, start + DAY)
    _make_hours(database_url, settings, base, day)
    with transaction(database_url) as connection:
        # Before anything is read: a mark that comes later stays for the next run.
        stale.clear(connection, stale.VOLUME_PROFILE, base, [hour.start for hour in day.split(HOUR)])
        try:
            result = profile_day.compute(gather(connection, settings, base, day))
        except NotEnoughData:
            connection.commit()
            raise
        for table, frame in profile_frames.frames(result):
            rows.replace(connection, table, frame, {"base": base}, day)
        kept = _publish(connection, settings, base, start.strftime(DAY_FORMAT), result, run_id)
    return {**_metadata(result), **kept}


def _make_hours(database_url: str, settings: Settings, base: str, day: Window) -> None:
    """Make those hours that have an aggregate and no profile yet, as after an upgrade."""
    from vp_pipeline.assets import hour_profiles_run
    from vp_pipeline.storage import profiles

    with transaction(database_url) as connection:
        known = connection.execute(
            "SELECT DISTINCT date_trunc('hour', open_time, 'UTC') FROM aggregate"
            " WHERE base = %s AND open_time >= %s AND open_time < %s",
            [base, day.start, day.end],
        )
        missing = {hour for (hour,) in known} - set(profiles.hours_made(connection, base, day))
        same_rows = profiles.row_size(connection, base) == settings.catalog.instruments[base].row_size
    if not same_rows:
        hour_profiles_run.recompute(database_url, settings, base, day)
    for span in union(Window(hour, hour + HOUR) for hour in missing):
        hour_profiles_run.recompute(database_url, settings, base, span)


def _publish(
    connection: Connection, settings: Settings, base: str, label: str, result: "DayProfile", run_id: str
) -> dict[str, Any]:
    """Keep the documents; metadata that link to them."""
    from vp_pipeline.assets import profile_documents
    from vp_pipeline.figures.profile_preview import preview_markdown

    name = "/".join(volume_profile_key(base).path)
    page = profile_documents.page(settings, label, result)
    kept = artifacts.put(connection, name, label, page, run_id, shared_part(page))
    metadata = links(settings, kept)
    for ending, document, media_type in (
        ("svg", profile_documents.picture(settings, label, result), "image/svg+xml; charset=utf-8"),
        ("json", profile_documents.data(settings, label, result), "application/json"),
    ):
        partition = f"{label}.{ending}"
        artifacts.put(connection, name, partition, document, run_id, media_type=media_type)
        metadata[ending] = MetadataValue.url(settings.artifact_url(name, partition))
    metadata["preview"] = MetadataValue.md(preview_markdown(result.rows, result.area))
    return metadata


def _metadata(result: "DayProfile") -> dict[str, Any]:
    """Levels and what they rest on."""
    inputs = result.inputs
    told: dict[str, Any] = {"poc": result.area.poc, "vah": result.area.vah, "val": result.area.val}
    for name, sure in result.levels.items():
        if sure is not None:
            low, high = sure.interval
            told[f"{name.lower()}_interval"] = f"{low:,.10g} to {high:,.10g}"
            told[f"{name.lower()}_stability"] = sure.stability
    return {
        **told,
        "volume": result.rows.total,
        "venues": len(inputs.venues),
        "minutes": len(inputs.aggregate),
        "venue_minutes_got": inputs.coverage["got"],
        "venue_minutes_unknown": inputs.coverage["unknown"],
        "taker_share": inputs.total.delta.taker_share,
        "delta": result.asymmetry,
        "high_nodes": len(result.nodes.high) if result.nodes else 0,
        "naked_pocs": len(result.naked),
    }
