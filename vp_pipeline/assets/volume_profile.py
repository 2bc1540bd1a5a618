"""Daily volume profiles: levels, rows and nodes as tables, and a figure as an artifact.

Here belongs which day's minutes go in and what comes out where. The recipe is in `analytics.kde` and
`analytics.value_area`, the picture in `figures.volume_profile`.
"""

from dataclasses import dataclass
from typing import Any

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

from vp_pipeline.analytics.kde import DocumentProfile, NotEnoughData, document_profile
from vp_pipeline.analytics.price_rows import PriceRows, volume_by_price
from vp_pipeline.analytics.value_area import ValueArea, value_area
from vp_pipeline.assets.aggregate import aggregate_key
from vp_pipeline.assets.artifacts import publish
from vp_pipeline.assets.keys import DAY_FORMAT
from vp_pipeline.assets.partitions import HOURS_OF_DAY, window_of
from vp_pipeline.catalog import Instrument
from vp_pipeline.figures.page import render_page
from vp_pipeline.figures.volume_profile import document_figure, volume_profile_figure
from vp_pipeline.settings import Settings
from vp_pipeline.storage.io_manager import stored_as
from vp_pipeline.storage.tables import VOLUME_PROFILE, VOLUME_PROFILE_NODE, VOLUME_PROFILE_ROW
from vp_pipeline.windows import DAY, MINUTE, Window

GROUP = "volume_profile"


@dataclass(frozen=True)
class _Day:
    minutes: pd.DataFrame
    rows: PriceRows
    area: ValueArea
    profile: DocumentProfile


def volume_profile_key(base: str) -> AssetKey:
    """volume_profile/<base>."""
    return AssetKey(["volume_profile", base.lower()])


def build_volume_profiles(settings: Settings, days: PartitionsDefinition[str]) -> list[AssetsDefinition]:
    """One asset for each instrument."""
    return [
        _asset(settings, days, base, instrument) for base, instrument in settings.catalog.instruments.items()
    ]


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
        tables: dict[str, list[pd.DataFrame]] = {}
        for day in window_of(context).split(DAY):
            label = day.start.strftime(DAY_FORMAT)
            try:
                result = _compute(minutes, day, instrument.row_size)
            except NotEnoughData as error:
                context.log.warning(f"{base} {label}: no profile: {error}")
                continue
            metadata = publish(context, settings, key, _document(settings, base, label, result), label)
            context.add_asset_metadata({**_levels(result), **metadata}, key, label)
            for name, frame in _frames(result, day).items():
                tables.setdefault(name, []).append(frame)
        if not tables:
            raise Failure(
                f"No day of {window_of(context)} has enough minutes for a profile:"
                f" materialize aggregate/{base.lower()} for its hours first."
            )
        return {name: pd.concat(frames, ignore_index=True) for name, frames in tables.items()}

    return volume_profile


def _compute(minutes: pd.DataFrame, day: Window, row_size: float) -> _Day:
    """The day's profile from the minutes that have a price.

    Raises:
        NotEnoughData: fewer than two different closes, or no volume.
    """
    of_day = minutes[(minutes["open_time"] >= day.start) & (minutes["open_time"] < day.end)]
    priced = of_day.dropna(subset=["close"])
    profile = document_profile(priced["close"].to_numpy(), priced["volume"].to_numpy())
    rows = volume_by_price(priced, row_size)
    return _Day(priced, rows, value_area(rows), profile)


def _levels(result: _Day) -> dict[str, Any]:
    return {
        "poc": result.area.poc,
        "vah": result.area.vah,
        "val": result.area.val,
        "volume": float(result.rows.volume.sum()),
        "minutes": len(result.minutes),
        "nodes": len(result.profile.peaks),
    }


def _frames(result: _Day, day: Window) -> dict[str, pd.DataFrame]:
    """The rows of the three tables, but for the base."""
    stamp = pd.Timestamp(day.start.date())
    levels = {
        "day": stamp,
        "poc": result.area.poc,
        "vah": result.area.vah,
        "val": result.area.val,
        "value_area_share": result.area.share,
        "row_size": result.rows.row_size,
        "total_volume": float(result.rows.volume.sum()),
        "minutes": len(result.minutes),
        "kde_bandwidth": result.profile.bandwidth,
    }
    by_price = pd.DataFrame({"day": stamp, "price": result.rows.price, "volume": result.rows.volume})
    nodes = pd.DataFrame(
        [(p.price, p.density, p.prominence, p.width) for p in result.profile.peaks],
        columns=["price", "density", "prominence", "width"],
    ).assign(day=stamp)
    return {
        VOLUME_PROFILE.name: pd.DataFrame([levels]),
        VOLUME_PROFILE_ROW.name: by_price[by_price["volume"] > 0],
        VOLUME_PROFILE_NODE.name: nodes,
    }


def _document(settings: Settings, base: str, day: str, result: _Day) -> str:
    times = result.minutes["open_time"]
    first, last = times.iloc[0], times.iloc[-1] + MINUTE
    title = f"{base} volume profile, {day}"
    return render_page(
        title,
        f"{first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M} UTC, {len(result.minutes)} minutes,"
        f" volume of {len(settings.catalog.live_markets(base))} markets,"
        f" prices of {settings.catalog.instruments[base].lead}",
        settings.label,
        [
            volume_profile_figure(result.minutes, result.rows, result.area, result.profile, title),
            document_figure(result.profile),
        ],
    )
