"""Volume nodes: peaks of a smooth curve over closes weighted by volume.

Here belongs the kernel density recipe, as published and repaired; how the repaired one is summed up is in
`density`, and the exact volume of each price is in `price_rows`.

`document_profile` is the recipe to the letter. It evaluates the curve from the lowest to the highest close
and no further, so a maximum at the very edge has no prominence and is lost. `repaired_profile` pads the grid,
takes a bandwidth in dollars where one is given, and needs a hundredth of the time or less.
scipy is imported by the functions that need it: whoever only draws a result does without its 65 MB.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vp_pipeline.analytics import density as fast
from vp_pipeline.analytics.errors import NotEnoughData
from vp_pipeline.analytics.price_rows import Floats

__all__ = ["PADDING", "DocumentProfile", "NotEnoughData", "Peak", "document_profile", "repaired_profile"]

BANDWIDTH_FACTOR = 0.1
BINS = 150
PADDING = 5.0
"""Bandwidths beyond the outermost closes: there the curve has fallen below 4e-6 of an edge's maximum."""


@dataclass(frozen=True)
class Peak:
    """A node: `price` and `width` (at half prominence) in dollars.

    `density` is per dollar, `prominence` a share of the curve's maximum.
    """

    price: float
    density: float
    prominence: float
    width: float


@dataclass(frozen=True, eq=False)
class DocumentProfile:
    """The curve `density` over `price` (samples), per dollar, and the histogram beside it.

    `bin_density` has one value less than `bin_edges`. `bandwidth` is the standard deviation of the kernel in
    dollars, which changes from window to window.
    """

    price: Floats
    density: Floats
    bin_edges: Floats
    bin_density: Floats
    peaks: tuple[Peak, ...]
    bandwidth: float


def document_profile(
    close: npt.ArrayLike,
    volume: npt.ArrayLike,
    samples: int = 500,
    bandwidth_factor: float = BANDWIDTH_FACTOR,
    bins: int = BINS,
    prominence: float = 0.3,
    padding: float = 0.0,
) -> DocumentProfile:
    """Gaussian kernel density of the closes weighted by volume, its histogram and its prominent peaks.

    Args:
        close: prices, one for each candle; rows without a finite price or volume are dropped.
        volume: weights of the prices.
        samples: points at which the curve is evaluated.
        bandwidth_factor: kernel width as a multiple of the weighted standard deviation (scipy's `bw_method`).
        bins: bars of the histogram, equally wide from the lowest to the highest close.
        prominence: how far a peak must stand out, as a share of the curve's maximum.
        padding: how far the curve reaches beyond the closes on both sides, in bandwidths.

    Raises:
        NotEnoughData: fewer than two different closes have volume.
        ValueError: lengths differ, or a volume is negative.
    """
    prices, weights = _known(close, volume)
    _check(prices, weights)

    from scipy import stats

    kde = stats.gaussian_kde(prices, weights=weights, bw_method=bandwidth_factor)
    bandwidth = float(np.sqrt(kde.covariance[0, 0]))
    low, high = prices.min() - padding * bandwidth, prices.max() + padding * bandwidth
    grid = np.linspace(low, high, samples)
    density = kde(grid)
    bin_density, bin_edges = np.histogram(prices, bins, weights=weights, density=True)
    # The recipe's distance between samples; that of the grid is (high - low) / (samples - 1).
    ticks_per_sample = float((high - low) / samples)
    peaks = _peaks(grid, density, prominence, ticks_per_sample)
    return DocumentProfile(grid, density, bin_edges, bin_density, peaks, bandwidth)


def repaired_profile(
    close: npt.ArrayLike,
    volume: npt.ArrayLike,
    samples: int = 500,
    bandwidth: float | None = None,
    prominence: float = 0.3,
    padding: float = PADDING,
) -> DocumentProfile:
    """The same on a padded grid, so that a maximum at the edge is a peak too, from binned prices.

    Args:
        close: as in `document_profile`.
        volume: as in `document_profile`.
        samples: as in `document_profile`.
        bandwidth: standard deviation of the kernel in dollars, the same for every window; without it
            `BANDWIDTH_FACTOR` times the weighted standard deviation.
        prominence: as in `document_profile`.
        padding: as in `document_profile`; at least 3.

    Returns:
        `density` differs from the exact one by at most 1e-6 of its maximum.

    Raises:
        NotEnoughData: fewer than two different closes have volume.
        ValueError: lengths differ, a volume is negative, or the bandwidth or the padding is too small.
    """
    prices, weights = _known(close, volume)
    _check_signs(weights)
    if padding < 3 or not (bandwidth is None or bandwidth > 0):
        raise ValueError(f"padding must be 3 or more and the bandwidth positive, got {padding}, {bandwidth}")
    described = fast.weighted(prices, weights)
    kernel = bandwidth or BANDWIDTH_FACTOR * described.deviation
    low, high = described.lowest - padding * kernel, described.highest + padding * kernel
    curve = fast.binned(described, low, high, samples, kernel)
    density, grid = curve.density(kernel), curve.price
    bin_density, bin_edges = np.histogram(prices, BINS, weights=weights, density=True)
    peaks = _peaks(grid, density, prominence, float(grid[1] - grid[0]))
    return DocumentProfile(grid, density, bin_edges, bin_density, peaks, float(kernel))


def _known(close: npt.ArrayLike, volume: npt.ArrayLike) -> tuple[Floats, Floats]:
    """Prices and weights where both are finite."""
    prices = np.asarray(close, dtype=np.float64)
    weights = np.asarray(volume, dtype=np.float64)
    if prices.shape != weights.shape or prices.ndim != 1:
        raise ValueError(
            f"close and volume must be equally long lists, got {prices.shape} and {weights.shape}"
        )
    known = np.isfinite(prices) & np.isfinite(weights)
    return (prices, weights) if known.all() else (prices[known], weights[known])


def _check_signs(weights: Floats) -> None:
    if (weights < 0).any():
        raise ValueError(f"{int((weights < 0).sum())} volumes are negative")


def _check(prices: Floats, weights: Floats) -> None:
    _check_signs(weights)
    total = weights.sum()
    if total <= 0:
        raise NotEnoughData(f"no volume in {len(prices)} candles")
    weighted = prices[weights > 0]
    # Neither closes that differ by rounding nor weights beside one of almost 1 make a spread.
    one_price = np.ptp(weighted) <= 1e-9 * np.abs(weighted).max()
    if one_price or 1 - float(np.square(weights / total).sum()) < 1e-12:
        raise NotEnoughData(f"all volume is at one close ({weighted[0]:g}); two different ones are needed")


def _peaks(grid: Floats, density: Floats, prominence: float, ticks_per_sample: float) -> tuple[Peak, ...]:
    from scipy import signal

    most = density.max()
    found, properties = signal.find_peaks(density, prominence=prominence * most, width=0)
    return tuple(
        Peak(
            price=float(grid[at]),
            density=float(density[at]),
            prominence=float(properties["prominences"][i] / most),
            width=float(properties["widths"][i] * ticks_per_sample),
        )
        for i, at in enumerate(found)
    )
