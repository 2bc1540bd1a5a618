"""Developing levels and naked points of control."""

import numpy as np
import pandas as pd
import pytest

from vp_pipeline.analytics.developing import developing_levels
from vp_pipeline.analytics.naked_levels import Level, first_touches
from vp_pipeline.analytics.price_rows import volume_by_price
from vp_pipeline.analytics.value_area import value_area


def minutes(count: int, seed: int = 1, start: str = "2023-03-09") -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    close = 20_000 + rng.normal(0, 8, count).cumsum()
    low, high = close - rng.exponential(4, count), close + rng.exponential(4, count)
    return pd.DataFrame(
        {
            "open_time": pd.date_range(start, periods=count, freq="min", tz="UTC"),
            "open": close,
            "low": low,
            "high": high,
            "close": close,
            "volume": rng.gamma(2, 5, count),
        }
    )


def at(text: str) -> pd.Timestamp:
    return pd.Timestamp(text, tz="UTC")


def test_each_moment_has_the_levels_of_what_came_before() -> None:
    candles = minutes(90)
    levels = developing_levels(candles, 10)
    assert len(levels) == 90
    for moment in (0, 1, 40, 89):
        rows = volume_by_price(candles[: moment + 1], 10)
        area = value_area(rows)
        line = levels.iloc[moment]
        assert (line["poc"], line["vah"], line["val"]) == (area.poc, area.vah, area.val)
        assert line["volume"] == pytest.approx(rows.total)
        assert line["open_time"] == candles["open_time"][moment]


def test_nothing_later_changes_a_moment() -> None:
    candles = minutes(60)
    later = candles.copy()
    later.loc[30:, "volume"] *= 50
    later.loc[30:, ["low", "high", "close"]] += 500
    one, other = developing_levels(candles, 10), developing_levels(later, 10)
    pd.testing.assert_frame_equal(one[:30], other[:30])


def test_steps_and_minutes_without_volume() -> None:
    candles = minutes(60).drop(index=range(20, 35))
    candles.loc[:4, "volume"] = 0.0
    levels = developing_levels(candles, 10, pd.Timedelta(minutes=10))
    assert levels["open_time"].dt.minute.tolist() == [9, 19, 39, 49, 59]
    assert len(developing_levels(candles, 10)) == len(candles) - 5
    assert developing_levels(candles[:0], 10).empty


def test_the_first_touch_ends_a_naked_level() -> None:
    candles = pd.DataFrame(
        {
            "open_time": pd.date_range("2023-03-10", periods=4, freq="D", tz="UTC"),
            "low": [100.0, 104, np.nan, 95],
            "high": [110.0, 112, np.nan, 99.9],
        }
    )
    levels = [
        Level("below", 99.0, 1.0, at("2023-03-10")),  # ends at 100: met by the last day alone
        Level("inside", 105.0, 1.0, at("2023-03-11")),
        Level("on the high", 112.0, 1.0, at("2023-03-10")),
        Level("above", 113.0, 1.0, at("2023-03-10")),
        Level("its own day", 101.0, 1.0, at("2023-03-11")),
    ]
    touches = {one.level.name: one for one in first_touches(levels, candles, at("2023-03-14"))}
    assert touches["below"].touched == at("2023-03-13")
    assert touches["below"].age == pd.Timedelta(days=3)
    assert touches["inside"].touched == at("2023-03-11")
    assert touches["on the high"].touched == at("2023-03-11")
    assert [name for name, one in touches.items() if one.naked] == ["above", "its own day"]
    assert touches["above"].age == pd.Timedelta(days=4)
    with pytest.raises(ValueError, match="not ascending"):
        first_touches(levels, candles[::-1], at("2023-03-14"))


def test_touches_are_found_beyond_the_first_day_of_minutes() -> None:
    candles = minutes(5_000)
    far = float(candles["high"].max())
    (touch,) = first_touches([Level("top", far - 1, 1.0, at("2023-03-09"))], candles, at("2023-03-13"))
    first = candles.loc[(candles["high"] >= far - 1) & (candles["low"] < far), "open_time"].iloc[0]
    assert touch.touched == first
