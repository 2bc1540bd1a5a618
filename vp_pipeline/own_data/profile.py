"""Volume profile of a file: `vp profile`.

Here belongs putting the analytics together and showing the result; options are in `commands`.
"""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from vp_pipeline.analytics.errors import NotEnoughData
from vp_pipeline.analytics.nodes import Node, VolumeNodes, volume_nodes
from vp_pipeline.analytics.price_rows import Placement, PriceRows, volume_by_price
from vp_pipeline.analytics.profile_document import profile_document
from vp_pipeline.analytics.value_area import Rule, ValueArea, value_area
from vp_pipeline.figures.readable import round_above
from vp_pipeline.own_data.candle_file import PRICES, read_candles
from vp_pipeline.own_data.errors import DataFileError
from vp_pipeline.own_data.output import columns, number, write_page
from vp_pipeline.own_data.trade_file import read_trades

ROWS = 100
"""About so many rows, if no size is given."""

_LINES, _BAR = 32, 40


@dataclass(frozen=True, eq=False)
class Profile:
    """What the command shows; `nodes` is None if all volume is in one row."""

    candles: pd.DataFrame
    rows: PriceRows
    area: ValueArea
    nodes: VolumeNodes | None

    def document(self) -> dict[str, object]:
        """For JSON."""
        return profile_document(self.rows, self.area, self.nodes)


def make(path: Path, row_size: float | None, placement: Placement, rule: Rule, share: float) -> Profile:
    """Read the file and compute its profile.

    Raises:
        DataFileError: the file cannot be used, has no volume, or needs too many rows of that size.
    """
    needed, candles = _read(path, placement)
    size = default_row_size(candles, needed) if row_size is None else row_size
    try:
        rows = volume_by_price(candles, size, placement).trimmed()
        area = value_area(rows, share, rule)
    except NotEnoughData as error:
        raise DataFileError(f"{path}: {error}: give candles with volume") from error
    except ValueError as error:
        raise DataFileError(f"{path}: {error} (--row)") from error
    try:
        nodes = volume_nodes(rows)
    except NotEnoughData:
        nodes = None
    return Profile(candles, rows, area, nodes)


def _read(path: Path, placement: Placement) -> tuple[tuple[str, ...], pd.DataFrame]:
    """The columns that give the price range, and the file."""
    if placement == "trades":
        return ("price",), read_trades(path)
    needed = ("close",) if placement == "close" else ("low", "high")
    remedy = "add it" if placement == "close" else "with close and volume alone use --placement close"
    return needed, read_candles(path, (*needed, "volume"), f"--placement {placement}", remedy)


def default_row_size(candles: pd.DataFrame, prices: tuple[str, ...]) -> float:
    """The least of 1, 2, 5 times a power of ten that makes at most ROWS rows of the range of `prices`.

    If there is but one price, that for a ten-thousandth of it.
    """
    values = candles[list(prices)].to_numpy()
    low, high = float(values.min()), float(values.max())
    return round_above((high - low) / ROWS or high / 10_000)


def text(path: Path, profile: Profile, how: str) -> str:
    """For the terminal: levels, nodes and a sketch of the rows, highest price first."""
    candles, rows, area = profile.candles, profile.rows, profile.area
    span, what = "", "trades" if "price" in candles else "candles"
    if "open_time" in candles:
        first, last = candles["open_time"].iloc[0], candles["open_time"].iloc[-1]
        span = f", opened {first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M} UTC"
    levels = [
        ("POC", _price(rows, area.poc)),
        ("VAH", _price(rows, area.vah)),
        ("VAL", _price(rows, area.val)),
        ("total volume", number(rows.total, 8)),
        ("from VAL to VAH", f"{area.volume / rows.total:.1%}"),
    ]
    found = [("high", node) for node in profile.nodes.high] if profile.nodes else []
    found += [("low", node) for node in profile.nodes.low] if profile.nodes else []
    nodes = [("node", "price", "width", "prominence", "volume"), *(_node(kind, node) for kind, node in found)]
    return "\n\n".join(
        [
            f"{path}: {len(candles):,} {what}{span}\nrows of {number(rows.row_size)} {how}",
            columns(levels),
            f"{columns(nodes)}\nbandwidth {number(profile.nodes.curve.bandwidth)}"
            if profile.nodes
            else "no nodes: all volume is in one row",
            _sketch(rows, area),
        ]
    )


def write_html(out: Path, path: Path, profile: Profile, how: str) -> None:
    """Write the profile as one page: with its figure if the file has times and all four prices."""
    from vp_pipeline.figures.volume_profile import volume_profile_figure

    rows, area = profile.rows, profile.area
    levels = [_price(rows, price) for price in (area.poc, area.vah, area.val)]
    table = pd.DataFrame(
        {"level": ["POC", "VAH", "VAL", "total volume"], "value": [*levels, number(rows.total, 8)]}
    )
    if {"open_time", *PRICES} <= set(profile.candles):
        figure = volume_profile_figure(profile.candles, rows, area, "Volume by price", nodes=profile.nodes)
        sections = [figure, table]
    else:
        listed = pd.DataFrame({"price": rows.price, "volume": rows.volume})
        sections = ["No candles are drawn: that needs open_time, open, high, low and close.", table, listed]
    write_page(out, f"Volume profile of {path.name}", f"Rows of {number(rows.row_size)} {how}", sections)


def _price(rows: PriceRows, price: float) -> str:
    """With the decimals a row needs."""
    places = max(0, -math.floor(math.log10(rows.row_size)) + 1)
    text = f"{price:,.{places}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _node(kind: str, node: Node) -> tuple[str, ...]:
    return (kind, number(node.price), number(node.width, 3), f"{node.prominence:.0%}", f"{node.share:.1%}")


def _sketch(rows: PriceRows, area: ValueArea) -> str:
    """At most _LINES lines of the rows, several joined if there are more."""
    together = -(-len(rows.volume) // _LINES)
    starts = np.arange(0, len(rows.volume), together)
    volume, price = np.add.reduceat(rows.volume, starts), rows.price
    places = max(0, 4 - math.floor(math.log10(volume.max())))
    lines = []
    for start, sum_ in zip(starts[::-1], volume[::-1], strict=True):
        held = price[start : start + together]
        marks = [name for name, at in (("POC", area.poc), ("VAH", area.vah), ("VAL", area.val)) if at in held]
        bar = "#" * round(_BAR * sum_ / volume.max())
        lines.append((_price(rows, held[0]), f"{sum_:,.{places}f}", " ".join(marks), bar.ljust(_BAR)))
    head = ("price", "volume", "", "" if together == 1 else f"{together} rows a line")
    return columns([head, *lines])
