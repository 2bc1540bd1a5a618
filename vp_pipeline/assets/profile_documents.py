"""A day's volume profile as documents: a page, a picture to share, JSON for machines.

Here belongs what stands in each; the figures are drawn in `figures`.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from vp_pipeline.analytics.price_rows import PriceRows
from vp_pipeline.assets import profile_frames
from vp_pipeline.assets.profile_day import FEWEST_STUDIED, DayProfile
from vp_pipeline.figures.levels_in_time import developing_figure
from vp_pipeline.figures.page import Heading, Section, render_page
from vp_pipeline.figures.profile_svg import profile_svg
from vp_pipeline.figures.volume_profile import document_figure, volume_profile_figure
from vp_pipeline.settings import Settings

_SESSION_HOURS = "Sessions by the hours of the second document, UTC; AS joins the day's first and last hours."


def page(settings: Settings, day: str, result: DayProfile) -> str:
    """The interactive page."""
    base = result.inputs.base
    return render_page(f"{base} volume profile, {day}", _subtitle(result), settings.label, _sections(result))


def picture(settings: Settings, day: str, result: DayProfile) -> str:
    """The SVG."""
    label = f"{settings.label}. " if settings.label else ""
    return profile_svg(
        result.inputs.prices,
        _in_sight(result),
        result.area,
        f"{label}{result.inputs.base} volume profile, {day}",
        _subtitle(result),
        parts=_by_venue(result),
        nodes=result.nodes,
    )


def data(settings: Settings, day: str, result: DayProfile) -> str:
    """The JSON: keys as `vp profile --json` has them, and more."""
    inputs, total = result.inputs, result.inputs.total
    bought = PriceRows(total.first_row, total.row_size, total.bought)
    bought = bought.between(result.rows.first_row, len(result.rows.volume))
    tables = {table.name: frame for table, frame in profile_frames.frames(result)}
    document: dict[str, Any] = {
        "instrument": inputs.base,
        "day": day,
        "until": result.until.isoformat(),
        "data": settings.label or "live",
        "poc": result.area.poc,
        "vah": result.area.vah,
        "val": result.area.val,
        "total_volume": result.rows.total,
        "row_size": result.rows.row_size,
        "value_area_share": result.area.share,
        "levels": {
            name: sure and {"interval": sure.interval, "stability": sure.stability, "by": sure.by}
            for name, sure in result.levels.items()
        },
        "interval_level": result.confidence.level if result.confidence else None,
        "coverage": inputs.coverage,
        "delta": {
            "bought_less_sold": result.asymmetry,
            "source": total.delta.source,
            "taker_share": total.delta.taker_share,
        },
        "unpriced_volume": total.unpriced,
        "rows": [
            {"price": price, "volume": volume, "bought": of_it}
            for price, volume, of_it in zip(
                result.rows.price.tolist(), result.rows.volume.tolist(), bought.volume.tolist(), strict=True
            )
        ],
        "nodes": {
            kind: _records(tables["volume_profile_node"].query("kind == @kind"), ["kind", "day"])
            for kind in ("high", "low", "document")
        },
        "venues": [
            {**line, "rows": _compact(result, str(line["market"]))} for line in profile_frames.venues(result)
        ],
        "composites": _records(tables["composite_level"], ["day"]),
        "naked_pocs": _records(tables["naked_poc"], ["day"]),
        "developing": _records(result.developing),
        "study": _records(result.study) if result.study is not None else [],
    }
    return json.dumps(_plain(document), allow_nan=False) + "\n"


def _compact(result: DayProfile, name: str) -> dict[str, Any]:
    part = next((p for market, p in result.inputs.venues.items() if market.name == name), None)
    if part is None:
        return {"first_row": 0, "volume": []}
    return {"first_row": part.first_row, "volume": part.volume.tolist()}


def _records(frame: pd.DataFrame, without: list[str] | None = None) -> list[dict[str, Any]]:
    kept = frame.drop(columns=without or [])
    return [{str(name): value for name, value in row.items()} for row in kept.to_dict("records")]


def _plain(value: Any) -> Any:
    """What JSON can say: missing is null, times are texts."""
    if isinstance(value, Mapping):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if value is None or value is pd.NaT or (isinstance(value, float) and not np.isfinite(value)):
        return None
    if isinstance(value, np.generic):
        return _plain(value.item())
    return value.isoformat() if hasattr(value, "isoformat") else value


def _subtitle(result: DayProfile) -> str:
    inputs = result.inputs
    known = sum(inputs.coverage.values()) - inputs.coverage["unknown"] - inputs.coverage["unfetchable"]
    share = known / max(1, sum(inputs.coverage.values()))
    first = max(pd.Timestamp(inputs.day.start), inputs.aggregate["open_time"].min())
    return (
        f"{first:%Y-%m-%d %H:%M} to {result.until:%Y-%m-%d %H:%M} UTC, {result.rows.total:,.0f}"
        f" {inputs.base} of {len(inputs.venues)} markets at their own prices in US dollars,"
        f" {share:.1%} of their minutes known"
    )


def _in_sight(result: DayProfile) -> PriceRows:
    """The rows that the candles reach: a thin market's outlier would flatten the picture."""
    prices, size = result.inputs.prices, result.rows.row_size
    first = int(min(prices["low"].min(), result.area.val) // size)
    last = int(max(prices["high"].max(), result.area.vah) // size)
    return result.rows.between(first, last - first + 1)


def _by_venue(result: DayProfile) -> dict[str, PriceRows]:
    return {market.name: part.rows for market, part in result.inputs.venues.items() if part.rows.total > 0}


def _by_quote(result: DayProfile) -> dict[str, PriceRows]:
    quotes: dict[str, list[PriceRows]] = {}
    for market, part in result.inputs.venues.items():
        if part.rows.total > 0:
            quotes.setdefault(market.quote, []).append(part.rows)
    return {quote: PriceRows.sum_of(parts) for quote, parts in quotes.items()}


def _sections(result: DayProfile) -> Iterator[Section]:
    inputs, size = result.inputs, result.rows.row_size
    naked = [touch.level.price for touch in result.naked]
    yield volume_profile_figure(
        inputs.prices,
        _in_sight(result),
        result.area,
        "By venue",
        parts=_by_venue(result),
        nodes=result.nodes,
        delta=inputs.total.delta,
        naked=naked,
    )
    yield from _levels(result)
    quotes = _by_quote(result)
    if len(quotes) > 1:
        yield volume_profile_figure(
            inputs.prices, _in_sight(result), result.area, "By quote currency", parts=quotes
        )
    if len(result.developing) > 1:
        yield developing_figure(result.developing, inputs.prices, size, "Levels through the day")
    yield from _nodes(result)
    yield Heading("Other stretches of time")
    yield _SESSION_HOURS
    yield _shown(pd.DataFrame(profile_frames.composites(result)))
    yield from _naked(result)
    yield from _study(result)
    yield Heading("Markets")
    yield _shown(pd.DataFrame(profile_frames.venues(result)))
    if result.published is not None:
        yield Heading("The published recipe")
        yield document_figure(result.published)


def _levels(result: DayProfile) -> Iterator[Section]:
    confidence = result.confidence
    if confidence is None:
        yield "Less than two hours are there: too few to say how sure the levels are."
        return
    yield (
        "Point of control (POC) and value area (VAL to VAH) are rows of"
        f" {result.rows.row_size:,.10g} dollars, named by their low edge. How sure they are: in"
        f" {confidence.samples} draws of {confidence.blocks} hours, {confidence.venues} markets and the"
        f" placement rules, {confidence.level:.0%} put the level into the interval; stability is the share of"
        " the draws that leave it where it is."
    )
    yield pd.DataFrame(
        [
            {
                "level": one.name,
                "price": _price(one.price),
                f"{confidence.level:.0%} interval": _interval(one.interval),
                "stability": f"{one.stability:.0%}",
                **{f"by {cause}": _interval(interval) for cause, interval in one.by.items()},
            }
            for one in confidence.levels
        ]
    )


def _nodes(result: DayProfile) -> Iterator[Section]:
    if result.nodes is None:
        return
    yield Heading("Volume nodes")
    yield (
        f"Kernel density with a bandwidth of {result.nodes.curve.bandwidth:,.2f} dollars. A high node"
        " survives up to the bandwidth given; the more doublings, the less it depends on the choice."
    )
    tables = {table.name: frame for table, frame in profile_frames.frames(result)}
    frame = tables["volume_profile_node"]
    found = frame[frame["kind"] != "document"].sort_values("price", ascending=False)
    yield pd.DataFrame(
        {
            "node": found["kind"],
            "price": found["price"].map(_price),
            "prominence": found["prominence"].map("{:.0%}".format),
            "width": found["width"].map(_price),
            "share": found["share"].map("{:.1%}".format),
            "survives to": found["survives"].map(_price),
            "doublings": found["octaves"].map(lambda value: "" if pd.isna(value) else f"{value:.1f}"),
            "stability": found["stability"].map(lambda value: "" if pd.isna(value) else f"{value:.0%}"),
        }
    )


def _naked(result: DayProfile) -> Iterator[Section]:
    if not result.touches:
        return
    yield Heading("Points of control of earlier days")
    yield f"{len(result.naked)} of the stored days' points of control are naked as of {result.until:%H:%M}."
    ordered = sorted(result.touches, key=lambda touch: touch.level.known, reverse=True)
    yield pd.DataFrame(
        [
            {
                "day": touch.level.name,
                "POC": _price(touch.level.price),
                "age in days": f"{touch.age / pd.Timedelta(days=1):.1f}",
                "touched": "naked" if touch.touched is None else f"{touch.touched:%Y-%m-%d %H:%M}",
            }
            for touch in ordered
        ]
    )


def _study(result: DayProfile) -> Iterator[Section]:
    yield Heading("Do levels work?")
    if result.study is None:
        yield (
            f"Fewer than {FEWEST_STUDIED} days in a row are stored before this one: too few to ask whether"
            " levels are touched and held."
        )
        return
    yield (
        "Of the days before: how often a level of the day before was touched, and held after that, beside"
        " its mirror image, as far on the other side of the open. If the interval of the difference holds 0,"
        " there is none."
    )
    percent = "{:.0%}".format
    study = result.study
    rates = {"value": "rate", "control": "mirror image", "difference": "difference"}
    columns: dict[str, Any] = {"level": study["level"], "what": study["rate"], "days": study["days"]}
    columns["of"] = study["tried"].map("{:.0f}".format)
    for name, title in rates.items():
        parts = ["low", "high"] if name == "value" else [f"{name}_low", f"{name}_high"]
        columns[title] = [
            "" if pd.isna(value) else f"{percent(value)} ({percent(low)} to {percent(high)})"
            for value, low, high in study[[name, *parts]].to_numpy(dtype=float)
        ]
    yield pd.DataFrame(columns)


def _shown(frame: pd.DataFrame) -> pd.DataFrame:
    """Prices and volumes with thousands, times without seconds."""
    shown = frame.copy()
    for name in shown.columns:
        if name in ("poc", "vah", "val"):
            shown[name] = shown[name].map(_price)
        elif name.endswith("_share"):
            shown[name] = shown[name].map("{:.0%}".format)
        elif name.endswith("_time"):
            shown[name] = shown[name].map("{:%Y-%m-%d %H:%M}".format)
        elif pd.api.types.is_float_dtype(shown[name]):
            shown[name] = shown[name].map("{:,.2f}".format)
    return shown.rename(columns=lambda name: name.replace("_", " "))


def _price(value: float) -> str:
    return "" if pd.isna(value) else f"{round(value, 2):,.10g}"


def _interval(interval: tuple[float, float]) -> str:
    return f"{_price(interval[0])} to {_price(interval[1])}"
