"""Volume profile of a file: `vp profile`.

Here belongs putting the analytics together and showing the result; options are in `commands`.
"""

import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

from vp_pipeline.analytics.errors import NotEnoughData
from vp_pipeline.analytics.kde import DocumentProfile, Peak, document_profile
from vp_pipeline.analytics.nodes import Node, VolumeNodes, volume_nodes
from vp_pipeline.analytics.price_rows import Placement, PriceRows, volume_by_price
from vp_pipeline.analytics.profile_document import profile_document
from vp_pipeline.analytics.value_area import Rule, ValueArea, value_area
from vp_pipeline.figures.readable import round_above
from vp_pipeline.own_data.candle_file import PRICES, read_candles
from vp_pipeline.own_data.errors import DataFileError
from vp_pipeline.own_data.output import columns, number, write_page
from vp_pipeline.own_data.trade_file import read_trades

if TYPE_CHECKING:
    from vp_pipeline.figures.page import Section

Recipe = Literal["rows", "document"]

ROWS = 100
"""About so many rows, if no size is given."""

_LINES, _BAR = 32, 40


@dataclass(frozen=True, eq=False)
class Profile:
    """What the command shows; `nodes` is None if all volume is in one row.

    With the recipe `document` there are no nodes, but `published`, None if all volume is at one close.
    """

    candles: pd.DataFrame
    rows: PriceRows
    area: ValueArea
    nodes: VolumeNodes | None
    recipe: Recipe = "rows"
    published: DocumentProfile | None = None

    def document(self) -> dict[str, object]:
        """For JSON."""
        usual = profile_document(self.rows, self.area, self.nodes)
        return usual if self.recipe == "rows" else usual | _published(self.published)


def make(
    path: Path,
    row_size: float | None,
    placement: Placement,
    rule: Rule,
    share: float,
    recipe: Recipe = "rows",
) -> Profile:
    """Read the file and compute its profile; `recipe` says by which its nodes are found.

    Raises:
        DataFileError: the file cannot be used, has no volume, or needs too many rows of that size.
    """
    needed, candles = _read(path, placement, recipe)
    size = default_row_size(candles, needed) if row_size is None else row_size
    try:
        rows = volume_by_price(candles, size, placement).trimmed()
        area = value_area(rows, share, rule)
    except NotEnoughData as error:
        raise DataFileError(f"{path}: {error}: give candles with volume") from error
    except ValueError as error:
        raise DataFileError(f"{path}: {error} (--row)") from error
    try:
        if recipe == "rows":
            return Profile(candles, rows, area, volume_nodes(rows))
        prices = candles["price" if "price" in candles else "close"]
        return Profile(candles, rows, area, None, recipe, document_profile(prices, candles["volume"]))
    except NotEnoughData:
        return Profile(candles, rows, area, None, recipe)


def _published(found: DocumentProfile | None) -> dict[str, object]:
    """Keys nodes, bandwidth, curve and histogram."""
    if found is None:
        return {"nodes": {"document": []}, "bandwidth": None, "curve": None, "histogram": None}
    return {
        "nodes": {"document": [asdict(peak) for peak in found.peaks]},
        "bandwidth": found.bandwidth,
        "curve": {"price": found.price.tolist(), "density": found.density.tolist()},
        "histogram": {"edges": found.bin_edges.tolist(), "density": found.bin_density.tolist()},
    }


def _read(path: Path, placement: Placement, recipe: Recipe) -> tuple[tuple[str, ...], pd.DataFrame]:
    """The columns that give the price range, and the file."""
    if placement == "trades":
        return ("price",), read_trades(path)
    needed = ("close",) if placement == "close" else ("low", "high")
    remedy = "add it" if placement == "close" else "with close and volume alone use --placement close"
    if recipe == "document" and placement != "close":
        return needed, read_candles(path, (*needed, "close", "volume"), "--nodes document", "add it")
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
    return "\n\n".join(
        [
            f"{path}: {len(candles):,} {what}{span}\nrows of {number(rows.row_size)} {how}",
            columns(levels),
            _nodes_text(profile.nodes) if profile.recipe == "rows" else _published_text(profile.published),
            _sketch(rows, area),
        ]
    )


def _nodes_text(nodes: VolumeNodes | None) -> str:
    if nodes is None:
        return "no nodes: all volume is in one row"
    found = [("high", node) for node in nodes.high] + [("low", node) for node in nodes.low]
    lines = [(kind, *_node(node), f"{node.share:.1%}") for kind, node in found]
    names = ("node", "price", "width", "prominence", "volume")
    return f"{columns([names, *lines])}\nbandwidth {number(nodes.curve.bandwidth)}"


def _published_text(found: DocumentProfile | None) -> str:
    if found is None:
        return "no published nodes: all volume is at one close"
    names = ("published node", "price", "width", "prominence")
    return (
        f"{columns([names, *(('peak', *_node(peak)) for peak in found.peaks)])}\n"
        f"bandwidth {number(found.bandwidth)}, {len(found.price)} samples from the lowest to the highest"
        f" close; histogram of {len(found.bin_density)} bins in --json and --html"
    )


def write_html(out: Path, path: Path, profile: Profile, how: str) -> None:
    """Write the profile as one page: with its figure if the file has times and all four prices."""
    from vp_pipeline.figures.volume_profile import document_figure, volume_profile_figure

    rows, area = profile.rows, profile.area
    levels = [_price(rows, price) for price in (area.poc, area.vah, area.val)]
    table = pd.DataFrame(
        {"level": ["POC", "VAH", "VAL", "total volume"], "value": [*levels, number(rows.total, 8)]}
    )
    sections: list[Section]
    if {"open_time", *PRICES} <= set(profile.candles):
        figure = volume_profile_figure(profile.candles, rows, area, "Volume by price", nodes=profile.nodes)
        sections = [figure, table]
    else:
        listed = pd.DataFrame({"price": rows.price, "volume": rows.volume})
        sections = ["No candles are drawn: that needs open_time, open, high, low and close.", table, listed]
    if profile.published is not None:
        sections.append(document_figure(profile.published))
    write_page(out, f"Volume profile of {path.name}", f"Rows of {number(rows.row_size)} {how}", sections)


def _price(rows: PriceRows, price: float) -> str:
    """With the decimals a row needs."""
    places = max(0, -math.floor(math.log10(rows.row_size)) + 1)
    text = f"{price:,.{places}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _node(node: Node | Peak) -> tuple[str, str, str]:
    return number(node.price), number(node.width, 3), f"{node.prominence:.0%}"


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
