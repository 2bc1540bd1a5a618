"""One day's volume profile: computed, as rows of the tables, as a document.

Here belongs what a day's minutes become. When and where it is kept is in `volume_profile`, which
imports this only when it runs.
"""

from dataclasses import dataclass
from typing import Any

import pandas as pd

from vp_pipeline.analytics.kde import DocumentProfile, document_profile
from vp_pipeline.analytics.price_rows import PriceRows, volume_by_price
from vp_pipeline.analytics.value_area import ValueArea, value_area
from vp_pipeline.figures.page import render_page
from vp_pipeline.figures.volume_profile import document_figure, volume_profile_figure
from vp_pipeline.settings import Settings
from vp_pipeline.storage.tables import VOLUME_PROFILE, VOLUME_PROFILE_NODE, VOLUME_PROFILE_ROW
from vp_pipeline.windows import MINUTE, Window


@dataclass(frozen=True)
class DayProfile:
    """The day's minutes that have a price, how many have none, and what was made of the former."""

    minutes: pd.DataFrame
    unpriced: int
    rows: PriceRows
    area: ValueArea
    profile: DocumentProfile


def compute(minutes: pd.DataFrame, day: Window, row_size: float) -> DayProfile:
    """The day's profile from the minutes that have a price.

    Raises:
        NotEnoughData: fewer than two different closes, or no volume.
    """
    of_day = minutes[(minutes["open_time"] >= day.start) & (minutes["open_time"] < day.end)]
    priced = of_day.dropna(subset=["close"])
    profile = document_profile(priced["close"].to_numpy(), priced["volume"].to_numpy())
    rows = volume_by_price(priced, row_size)
    return DayProfile(priced, len(of_day) - len(priced), rows, value_area(rows), profile)


def levels(result: DayProfile) -> dict[str, Any]:
    """What the materialization reports."""
    return {
        "poc": result.area.poc,
        "vah": result.area.vah,
        "val": result.area.val,
        "volume": float(result.rows.volume.sum()),
        "minutes": len(result.minutes),
        "minutes_without_price": result.unpriced,
        "nodes": len(result.profile.peaks),
    }


def frames(result: DayProfile, day: Window) -> dict[str, pd.DataFrame]:
    """The rows of the three tables, but for the base."""
    stamp = pd.Timestamp(day.start.date())
    row = {
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
    ).assign(day=stamp, kind="document")
    frames = (
        (VOLUME_PROFILE, pd.DataFrame([row])),
        (VOLUME_PROFILE_ROW, by_price[by_price["volume"] > 0]),
        (VOLUME_PROFILE_NODE, nodes),
    )
    return {
        table.name: frame.reindex(columns=[name for name in table.columns if name != "base"])
        for table, frame in frames
    }


def document(settings: Settings, base: str, day: str, result: DayProfile) -> str:
    """The interactive figure, as an HTML document."""
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
