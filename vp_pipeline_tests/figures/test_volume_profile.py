import numpy as np
import pandas as pd
import pytest

from vp_pipeline.analytics.kde import DocumentProfile, document_profile
from vp_pipeline.analytics.price_rows import PriceRows, volume_by_price
from vp_pipeline.analytics.value_area import ValueArea, value_area
from vp_pipeline.figures.page import render_page
from vp_pipeline.figures.volume_profile import MAX_CANDLES, document_figure, volume_profile_figure


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
    candles, rows, area, profile = day
    drawn = {trace.name: trace for trace in volume_profile_figure(candles, rows, area, profile, "t").data}
    bars = [drawn[name] for name in ("Value area", "Outside", "Point of control")]
    assert sum(np.sum(bar.x) for bar in bars) == pytest.approx(rows.total)
    assert list(drawn["Point of control"].customdata) == [area.poc]
    in_area = np.concatenate((drawn["Value area"].x, drawn["Point of control"].x))
    assert in_area.sum() == pytest.approx(area.volume)
    assert len({bar.marker.color for bar in bars}) == 3
    assert drawn["Point of control"].y[0] == area.poc + 5  # the middle of the row


def test_candles_are_joined_without_losing_their_extremes(day: Day) -> None:
    candles, rows, area, _ = day
    figure = volume_profile_figure(candles, rows, area, None, "t")
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
    sticks = volume_profile_figure(candles, rows, value_area(rows), None, "t").data[0]
    assert list(sticks.close) == candles["close"].tolist()


def test_the_levels_are_lines_and_labels_on_the_shared_axis(day: Day) -> None:
    candles, rows, area, profile = day
    figure = volume_profile_figure(candles, rows, area, profile, "t")
    assert figure.layout.yaxis2.matches == "y"
    levels = {label.text.split("<br>")[0]: label.y for label in figure.layout.annotations}
    assert levels == {"<b>VAH</b>": area.vah + 5, "<b>POC</b>": area.poc + 5, "<b>VAL</b>": area.val + 5}
    assert sorted(line.y0 for line in figure.layout.shapes) == sorted(levels.values())


def test_labels_of_close_levels_are_moved_apart() -> None:
    candles = minutes()
    rows = volume_by_price(candles, 10)
    figure = volume_profile_figure(candles, rows, ValueArea(20_000, 20_000, 20_000, 0.7, 1), None, "t")
    shifts = {label.text[3:6]: label.yshift for label in figure.layout.annotations}
    assert shifts["VAH"] >= 30
    assert shifts["POC"] == 0
    assert shifts["VAL"] <= -30


def test_the_curve_has_the_volume_of_the_rows(day: Day) -> None:
    candles, rows, area, profile = day
    drawn = {trace.name: trace for trace in volume_profile_figure(candles, rows, area, profile, "t").data}
    curve = drawn["Kernel density"]
    assert np.trapezoid(curve.x, curve.y) / rows.row_size == pytest.approx(rows.total, rel=0.02)
    assert list(drawn["Nodes"].y) == [peak.price for peak in profile.peaks]


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
            [volume_profile_figure(candles, rows, area, profile, "t"), document_figure(profile)],
        )
        for _ in range(2)
    }
    assert len(pages) == 1
    assert len(pages.pop()) < 200_000
