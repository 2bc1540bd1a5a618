import numpy as np
import pandas as pd
import pytest

from vp_pipeline.analytics.history import History
from vp_pipeline.analytics.price_rows import volume_by_price
from vp_pipeline.analytics.rolling_levels import ROW, _levels, rolling_levels
from vp_pipeline.analytics.value_area import value_area
from vp_pipeline_tests.analytics.histories import bars_history


def test_levels_are_those_of_the_profile_of_the_days_before() -> None:
    history = bars_history()
    found = rolling_levels(history, "A", 20, 0.7)
    assert np.isnan(found.poc[:20]).all()
    assert np.isfinite(found.poc[20:]).all()
    for day in (20, 57, 119):
        bars = pd.DataFrame(
            {
                "low": np.log(history.low["A"].iloc[day - 20 : day]),
                "high": np.log(history.high["A"].iloc[day - 20 : day]),
                "volume": history.volume["A"].iloc[day - 20 : day],
            }
        )
        area = value_area(volume_by_price(bars, ROW).trimmed(), 0.7)
        assert np.log(found.poc[day]) == pytest.approx(area.poc + ROW / 2)
        assert np.log(found.val[day]) == pytest.approx(area.val)
        assert np.log(found.vah[day]) == pytest.approx(area.vah + ROW)


def test_a_symbol_has_levels_once_it_was_listed_for_as_many_days() -> None:
    found = rolling_levels(bars_history(), "D", 20, 0.7)
    assert np.isnan(found.poc[:60]).all()
    assert np.isfinite(found.poc[60:]).all()


def test_days_of_one_price_lie_in_its_row() -> None:
    dates = pd.date_range("2024-01-01", periods=4)
    close = pd.DataFrame({"A": [100.0, 100, 100, 100]}, dates)
    found = rolling_levels(History.of_closes(close), "A", 2, 0.7)
    assert np.isnan(found.poc[:2]).all()
    assert (found.val[2:] <= 100).all()
    assert (found.vah[2:] >= 100).all()
    assert found.poc[2:] == pytest.approx([100, 100], rel=ROW)


def test_without_volume_there_are_no_levels() -> None:
    history = bars_history()
    still = History(history.returns, history.close, history.high, history.low, history.volume * 0)
    assert np.isnan(rolling_levels(still, "A", 5, 0.7).poc).all()


def test_of_two_long_worlds_each_window_is_computed_once() -> None:
    """What a test for looking ahead comes down to: parts of two worlds, in turn."""
    days, window = 9000, 20
    closes = np.exp(np.random.default_rng(3).normal(0, 0.02, (2, days)).cumsum(axis=1))
    dates = pd.date_range("2001-01-01", periods=days)
    worlds = [History.of_closes(pd.DataFrame({"A": close}, dates)) for close in closes]
    for world in worlds:
        rolling_levels(world, "A", window, 0.7)
    before = _levels.cache_info().misses
    for row in (8000, 100, 4000):
        rolling_levels(worlds[0].until(row, worlds[1]), "A", window, 0.7)
    assert _levels.cache_info().misses - before == 3 * (window - 1)
