import numpy as np
import pandas as pd
import pytest

from vp_pipeline.analytics.errors import NotEnoughData
from vp_pipeline.analytics.level_confidence import Confidence, level_confidence
from vp_pipeline.analytics.price_rows import PriceRows, volume_by_price
from vp_pipeline.analytics.value_area import value_area


def venue(seed: int, middle: float = 20_000, spread: float = 40, count: int = 480) -> pd.DataFrame:
    """Candles that come and go around a middle, each as likely as the other."""
    rng = np.random.default_rng(seed)
    close = rng.normal(middle, spread, count)
    return pd.DataFrame(
        {
            "open_time": pd.date_range("2023-03-09", periods=count, freq="min", tz="UTC"),
            "low": close - 3,
            "high": close + 3,
            "close": close,
            "volume": rng.gamma(2, 5, count),
        }
    )


def sure(found: Confidence, name: str) -> tuple[float, float, float, float]:
    level = next(one for one in found.levels if one.name == name)
    return level.price, *level.interval, level.stability


def test_the_levels_are_those_of_all_venues_together() -> None:
    venues = {"one": venue(1), "two": venue(2)}
    found = level_confidence(venues, 10, samples=50)
    area = value_area(PriceRows.sum_of(volume_by_price(frame, 10) for frame in venues.values()))
    assert [one.price for one in found.levels] == [area.poc, area.vah, area.val]
    assert (found.blocks, found.venues, found.samples) == (8, 2, 50)
    for level in found.levels:
        assert set(level.by) == {"time", "venues", "placement"}
        assert 0 <= level.stability <= 1
        assert level.interval[0] <= level.interval[1]


def test_a_sharp_point_of_control_is_surer_than_a_flat_one() -> None:
    sharp = level_confidence({"a": venue(1, spread=12)}, 10, samples=100)
    flat = level_confidence({"a": venue(1, spread=300)}, 10, samples=100)
    _, low, high, stable = sure(sharp, "POC")
    _, flat_low, flat_high, flat_stable = sure(flat, "POC")
    assert stable > 0.8 > flat_stable
    assert high - low <= 20 < flat_high - flat_low


def test_venues_that_disagree_are_seen_as_the_cause() -> None:
    found = level_confidence({"a": venue(1, 20_000), "b": venue(2, 20_400)}, 10, samples=100)
    poc = found.levels[0]
    low, high = poc.by["venues"]
    assert low < 20_100
    assert high > 20_300
    low, high = poc.by["placement"]
    assert high - low < 100


def test_one_venue_alone_leaves_nothing_to_chance_between_venues() -> None:
    poc = level_confidence({"a": venue(1)}, 10, samples=20).levels[0]
    assert poc.by["venues"] == (poc.price, poc.price)


def test_nodes_come_back_or_not() -> None:
    two_hills = pd.concat([venue(1, 20_000, 12), venue(2, 20_400, 12)], ignore_index=True)
    two_hills["open_time"] = pd.date_range("2023-03-09", periods=len(two_hills), freq="min", tz="UTC")
    found = level_confidence({"a": two_hills}, 10, samples=50)
    assert [node.price for node in found.nodes] == pytest.approx([20_000, 20_400], abs=20)
    for node in found.nodes:
        assert node.stability > 0.9
        assert node.interval[0] - 10 <= node.price <= node.interval[1] + 10


def test_same_seed_same_result() -> None:
    venues = {"one": venue(1), "two": venue(2)}
    assert level_confidence(venues, 10, samples=30) == level_confidence(venues, 10, samples=30)
    other = level_confidence(venues, 10, samples=30, seed=1)
    assert other != level_confidence(venues, 10, samples=30)


def test_what_it_cannot_do() -> None:
    with pytest.raises(NotEnoughData, match="1 block of"):
        level_confidence({"a": venue(1, count=30)}, 10)
    with pytest.raises(NotEnoughData, match="no venue has volume"):
        level_confidence({"a": venue(1).assign(volume=0.0)}, 10)
    with pytest.raises(ValueError, match="cannot draw 0 samples"):
        level_confidence({"a": venue(1)}, 10, samples=0)
