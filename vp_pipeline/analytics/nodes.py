"""High and low volume nodes of a profile.

Here belongs where a profile has its hills and valleys; the curve itself is from `kde`.

The curve is a Gaussian kernel density of the rows, each standing at its midpoint with its volume, evaluated
well beyond the outermost rows: a maximum at the very edge is a node too. Its bandwidth is a tenth of the
weighted standard deviation, as published, but never less than a row, so that rows are no hills by themselves.
"""

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from vp_pipeline.analytics.density import weighted
from vp_pipeline.analytics.kde import PADDING, DocumentProfile, repaired_profile
from vp_pipeline.analytics.price_rows import Floats, PriceRows

PROMINENCE = 0.1
"""A high volume node stands out by at least this share of the curve's maximum."""

_SAMPLES = (500, 10_000)
_PER_BANDWIDTH = 10


@dataclass(frozen=True)
class Node:
    """An extremum of the curve.

    `prominence` is a share of the curve's maximum, `width` at half prominence in the currency of the prices,
    `share` the part of all volume within that width.
    """

    price: float
    prominence: float
    width: float
    share: float


@dataclass(frozen=True, eq=False)
class VolumeNodes:
    """`high` are the curve's peaks, `low` the one valley between each two of them, by ascending price.

    `curve` has the bandwidth in the currency of the prices, which changes from profile to profile.
    """

    high: tuple[Node, ...]
    low: tuple[Node, ...]
    curve: DocumentProfile


def volume_nodes(
    rows: PriceRows,
    prominence: float = PROMINENCE,
    bandwidth_factor: float = 0.1,
    bandwidth: float | None = None,
) -> VolumeNodes:
    """Peaks and valleys of a smooth curve over the rows.

    Args:
        rows: the profile.
        prominence: how far a peak must stand out, as a share of the curve's maximum.
        bandwidth_factor: kernel width as a multiple of the weighted standard deviation; at least a row.
        bandwidth: kernel width in the currency of the prices instead, for nodes that can be compared from
            window to window.

    Raises:
        NotEnoughData: fewer than two rows have volume.
    """
    from scipy import signal

    filled = np.flatnonzero(rows.volume > 0)
    price, volume = rows.midpoint[filled], rows.volume[filled]
    kernel = bandwidth or max(bandwidth_factor * weighted(price, volume).deviation, rows.row_size)
    wanted = _PER_BANDWIDTH * (np.ptp(price) / kernel + 2 * PADDING)
    curve = repaired_profile(price, volume, int(np.clip(wanted, *_SAMPLES)), kernel, prominence=prominence)
    peaks, _ = signal.find_peaks(curve.density, prominence=prominence * curve.density.max())
    kept = _apart(curve.density, peaks, prominence * float(curve.density.max()))
    curve = replace(curve, peaks=tuple(curve.peaks[i] for i in kept))
    peaks = peaks[kept]
    valleys = np.array([_lowest(curve.density, *pair) for pair in pairwise(peaks)], dtype=np.intp)
    return VolumeNodes(
        _nodes(rows, curve, curve.density, peaks), _nodes(rows, curve, -curve.density, valleys), curve
    )


def _apart(density: Floats, peaks: npt.NDArray[np.intp], depth: float) -> list[int]:
    """Of the peaks (as indices into them) one where several have no valley of that depth between them.

    Such are ripples of one plateau: of exactly equal height each counts as prominent. The middle one stays.
    """
    deep = [min(density[a], density[b]) - density[a:b].min() >= depth for a, b in pairwise(peaks)]
    hills = np.split(np.arange(len(peaks)), np.flatnonzero(deep) + 1)
    return [int(hill[len(hill) // 2]) for hill in hills]


def _lowest(density: Floats, start: int, end: int) -> int:
    """The sample of the least density from start to end, the middle one of equals."""
    part = density[start:end]
    return start + int(np.median(np.flatnonzero(part == part.min())))


def _nodes(
    rows: PriceRows, curve: DocumentProfile, heights: Floats, found: npt.NDArray[np.intp]
) -> tuple[Node, ...]:
    """The nodes at the samples `found`, which are maxima of `heights`."""
    from scipy import signal

    prominences = signal.peak_prominences(heights, found)
    _, _, left, right = signal.peak_widths(heights, found, rel_height=0.5, prominence_data=prominences)
    samples = np.arange(len(curve.price))
    low, high = np.interp(left, samples, curve.price), np.interp(right, samples, curve.price)
    share = (_volume_below(rows, high) - _volume_below(rows, low)) / rows.total
    most = float(curve.density.max())
    return tuple(
        Node(
            float(curve.price[at]), float(prominences[0][i]) / most, float(high[i] - low[i]), float(share[i])
        )
        for i, at in enumerate(found)
    )


def _volume_below(rows: PriceRows, price: Floats) -> Floats:
    """Volume below each price, that of a row spread evenly over it."""
    edges = np.append(rows.price, rows.price[-1] + rows.row_size)
    return np.interp(price, edges, np.concatenate(([0.0], np.cumsum(rows.volume))))
