"""Bought and sold volume of candles whose rows can be counted by hand."""

import numpy as np
import pandas as pd
import pytest

from vp_pipeline.analytics.delta import Delta
from vp_pipeline.analytics.venue_profiles import Traded, hourly_profiles

HOUR = pd.Timestamp("2026-03-01 05:00", tz="UTC")


def delta(*taker_buy_volume: float) -> Delta:
    candles = pd.DataFrame(
        {
            "market_id": 1,
            "open_time": pd.date_range(HOUR, periods=4, freq="min").as_unit("us"),
            "open": [100.0, 102, 101, 103],
            "low": [100.0, 101, 101, 103],
            "high": [102.0, 102, 101, 103],
            "close": [102.0, 101, 101, 103],
            "volume": [10.0, 20, 30, 40],
            "taker_buy_volume": taker_buy_volume,
        }
    )
    return hourly_profiles(candles, np.ones(4), 1.0)[1, HOUR].delta


def test_taker_volume_where_it_is_known() -> None:
    found = delta(4, 20, 0, 10)
    assert (found.source, found.taker_share) == ("taker", 1)
    assert found.bought.volume.tolist() == pytest.approx([2, 22, 0, 10])
    assert found.sold.volume.tolist() == pytest.approx([3, 33, 0, 30])
    assert found.delta.tolist() == pytest.approx([-1, -11, 0, -20])


def test_the_direction_of_the_candle_stands_in_for_it() -> None:
    found = delta(*[np.nan] * 4)
    assert (found.source, found.taker_share) == ("direction", 0)
    assert found.bought.volume.tolist() == pytest.approx([5, 5 + 15, 0, 20])
    assert found.sold.volume.tolist() == pytest.approx([0, 20 + 15, 0, 20])


@pytest.mark.parametrize("guessed", [np.nan, -1.0, 31.0])
def test_both_together_say_how_much_is_known(guessed: float) -> None:
    found = delta(4, 20, guessed, 10)
    assert (found.source, found.taker_share) == ("mixed", 0.7)
    assert found.bought.volume.tolist() == pytest.approx([2, 22 + 15, 0, 10])
    assert found.sold.volume.tolist() == pytest.approx([3, 3 + 15, 0, 30])


def test_no_volume_is_known_of_nothing() -> None:
    assert Traded.sum_of([], 1.0).delta.taker_share == 0
