"""A profile as plain values, for JSON.

Here belong the names and the order of what `vp profile --json` prints and what is published for machines.
Prices of levels and rows are low edges of rows; rows ascend from the first to the last with volume, without a
hole.
"""

from dataclasses import asdict

from vp_pipeline.analytics.nodes import VolumeNodes
from vp_pipeline.analytics.price_rows import PriceRows
from vp_pipeline.analytics.value_area import ValueArea


def profile_document(rows: PriceRows, area: ValueArea, nodes: VolumeNodes | None) -> dict[str, object]:
    """Keys poc, vah, val, total_volume, row_size, rows [{price, volume}], nodes {high, low}.

    Args:
        rows: the profile.
        area: its levels.
        nodes: its nodes, None if it has none; each with price, prominence, width and share.
    """
    trimmed = rows.trimmed()
    high, low = (nodes.high, nodes.low) if nodes else ((), ())
    return {
        "poc": area.poc,
        "vah": area.vah,
        "val": area.val,
        "total_volume": rows.total,
        "row_size": rows.row_size,
        "rows": [
            {"price": price, "volume": volume}
            for price, volume in zip(trimmed.price.tolist(), trimmed.volume.tolist(), strict=True)
        ],
        "nodes": {"high": [asdict(node) for node in high], "low": [asdict(node) for node in low]},
    }
