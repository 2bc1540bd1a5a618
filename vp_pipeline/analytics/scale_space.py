"""How long a volume node survives as the curve is made smoother.

Here belongs following the maxima of one profile through many bandwidths; nodes at one bandwidth are in
`nodes`. A kernel's width is a choice, and so are the nodes that it shows. As a Gaussian kernel grows, maxima
only disappear, none appear (Babaud et al., "Uniqueness of the Gaussian kernel for scale-space filtering",
IEEE PAMI 8, 1986). So each node has a largest bandwidth, and what lives through many doublings of it is no
accident of the choice.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from vp_pipeline.analytics.density import Binned, binned, weighted
from vp_pipeline.analytics.price_rows import Floats, PriceRows

_STEPS_PER_OCTAVE = 8
_PADDING = 3.0
_MOST_SAMPLES = 20_000


@dataclass(frozen=True)
class LastingNode:
    """A maximum at `price` under the narrowest kernel.

    `survives` is the largest bandwidth at which it is there, in the currency of the prices; `octaves` how
    many times the narrowest bandwidth doubles until then.
    """

    price: float
    survives: float
    octaves: float


def lasting_nodes(
    rows: PriceRows, narrowest: float | None = None, widest: float | None = None
) -> tuple[LastingNode, ...]:
    """Every maximum under the narrowest kernel with how long it survives, the longest first.

    Args:
        rows: the profile.
        narrowest: bandwidth to begin with, by default a row.
        widest: bandwidth to end with, by default the weighted standard deviation.

    Raises:
        NotEnoughData: fewer than two rows have volume.
        ValueError: the bandwidths are not in order, or below half a row.
    """
    filled = np.flatnonzero(rows.volume > 0)
    prices = weighted(rows.midpoint[filled], rows.volume[filled])
    first = rows.row_size if narrowest is None else narrowest
    last = max(prices.deviation, 2 * first) if widest is None else widest
    if not rows.row_size / 2 <= first < last:
        raise ValueError(f"bandwidths from {first} to {last}: give half a row or more, ascending")
    low, high = prices.lowest - _PADDING * first, prices.highest + _PADDING * first
    samples = int(np.clip(4 * (high - low) / first, 500, _MOST_SAMPLES))
    steps = int(np.ceil(_STEPS_PER_OCTAVE * np.log2(last / first)))
    bandwidths = np.geomspace(first, last, steps + 1)
    return _followed(binned(prices, low, high, samples, first, last), bandwidths)


def _followed(curve: Binned, bandwidths: Floats) -> tuple[LastingNode, ...]:
    """Follow each maximum from kernel to kernel.

    A maximum of the wider kernel belongs to the one of the narrower that is reached uphill from it.
    """
    price = curve.price
    density = curve.density(float(bandwidths[0]))
    born = _maxima(density)
    alive = {int(at): int(at) for at in born}  # place now -> place when born
    ended: dict[int, float] = {}
    for before, bandwidth in pairwise(bandwidths.tolist()):
        peaks, summit = _maxima(density), _summits(density)
        density = curve.density(bandwidth)
        following: dict[int, int] = {}
        for at in _maxima(density):
            origin = alive.get(int(peaks[summit[at]]))
            if origin is not None and origin not in following.values():
                following[int(at)] = origin
        ended |= {origin: before for origin in alive.values() if origin not in following.values()}
        alive = following
    ended |= dict.fromkeys(alive.values(), float(bandwidths[-1]))
    nodes = [
        LastingNode(float(price[origin]), bandwidth, float(np.log2(bandwidth / bandwidths[0])))
        for origin, bandwidth in ended.items()
    ]
    return tuple(sorted(nodes, key=lambda node: (-node.octaves, node.price)))


def _maxima(density: Floats) -> npt.NDArray[np.intp]:
    """Samples above their neighbours, of a plateau the first; rounding far from all volume is none."""
    padded = np.concatenate(([-np.inf], density, [-np.inf]))
    rises, falls = padded[1:-1] > padded[:-2], padded[1:-1] >= padded[2:]
    return np.flatnonzero(rises & falls & (density > 1e-9 * density.max()))


def _summits(density: Floats) -> npt.NDArray[np.intp]:
    """For each sample which of the maxima is reached uphill: valleys part them."""
    peaks = _maxima(density)
    valleys = [a + int(np.argmin(density[a:b])) for a, b in pairwise(peaks)]
    return np.searchsorted(np.array(valleys, dtype=np.intp), np.arange(len(density)), side="left")
