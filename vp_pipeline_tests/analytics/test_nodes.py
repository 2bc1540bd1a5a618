import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from vp_pipeline.analytics.errors import NotEnoughData
from vp_pipeline.analytics.nodes import Node, volume_nodes
from vp_pipeline.analytics.price_rows import Floats, PriceRows

FEW = settings(deadline=None, max_examples=40)


def hills(
    *hill: tuple[float, float, float], size: float = 0.5, first: int = 180, count: int = 120
) -> PriceRows:
    """Rows under normal curves of (middle, standard deviation, volume)."""
    middle = (np.arange(first, first + count) + 0.5) * size
    volume: Floats = np.zeros(count)
    for mean, deviation, total in hill:
        volume += total * size * stats.norm(mean, deviation).pdf(middle)
    return PriceRows(first, size, volume)


def test_two_hills_and_the_valley_between_them() -> None:
    rows = hills((100, 2, 600), (130, 2, 400))
    nodes = volume_nodes(rows)
    spread = nodes.curve.bandwidth
    assert spread == pytest.approx(0.1 * np.sqrt(2**2 + 0.24 * 30**2), rel=0.03)
    assert [node.price for node in nodes.high] == pytest.approx([100, 130], abs=0.1)
    assert [node.prominence for node in nodes.high] == pytest.approx([1, 2 / 3], abs=0.01)
    width = 2 * np.sqrt(2 * np.log(2)) * np.hypot(2, spread)
    assert [node.width for node in nodes.high] == pytest.approx([width, width], rel=0.01)
    inside = 1 - 2 * stats.norm.sf(width / 2, scale=2)
    assert [node.share for node in nodes.high] == pytest.approx([0.6 * inside, 0.4 * inside], rel=0.01)
    (valley,) = nodes.low
    assert 105 < valley.price < 125
    assert valley.prominence == pytest.approx(2 / 3, abs=0.01)
    # Half the lower hill's height is a third of the higher one's.
    halves = np.hypot(2, spread) * (np.sqrt(2 * np.log(3)) + np.sqrt(2 * np.log(2)))
    assert valley.width == pytest.approx(30 - halves, rel=0.01)
    assert valley.share < 0.1


def test_a_hill_at_the_very_edge_is_a_node() -> None:
    volume = np.ones(60)
    volume[0] = volume[40] = 50
    nodes = volume_nodes(PriceRows(100, 1.0, volume))
    assert [node.price for node in nodes.high] == pytest.approx([100.5, 140.5], abs=0.2)


def test_rows_are_no_hills_by_themselves() -> None:
    rows = PriceRows(101, 1.0, np.array([10, 15, 20, 60, 70, 150, 90, 80, 50, 10], dtype=float))
    nodes = volume_nodes(rows)
    assert nodes.curve.bandwidth == pytest.approx(1.0)
    (only,) = nodes.high
    assert only.price == pytest.approx(106.7, abs=0.3)
    assert nodes.low == ()


@pytest.mark.parametrize("count", [2, 3, 10, 69, 70, 200])
def test_a_plateau_is_one_hill(count: int) -> None:
    rows = PriceRows(146, 0.1, np.full(count, 0.001 / count))
    nodes = volume_nodes(rows)
    assert len(nodes.high) == len(nodes.curve.peaks) == 1
    assert nodes.high[0].price == nodes.curve.peaks[0].price
    assert nodes.high[0].prominence == pytest.approx(1, abs=1e-4)
    assert rows.price[0] < nodes.high[0].price < rows.price[-1] + 0.1


def test_two_plateaus_far_apart_have_their_valley_in_the_middle() -> None:
    volume = np.zeros(10_000)
    volume[:20] = volume[-20:] = 1.0
    nodes = volume_nodes(PriceRows(10_000, 1.0, volume), bandwidth_factor=0.001)
    assert [node.price for node in nodes.high] == pytest.approx([10_010, 19_990], abs=10)
    assert [node.price for node in nodes.low] == pytest.approx([15_000], abs=10)


def test_small_hills_need_a_small_prominence() -> None:
    rows = hills((100, 2, 900), (130, 2, 50))
    assert len(volume_nodes(rows).high) == 1
    assert len(volume_nodes(rows, prominence=0.04).high) == 2


def test_very_many_rows_give_the_same_nodes() -> None:
    coarse = volume_nodes(hills((100, 2, 600), (130, 2, 400)))
    fine = volume_nodes(hills((100, 2, 600), (130, 2, 400), size=0.005, first=18_000, count=12_000))
    assert [node.price for node in fine.high + fine.low] == pytest.approx(
        [node.price for node in coarse.high + coarse.low], abs=0.2
    )
    assert [node.share for node in fine.high] == pytest.approx([node.share for node in coarse.high], abs=0.01)


@FEW
@given(st.lists(st.floats(0, 1e4), min_size=2, max_size=40).filter(lambda v: sum(x > 1 for x in v) > 1))
def test_valleys_lie_between_peaks_and_shares_are_parts(volume: list[float]) -> None:
    nodes = volume_nodes(PriceRows(50, 2.0, np.array(volume)))
    assert len(nodes.low) == len(nodes.high) - 1
    for left, valley, right in zip(nodes.high[:-1], nodes.low, nodes.high[1:], strict=True):
        assert left.price < valley.price < right.price
    for node in nodes.high + nodes.low:
        assert 0 < node.prominence <= 1 + 1e-9
        assert node.width > 0
        assert -1e-12 <= node.share <= 1 + 1e-12
    assert all(node.prominence >= 0.1 - 1e-9 for node in nodes.high)


@FEW
@given(st.lists(st.floats(1, 1e4), min_size=2, max_size=30), st.floats(0.001, 1000))
def test_the_unit_of_volume_does_not_matter(volume: list[float], unit: float) -> None:
    def numbers(nodes: tuple[Node, ...]) -> list[float]:
        return [value for node in nodes for value in (node.price, node.prominence, node.width, node.share)]

    one = volume_nodes(PriceRows(50, 2.0, np.array(volume)))
    other = volume_nodes(PriceRows(50, 2.0, unit * np.array(volume)))
    # A hill whose prominence is the limit itself may round to either side.
    if all(abs(node.prominence - 0.1) > 1e-6 for node in one.high) and len(one.high) == len(other.high):
        assert numbers(one.high) == pytest.approx(numbers(other.high), rel=1e-3)


@pytest.mark.parametrize("volume", [[5.0], [0.0, 5.0, 0.0], [1.0, 1e-15]])
def test_one_price_has_no_nodes(volume: list[float]) -> None:
    with pytest.raises(NotEnoughData, match="two different ones are needed"):
        volume_nodes(PriceRows(100, 1.0, np.array(volume)))
