"""The market page's chart, as plain data."""

import numpy as np
import pandas as pd
import pytest

from vp_pipeline.figures.market import Chart, Figure, market_chart

VOLUME = [1.0, 4.0, 0.0, 16.0, 9.0, 2.0]
LARGEST = 26
"""Diameter of the largest bubble, in pixels."""


def drawn(*, line: bool) -> Figure:
    close = np.array([100.0, 101, 102, 101, 103, np.nan])
    times = pd.date_range("2023-03-11", periods=6, freq="min", tz="UTC")
    prices = {"open": close, "high": close + 1, "low": close - 1, "close": close}
    bars = pd.DataFrame({"open_time": times, **prices, "volume": VOLUME})
    return market_chart(Chart(bars, {}, None, [], [], []), line=line, base="BTC")


def test_the_area_of_a_bubble_follows_the_volume() -> None:
    line, bubbles = drawn(line=True)["data"]
    assert (line["mode"], bubbles["mode"]) == ("lines", "markers")
    assert bubbles["y"] == line["y"] == [100, 101, 102, 101, 103]  # a minute without a price has none
    marker = bubbles["marker"]
    assert marker["size"] == VOLUME[:5]
    assert marker["sizemode"] == "area"
    # Plotly's rule: the radius in pixels is sqrt(size / sizeref / 2).
    diameters = np.sqrt(2 * np.array(marker["size"]) / marker["sizeref"])
    assert diameters == pytest.approx([LARGEST / 4, LARGEST / 2, 0, LARGEST, LARGEST * 3 / 4])
    assert bubbles["customdata"] == VOLUME[:5]


def test_candles_have_no_bubbles() -> None:
    assert [trace["type"] for trace in drawn(line=False)["data"]] == ["candlestick"]
