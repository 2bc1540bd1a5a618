import numpy as np
import pytest
from scipy import stats

from vp_pipeline.analytics.density import binned, weighted
from vp_pipeline.analytics.errors import NotEnoughData
from vp_pipeline.analytics.kde import document_profile, repaired_profile
from vp_pipeline.analytics.placement import Floats


def series(kind: str, n: int, seed: int = 0) -> tuple[Floats, Floats]:
    rng = np.random.default_rng(seed)
    volume = rng.exponential(1, n)
    if kind == "walk":
        return 30_000 + rng.normal(0, 8, n).cumsum(), volume
    if kind == "far":  # one candle far away: few bins in a bandwidth
        return np.append(rng.normal(100, 0.1, n - 1), 160.0), volume
    if kind == "one giant":
        volume[n // 2] = 100 * volume.sum()
        return rng.normal(100, 5, n), volume
    return rng.choice([1e-7, 1.1e-7, 1.5e-7], n), volume


@pytest.mark.parametrize("kind", ["walk", "far", "one giant", "three prices"])
@pytest.mark.parametrize("n", [5, 240, 100_001])
def test_the_curve_differs_by_less_than_a_millionth_of_its_peak(kind: str, n: int) -> None:
    price, volume = series(kind, n)
    exact = stats.gaussian_kde(price, weights=volume, bw_method=0.1)
    prices = weighted(price, volume)
    bandwidth = 0.1 * prices.deviation
    assert bandwidth == pytest.approx(np.sqrt(exact.covariance[0, 0]), rel=1e-9)
    curve = binned(prices, prices.lowest, prices.highest, 500, bandwidth)
    expected = exact(np.linspace(price.min(), price.max(), 500))
    assert curve.price == pytest.approx(np.linspace(price.min(), price.max(), 500), rel=1e-12)
    assert np.abs(curve.density(bandwidth) - expected).max() <= 1e-6 * expected.max()


def test_one_set_of_bins_serves_many_bandwidths() -> None:
    price, volume = series("walk", 2_000)
    prices = weighted(price, volume)
    bins = binned(prices, price.min() - 50, price.max() + 50, 700, 2.0, widest=80.0)
    for bandwidth in (2.0, 9.0, 80.0):
        exact = stats.gaussian_kde(price, weights=volume, bw_method=bandwidth / prices.deviation)(bins.price)
        assert np.abs(bins.density(bandwidth) - exact).max() <= 1e-6 * exact.max()


def test_no_curve_without_two_prices() -> None:
    for price, volume in (([100.0], [3.0]), ([100.0, 100.0], [3.0, 1.0]), ([1.0, 2.0], [0.0, 3.0])):
        with pytest.raises(NotEnoughData, match="two different ones are needed"):
            weighted(np.array(price), np.array(volume))
    with pytest.raises(NotEnoughData, match="no volume in 2 candles"):
        weighted(np.array([1.0, 2.0]), np.zeros(2))
    with pytest.raises(NotEnoughData, match="no volume in 0 candles"):
        weighted(np.zeros(0), np.zeros(0))


def test_the_repaired_recipe_finds_the_peak_that_the_published_one_loses() -> None:
    rng = np.random.default_rng(2)
    close = np.concatenate((np.full(400, 100.0), 100 + np.abs(rng.normal(10, 1, 300))))
    volume = np.ones(len(close))
    lost = document_profile(close, volume)
    assert all(peak.price > 105 for peak in lost.peaks)
    found = repaired_profile(close, volume)
    assert found.peaks[0].price == pytest.approx(100, abs=found.bandwidth / 5)
    assert found.peaks[0].prominence == pytest.approx(1, abs=0.01)
    assert found.bandwidth == pytest.approx(lost.bandwidth)
    width = 2 * np.sqrt(2 * np.log(2)) * found.bandwidth
    assert found.peaks[0].width == pytest.approx(width, rel=0.02)


def test_a_bandwidth_in_dollars_is_the_same_in_every_window() -> None:
    price, volume = series("walk", 1_000)
    for end in (300, 1_000):
        assert repaired_profile(price[:end], volume[:end], bandwidth=12.5).bandwidth == 12.5
    for bandwidth, padding in ((0.0, 5.0), (None, 2.0)):
        with pytest.raises(ValueError, match="padding must be 3 or more and the bandwidth positive"):
            repaired_profile(price, volume, bandwidth=bandwidth, padding=padding)


def test_it_needs_little_memory() -> None:
    import tracemalloc

    price, volume = series("walk", 1_000_000)
    prices = weighted(price, volume)
    tracemalloc.start()
    weighted(price, volume)
    binned(prices, prices.lowest, prices.highest, 500, 0.1 * prices.deviation).density(0.1 * prices.deviation)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 5e6
