import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from vp_pipeline.analytics.errors import NotEnoughData
from vp_pipeline.analytics.price_rows import PriceRows
from vp_pipeline.analytics.scale_space import lasting_nodes


def hills(*hill: tuple[float, float, float]) -> PriceRows:
    middle = np.arange(180, 420) * 0.5 + 0.25
    volume = sum(total * stats.norm(mean, deviation).pdf(middle) for mean, deviation, total in hill)
    return PriceRows(180, 0.5, np.asarray(volume))


def test_far_hills_live_longer_than_near_ones() -> None:
    nodes = lasting_nodes(hills((110, 1.5, 500), (117, 1.5, 400), (160, 2, 600)))
    assert [node.price for node in nodes[:3]] == pytest.approx([160, 110, 117], abs=0.5) or [
        node.price for node in nodes[:3]
    ] == pytest.approx([110, 160, 117], abs=0.5)
    near = next(node for node in nodes if abs(node.price - 117) < 1)
    # Two equal normal curves a distance d apart have one maximum when their deviation is d / 2.
    assert near.survives == pytest.approx(np.sqrt(3.5**2 - 1.5**2), rel=0.25)
    assert near.octaves == pytest.approx(np.log2(near.survives / 0.5))


def test_one_hill_lasts_to_the_end() -> None:
    (node,) = lasting_nodes(hills((150, 4, 100)), widest=8.0)
    assert node.survives == pytest.approx(8.0)
    assert node.octaves == pytest.approx(4.0)
    assert node.price == pytest.approx(150, abs=0.2)


@settings(deadline=None, max_examples=25)
@given(st.lists(st.integers(0, 50), min_size=3, max_size=60).filter(lambda v: sum(x > 0 for x in v) > 1))
def test_every_maximum_is_listed_once_and_one_survives(volume: list[int]) -> None:
    nodes = lasting_nodes(PriceRows(1_000, 1.0, np.array(volume, dtype=float)), widest=16.0)
    assert len({node.price for node in nodes}) == len(nodes)
    assert nodes[0].survives == pytest.approx(16.0)
    assert [node.octaves for node in nodes] == sorted((node.octaves for node in nodes), reverse=True)


def test_what_it_cannot_do() -> None:
    with pytest.raises(NotEnoughData, match="two different ones"):
        lasting_nodes(PriceRows(1, 1.0, np.array([5.0])))
    for first, last in ((0.1, 5.0), (4.0, 3.0)):
        with pytest.raises(ValueError, match="give half a row or more, ascending"):
            lasting_nodes(hills((150, 4, 100)), first, last)
