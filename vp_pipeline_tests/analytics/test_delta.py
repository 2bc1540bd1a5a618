import numpy as np
import pandas as pd
import pytest

from vp_pipeline.analytics.delta import delta_by_price
from vp_pipeline.analytics.price_rows import volume_by_price


def candles(**columns: list[float | None]) -> pd.DataFrame:
    plain: dict[str, list[float | None]] = {
        "open": [100, 102, 101, 103],
        "low": [100, 101, 101, 103],
        "high": [102, 102, 101, 103],
        "close": [102, 101, 101, 103],
        "volume": [10, 20, 30, 40],
    }
    return pd.DataFrame(plain | columns)


def test_taker_volume_where_it_is_known() -> None:
    found = delta_by_price(candles(taker_buy_volume=[4, 20, 0, 10]), 1)
    assert (found.source, found.taker_share) == ("taker", 1)
    assert found.bought.volume.tolist() == [2, 22, 0, 10]
    assert found.sold.volume.tolist() == [3, 33, 0, 30]
    assert found.delta.tolist() == [-1, -11, 0, -20]


def test_the_direction_of_the_candle_stands_in_for_it() -> None:
    found = delta_by_price(candles(), 1)
    assert (found.source, found.taker_share) == ("direction", 0)
    assert found.bought.volume.tolist() == [5, 5 + 15, 0, 20]
    assert found.sold.volume.tolist() == [0, 20 + 15, 0, 20]


def test_both_together_say_how_much_is_known() -> None:
    found = delta_by_price(candles(taker_buy_volume=[4, None, None, 10]), 1)
    assert (found.source, found.taker_share) == ("mixed", 0.5)
    whole = volume_by_price(candles(), 1)
    assert found.bought.volume + found.sold.volume == pytest.approx(whole.volume)


@pytest.mark.parametrize("wrong", [-1.0, 11.0])
def test_a_taker_volume_that_cannot_be(wrong: float) -> None:
    with pytest.raises(ValueError, match="1 candles have a taker-buy volume below 0 or above"):
        delta_by_price(candles(taker_buy_volume=[wrong, 1, 1, 1]), 1)


def test_no_volume_is_known_of_nothing() -> None:
    found = delta_by_price(candles(volume=[0, 0, 0, 0], taker_buy_volume=[np.nan] * 4), 1)
    assert found.taker_share == 0
