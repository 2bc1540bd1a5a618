"""A day's volume profile as rows of its tables.

Here belongs which number goes into which column.
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from vp_pipeline.analytics.nodes import Node
from vp_pipeline.analytics.value_area import point_of_control, value_area
from vp_pipeline.assets.profile_day import DayProfile
from vp_pipeline.storage.profile_tables import (
    COMPOSITE_LEVEL,
    NAKED_POC,
    VOLUME_PROFILE,
    VOLUME_PROFILE_NODE,
    VOLUME_PROFILE_ROW,
    VOLUME_PROFILE_VENUE,
)
from vp_pipeline.storage.table import Table

TABLES = (
    VOLUME_PROFILE,
    VOLUME_PROFILE_NODE,
    VOLUME_PROFILE_VENUE,
    COMPOSITE_LEVEL,
    NAKED_POC,
    VOLUME_PROFILE_ROW,
)


def frames(result: DayProfile) -> Iterator[tuple[Table, pd.DataFrame]]:
    """The rows of each of `TABLES`, but for base and day."""
    for table, rows in (
        (VOLUME_PROFILE, [_levels(result)]),
        (VOLUME_PROFILE_NODE, list(_nodes(result))),
        (VOLUME_PROFILE_VENUE, list(venues(result))),
        (COMPOSITE_LEVEL, list(composites(result))),
        (NAKED_POC, list(_touches(result))),
    ):
        names = [name for name in table.columns if name not in ("base", "day")]
        frame = pd.DataFrame(rows, columns=names)
        yield table, _timed(frame).assign(day=pd.Timestamp(result.inputs.day.start.date()))
    by_price = pd.DataFrame({"price": result.rows.price, "volume": result.rows.volume})
    day = pd.Timestamp(result.inputs.day.start.date())
    yield VOLUME_PROFILE_ROW, by_price[by_price["volume"] > 0].assign(day=day)


def _timed(frame: pd.DataFrame) -> pd.DataFrame:
    """Times with their zone, also where there are none."""
    times = {
        name: pd.to_datetime(frame[name], utc=True)
        for name in ("start_time", "end_time", "touched")
        if name in frame
    }
    return frame.assign(**times)


def _levels(result: DayProfile) -> dict[str, float | int | None]:
    inputs, total = result.inputs, result.inputs.total
    row: dict[str, float | int | None] = {
        "poc": result.area.poc,
        "vah": result.area.vah,
        "val": result.area.val,
        "value_area_share": result.area.share,
        "row_size": result.rows.row_size,
        "total_volume": result.rows.total,
        "minutes": len(inputs.aggregate),
        "kde_bandwidth": result.published.bandwidth if result.published else None,
        "low": _known(inputs.prices["low"].min()),
        "high": _known(inputs.prices["high"].max()),
        "venues": len(inputs.venues),
        "delta": result.asymmetry,
        "taker_share": total.delta.taker_share,
        "unpriced": total.unpriced,
        "minutes_expected": sum(inputs.coverage.values()),
        "minutes_got": inputs.coverage["got"],
        "minutes_empty": inputs.coverage["empty"],
        "minutes_unknown": inputs.coverage["unknown"],
        "node_bandwidth": result.nodes.curve.bandwidth if result.nodes else None,
    }
    for name, sure in result.levels.items():
        low, high = sure.interval if sure else (None, None)
        key = name.lower()
        stable = sure.stability if sure else None
        row |= {f"{key}_low": low, f"{key}_high": high, f"{key}_stability": stable}
    return row


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _nodes(result: DayProfile) -> Iterator[dict[str, object]]:
    if result.nodes is not None:
        curve = result.nodes.curve
        sure = result.confidence.nodes if result.confidence else ()
        for at, node in enumerate(result.nodes.high):
            lasting = result.lasting[at]
            again = next((one for one in sure if one.price == node.price), None)
            yield {
                **_node(node, "high", float(np.interp(node.price, curve.price, curve.density))),
                "survives": lasting.survives if lasting else None,
                "octaves": lasting.octaves if lasting else None,
                "low": again and _known(again.interval[0]),
                "high": again and _known(again.interval[1]),
                "stability": again.stability if again else None,
            }
        for node in result.nodes.low:
            yield _node(node, "low", float(np.interp(node.price, curve.price, curve.density)))
    for peak in result.published.peaks if result.published else ():
        yield {
            "kind": "document",
            "price": peak.price,
            "density": peak.density,
            "prominence": peak.prominence,
            "width": peak.width,
        }


def _node(node: Node, kind: str, density: float) -> dict[str, object]:
    return {
        "kind": kind,
        "price": node.price,
        "density": density,
        "prominence": node.prominence,
        "width": node.width,
        "share": node.share,
    }


def venues(result: DayProfile) -> Iterator[dict[str, object]]:
    """Each venue of the day, the largest first."""
    inputs = result.inputs
    every = inputs.left_out.keys() | inputs.venues.keys()
    volume = {m: inputs.venues[m].rows.total if m in inputs.venues else 0.0 for m in every}
    for market in sorted(every, key=lambda m: (-volume[m], m.name)):
        part = inputs.venues.get(market)
        yield {
            "market": market.name,
            "quote": market.quote,
            "volume": volume[market],
            "bought": float(part.bought.sum()) if part else 0.0,
            "taker_share": part.delta.taker_share if part else 0.0,
            "left_out": max(0.0, inputs.left_out.get(market, 0.0)),
            "unpriced": part.unpriced if part else 0.0,
            "poc": point_of_control(part.rows) if part and volume[market] > 0 else None,
        }


def composites(result: DayProfile) -> Iterator[dict[str, object]]:
    """Week, month and year so far, then the day's sessions."""
    for span in (*result.inputs.composites, *result.inputs.sessions):
        rows = span.traded.rows
        if rows.total <= 0:
            continue
        area = value_area(rows)
        yield {
            "span": span.name,
            "start_time": span.window.start,
            "end_time": span.window.end,
            "hours": span.traded.hours,
            "poc": area.poc,
            "vah": area.vah,
            "val": area.val,
            "volume": rows.total,
        }


def _touches(result: DayProfile) -> Iterator[dict[str, object]]:
    for touch in result.touches:
        yield {
            "poc_day": pd.Timestamp(touch.level.name),
            "poc": touch.level.price,
            "age_days": touch.age / pd.Timedelta(days=1),
            "touched": touch.touched,
        }
