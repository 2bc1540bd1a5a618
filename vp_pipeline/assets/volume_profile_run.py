"""Volume profiles of some days: which are made, where they are kept, and what Dagster is told of them.

Here belongs what a run of `volume_profile` does. What a day becomes is in `profile_day` and
`profile_documents`. Not only a run's own days are made: whoever changes an hour's profile marks it, so that
a healed day gets its profile by the next runs.
"""

from collections.abc import Iterator
from datetime import datetime
from functools import partial
from typing import Any

from dagster import AssetExecutionContext, AssetMaterialization, Failure, MetadataValue, PartitionsDefinition

from vp_pipeline.analytics.errors import NotEnoughData
from vp_pipeline.assets import hour_profiles_run, profile_day, profile_documents, profile_frames
from vp_pipeline.assets.artifacts import links, shared_part
from vp_pipeline.assets.keys import DAY_FORMAT
from vp_pipeline.assets.partitions import window_of
from vp_pipeline.assets.profile_day import DayProfile
from vp_pipeline.assets.profile_inputs import gather
from vp_pipeline.assets.volume_profile import volume_profile_key
from vp_pipeline.figures.profile_preview import preview_markdown
from vp_pipeline.settings import Settings
from vp_pipeline.storage import artifacts, profiles, rows, stale
from vp_pipeline.storage.connection import Connection, in_transaction, transaction
from vp_pipeline.windows import DAY, HOUR, Window, hours_of, union

# Changed days, the newest, that one run makes anew besides its own; the next goes on.
PENDING_AT_ONCE = 31


def run(
    context: AssetExecutionContext,
    settings: Settings,
    database_url: str,
    base: str,
    days: PartitionsDefinition[str],
) -> Iterator[AssetMaterialization]:
    """Make the run's days and those that have changed, an event for each that has a partition.

    Raises:
        Failure: none of the run's own days has volume at a price in dollars.
    """
    window = window_of(context)
    own = [day.start for day in window.split(DAY)]
    first = str(days.get_first_partition_key())
    with transaction(database_url) as connection:
        pending = stale.pending_days(connection, stale.VOLUME_PROFILE, base, PENDING_AT_ONCE + len(own))
    older = [day for day in pending if day not in own][:PENDING_AT_ONCE]
    made = 0
    # The oldest first: what a day says of naked levels rests on those before it.
    for start in sorted({*own, *older}):
        label = start.strftime(DAY_FORMAT)
        try:
            metadata = make(database_url, settings, base, start, context.run.run_id)
        except NotEnoughData as error:
            context.log.warning(f"{base} {label}: no profile: {error}")
            continue
        made += start in own
        if label >= first:
            yield AssetMaterialization(volume_profile_key(base), partition=label, metadata=metadata)
    if not made:
        raise Failure(
            f"No day of {window} has volume at a price in US dollars:"
            f" materialize aggregate/{base.lower()} and profile_hours/{base.lower()} for its hours first."
        )


def make(database_url: str, settings: Settings, base: str, start: datetime, run_id: str) -> dict[str, Any]:
    """Make the profile of the day that begins at `start`; what its materialization says.

    Raises:
        NotEnoughData: there is no volume at a price in dollars; the day has no profile then, nor keeps one.
    """
    day = Window(start, start + DAY)
    _make_hours(database_url, settings, base, day)
    return in_transaction(database_url, partial(_make, settings, base, day, run_id))


def _make(settings: Settings, base: str, day: Window, run_id: str, connection: Connection) -> dict[str, Any]:
    label = day.start.strftime(DAY_FORMAT)
    # Before anything is read: a mark that comes later stays for the next run.
    stale.clear(connection, stale.VOLUME_PROFILE, base, [hour.start for hour in day.split(HOUR)])
    try:
        result = profile_day.compute(gather(connection, settings, base, day))
    except NotEnoughData:
        # What an earlier making left would stay, and nothing would be marked any more.
        for table in profile_frames.TABLES:
            rows.replace(connection, table, rows.frame_of([], table.columns), {"base": base}, day)
        _withdraw(connection, base, label)
        connection.commit()
        raise
    for table, frame in profile_frames.frames(result):
        rows.replace(connection, table, frame, {"base": base}, day)
    return {**_metadata(result), **_publish(connection, settings, base, label, result, run_id)}


def _make_hours(database_url: str, settings: Settings, base: str, day: Window) -> None:
    """Make those hours that have an aggregate and no profile yet, as after an upgrade."""
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
    for span in union(hours_of(missing)):
        hour_profiles_run.recompute(database_url, settings, base, span)


def _publish(
    connection: Connection, settings: Settings, base: str, label: str, result: DayProfile, run_id: str
) -> dict[str, Any]:
    """Keep the documents; metadata that link to them."""
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


def _withdraw(connection: Connection, base: str, label: str) -> None:
    """Keep the day's documents no longer."""
    name = "/".join(volume_profile_key(base).path)
    artifacts.remove(connection, name, [label, f"{label}.svg", f"{label}.json"])


def _metadata(result: DayProfile) -> dict[str, Any]:
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
