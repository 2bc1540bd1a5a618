from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from vp_pipeline.analytics.kde import DocumentProfile, document_profile
from vp_pipeline.analytics.nodes import volume_nodes
from vp_pipeline.analytics.price_rows import PriceRows, volume_by_price
from vp_pipeline.analytics.value_area import ValueArea, value_area
from vp_pipeline.figures.page import render_page
from vp_pipeline.figures.volume_profile import MAX_CANDLES, document_figure, volume_profile_figure
from vp_pipeline_tests.analytics.deltas import delta_by_price


def minutes(count: int = 1440, seed: int = 1) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    close = 20_000 + rng.normal(0, 8, count).cumsum()
    opened = np.concatenate(([20_000], close[:-1]))
    return pd.DataFrame(
        {
            "open_time": pd.date_range("2023-03-09", periods=count, freq="min", tz="UTC"),
            "open": opened,
            "high": np.maximum(opened, close) + 3,
            "low": np.minimum(opened, close) - 3,
            "close": close,
            "volume": rng.gamma(2, 5, count),
        }
    )


@pytest.fixture(scope="module")
def day() -> tuple[pd.DataFrame, PriceRows, ValueArea, DocumentProfile]:
    candles = minutes()
    rows = volume_by_price(candles, 10)
    return candles, rows, value_area(rows), document_profile(candles["close"], candles["volume"])


Day = tuple[pd.DataFrame, PriceRows, ValueArea, DocumentProfile]


def test_every_rows_volume_is_drawn_once_in_its_colour(day: Day) -> None:
    candles, rows, area, _ = day
    drawn = {trace.name: trace for trace in volume_profile_figure(candles, rows, area, "t").data}
    bars = [drawn[name] for name in ("Value area", "Outside", "Point of control")]
    assert sum(np.sum(bar.x) for bar in bars) == pytest.approx(rows.total)
    assert list(drawn["Point of control"].customdata) == [area.poc]
    in_area = np.concatenate((drawn["Value area"].x, drawn["Point of control"].x))
    assert in_area.sum() == pytest.approx(area.volume)
    assert len({bar.marker.color for bar in bars}) == 3
    assert drawn["Point of control"].y[0] == area.poc + 5  # the middle of the row


def test_candles_are_joined_without_losing_their_extremes(day: Day) -> None:
    candles, rows, area, _ = day
    figure = volume_profile_figure(candles, rows, area, "t")
    sticks = figure.data[0]
    assert len(sticks.x) <= MAX_CANDLES
    assert len(sticks.x) == 288
    assert (np.max(sticks.high), np.min(sticks.low)) == (candles["high"].max(), candles["low"].min())
    assert (sticks.open[0], sticks.close[-1]) == (candles["open"].iloc[0], candles["close"].iloc[-1])
    assert "5-minute candles" in figure.layout.xaxis.title.text
    assert "UTC" in figure.layout.xaxis.title.text


def test_few_candles_stay_as_they_are() -> None:
    candles = minutes(60).drop(index=[10, 11])
    rows = volume_by_price(candles, 10)
    sticks = volume_profile_figure(candles, rows, value_area(rows), "t").data[0]
    assert list(sticks.close) == candles["close"].tolist()


def test_the_levels_are_lines_and_labels_on_the_shared_axis(day: Day) -> None:
    candles, rows, area, _ = day
    figure = volume_profile_figure(candles, rows, area, "t")
    assert {trace.yaxis for trace in figure.data} <= {None, "y"}
    levels = {label.text.split("<br>")[0]: label.y for label in figure.layout.annotations}
    assert levels == {"<b>VAH</b>": area.vah + 5, "<b>POC</b>": area.poc + 5, "<b>VAL</b>": area.val + 5}
    band, *lines = figure.layout.shapes
    assert (band.y0, band.y1) == (area.val, area.vah + 10)
    assert sorted(line.y0 for line in lines) == sorted(levels.values())


def test_labels_of_close_levels_are_moved_apart() -> None:
    candles = minutes()
    rows = volume_by_price(candles, 10)
    figure = volume_profile_figure(candles, rows, ValueArea(20_000, 20_000, 20_000, 0.7, 1), "t")
    shifts = {label.text[3:6]: label.yshift for label in figure.layout.annotations}
    assert shifts["VAH"] >= 30
    assert shifts["POC"] == 0
    assert shifts["VAL"] <= -30


def test_the_curve_has_the_volume_of_the_rows(day: Day) -> None:
    candles, rows, area, _ = day
    figure = volume_profile_figure(candles, rows, area, "t", nodes=volume_nodes(rows))
    (curve,) = (trace for trace in figure.data if trace.name == "Kernel density")
    assert np.trapezoid(curve.x, curve.y) / rows.row_size == pytest.approx(rows.total, rel=0.02)


def of_venues(rows: PriceRows, count: int) -> dict[str, PriceRows]:
    """The rows parted into unequal venues."""
    weight = np.arange(count, 0, -1) / np.arange(count, 0, -1).sum()
    return {
        f"venue {i}": PriceRows(rows.first_row, rows.row_size, rows.volume * w) for i, w in enumerate(weight)
    }


def test_venues_are_stacked_and_the_small_ones_joined(day: Day) -> None:
    candles, rows, area, _ = day
    figure = volume_profile_figure(candles, rows, area, "t", parts=of_venues(rows, 12))
    bars = [trace for trace in figure.data if trace.type == "bar"]
    assert figure.layout.barmode == "stack"
    assert [bar.name for bar in bars] == [*(f"venue {i}" for i in range(7)), "5 others"]
    assert len({bar.marker.color for bar in bars}) == 8
    assert sum(np.sum(bar.x) for bar in bars) == pytest.approx(rows.total)
    inside = (rows.price >= area.val) & (rows.price <= area.vah)
    assert (np.asarray(bars[0].marker.opacity) == np.where(inside, 1, 0.45)[rows.volume > 0]).all()


def test_eight_venues_have_a_colour_each(day: Day) -> None:
    candles, rows, area, _ = day
    figure = volume_profile_figure(candles, rows, area, "t", parts=of_venues(rows, 8))
    assert sum(trace.type == "bar" for trace in figure.data) == 8


def test_nodes_are_marked_on_their_curve(day: Day) -> None:
    candles, rows, area, _ = day
    nodes = volume_nodes(rows)
    figure = volume_profile_figure(candles, rows, area, "t", nodes=nodes)
    marks = {
        trace.marker.symbol: trace
        for trace in figure.data
        if trace.type == "scatter" and trace.mode == "markers"
    }
    assert list(marks["diamond"].y) == [node.price for node in nodes.high]
    assert list(marks["diamond-open"].y) == [node.price for node in nodes.low]
    assert "of the volume" in marks["diamond"].customdata[0]


def test_delta_says_what_it_rests_on(day: Day) -> None:
    candles, rows, area, _ = day
    delta = delta_by_price(candles, 10)
    figure = volume_profile_figure(candles, rows, area, "t", delta=delta)
    drawn = {trace.name: trace for trace in figure.data if trace.xaxis == "x3"}
    assert set(drawn) == {"Bought (guessed)", "Sold (guessed)"}
    assert sum(np.sum(trace.x) for trace in drawn.values()) == pytest.approx(delta.delta.sum())
    assert (np.asarray(drawn["Sold (guessed)"].x) < 0).all()


def test_a_crosshair_goes_through_all_panels(day: Day) -> None:
    candles, rows, area, _ = day
    layout = volume_profile_figure(candles, rows, area, "t", delta=delta_by_price(candles, 10)).layout
    for axis in (layout.yaxis, layout.xaxis, layout.xaxis2, layout.xaxis3):
        assert (axis.showspikes, axis.spikemode, axis.spikesnap) == (True, "across", "cursor")
    assert layout.spikedistance == -1
    panels = [axis.domain for axis in (layout.xaxis, layout.xaxis2, layout.xaxis3)]
    assert all(left[1] < right[0] for left, right in pairwise(panels))


def test_naked_levels_in_sight_are_drawn(day: Day) -> None:
    candles, rows, area, _ = day
    inside = float(rows.price[3])
    figure = volume_profile_figure(candles, rows, area, "t", naked=[inside, 1.0])
    labels = [shape.label.text for shape in figure.layout.shapes if shape.label.text]
    assert labels == [f"naked POC {inside:,.10g}"]


def test_the_documents_picture_has_its_parts(day: Day) -> None:
    profile = day[3]
    bars, curve, peaks = document_figure(profile).data
    assert len(bars.x) == 150
    assert np.sum(bars.y * bars.width) == pytest.approx(1)
    assert list(curve.y) == profile.density.tolist()
    assert list(peaks.x) == [peak.price for peak in profile.peaks]


def test_the_same_day_is_the_same_document(day: Day) -> None:
    candles, rows, area, profile = day
    pages = {
        render_page(
            "t",
            "s",
            None,
            [
                volume_profile_figure(candles, rows, area, "t", nodes=volume_nodes(rows)),
                document_figure(profile),
            ],
        )
        for _ in range(2)
    }
    assert len(pages) == 1
    assert len(pages.pop()) < 200_000
