from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import signal, stats

from vp_pipeline.analytics.kde import NotEnoughData, document_profile


@pytest.fixture(scope="module")
def minutes(recorded_data: Path) -> pd.DataFrame:
    return pd.read_csv(recorded_data / "minute_2023-03-09_12" / "binance_BTC-USDT.csv.gz").iloc[-240:]


def two_nodes() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    close = np.concatenate((rng.normal(100, 1, 3000), rng.normal(120, 1, 3000)))
    return close, np.concatenate((np.full(3000, 1.0), np.full(3000, 2.0)))


def test_the_recipe_line_by_line(minutes: pd.DataFrame) -> None:
    close, volume = minutes["close"].to_numpy(), minutes["volume"].to_numpy()
    kde = stats.gaussian_kde(close, weights=volume, bw_method=0.1)
    xr = np.linspace(close.min(), close.max(), 500)
    profile = document_profile(close, volume)
    assert np.array_equal(profile.price, xr)
    assert np.array_equal(profile.density, kde(xr))
    widths = signal.find_peaks(kde(xr), prominence=0.3 * kde(xr).max(), width=0)[1]["widths"]
    assert [peak.width for peak in profile.peaks] == (widths * ((xr.max() - xr.min()) / 500)).tolist()
    assert len(profile.bin_density) == 150
    assert (profile.bin_edges[0], profile.bin_edges[-1]) == (close.min(), close.max())
    assert (profile.bin_density * np.diff(profile.bin_edges)).sum() == pytest.approx(1)
    assert all(peak.prominence >= 0.3 for peak in profile.peaks)


def test_the_bandwidth_is_a_tenth_of_the_weighted_standard_deviation() -> None:
    close, volume = two_nodes()
    mean = np.average(close, weights=volume)
    effective = volume.sum() ** 2 / np.square(volume).sum()
    spread = np.sqrt(np.average(np.square(close - mean), weights=volume) * effective / (effective - 1))
    assert document_profile(close, volume).bandwidth == pytest.approx(0.1 * spread)


def test_two_nodes_are_found_with_their_prices_and_widths() -> None:
    low, high = document_profile(*two_nodes()).peaks
    assert (low.price, high.price) == pytest.approx((100, 120), abs=0.3)
    assert high.density > low.density
    assert high.prominence == pytest.approx(1, abs=0.03)
    assert low.prominence == pytest.approx(0.5, abs=0.05)
    for peak in (low, high):
        # At half prominence a Gaussian is 2.355 standard deviations wide; the kernel adds about 1 dollar's.
        assert peak.width == pytest.approx(
            2.355 * np.hypot(1, document_profile(*two_nodes()).bandwidth), rel=0.1
        )


def test_a_maximum_at_the_edge_needs_padding() -> None:
    close = np.concatenate((np.full(100, 100.0), np.linspace(100, 130, 60), np.full(40, 120.0)))
    volume = np.ones(len(close))
    assert [round(p.price) for p in document_profile(close, volume).peaks] == [120]
    assert [round(p.price) for p in document_profile(close, volume, padding=3).peaks] == [100, 120]


def test_rows_without_price_or_volume_are_dropped() -> None:
    close, volume = two_nodes()
    clean = document_profile(close, volume)
    dirty = document_profile(
        np.concatenate((close, [np.nan, 110, 1e9])), np.concatenate((volume, [5, np.nan, np.inf]))
    )
    assert np.array_equal(clean.density, dirty.density)


def test_the_order_of_candles_does_not_matter() -> None:
    close, volume = two_nodes()
    mixed = np.random.default_rng(2).permutation(len(close))
    assert document_profile(close[mixed], volume[mixed]).density == pytest.approx(
        document_profile(close, volume).density
    )


@pytest.mark.parametrize(
    ("close", "volume", "message"),
    [
        ([], [], "no volume in 0 candles"),
        ([np.nan, 100], [1, np.nan], "no volume in 0 candles"),
        ([100, 101], [0, 0], "no volume in 2 candles"),
        ([100, 100, 100], [1, 2, 3], r"all volume is at one close \(100\)"),
        ([100, 101, 102], [0, 2, 0], r"all volume is at one close \(101\)"),
        ([100, 101], [1, 1e-15], r"all volume is at one close \(100\)"),
        ([100, 100 + 1e-10], [1, 1], r"all volume is at one close \(100\)"),
    ],
)
def test_too_little_data_is_said_to_be_so(close: list[float], volume: list[float], message: str) -> None:
    with pytest.raises(NotEnoughData, match=message):
        document_profile(close, volume)


def test_wrong_input_is_not_called_too_little() -> None:
    with pytest.raises(ValueError, match="1 volumes are negative"):
        document_profile([100, 101], [1, -1])
    with pytest.raises(ValueError, match="must be equally long lists"):
        document_profile([100, 101], [1])
