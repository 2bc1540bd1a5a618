"""What `function_peers` runs in the peers' own environment: py-market-profile, KDEpy and scipy on one file.

    python peer_functions.py INPUT.npz OUTPUT.npz WAY

Reads the arrays, runs one way once to warm up and then once by the clock, writes its result. Nothing of this
project is imported: it is not installed there.
"""

import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

FACTOR, SAMPLES, FINE = 0.1, 500, 1 << 14
Given = Mapping[str, Any]
Result = dict[str, Any]


def market_profile(given: Given) -> Callable[[], Result]:
    """Rows, point of control and value area of py-market-profile; its rows are named by their upper edge."""
    import pandas as pd
    from market_profile import MarketProfile

    frame = pd.DataFrame(
        {"High": given["high"], "Low": given["low"], "Close": given["close"], "Volume": given["volume"]},
        index=pd.date_range("2016-01-01", periods=len(given["close"]), freq="min"),
    )

    def run() -> Result:
        made = MarketProfile(frame, row_size=float(given["row_size"]))[frame.index[0] : frame.index[-1]]
        return {
            "price": made.profile.index.to_numpy() - float(given["row_size"]),
            "volume": made.profile.to_numpy(),
            "poc": made.poc_price - float(given["row_size"]),
            "area": np.array(made.value_area) - float(given["row_size"]),
        }

    return run


def grid(given: Given, points: int) -> Any:
    """A little wider than the prices: FFTKDE wants every price to be inside."""
    low, high = given["close"].min(), given["close"].max()
    return np.linspace(low - 1e-6 * (high - low), high + 1e-6 * (high - low), points)


def kdepy(kind: str, points: int) -> Callable[[Given], Callable[[], Result]]:
    """One of KDEpy's estimators, on the samples or on more points that the samples are read from."""

    def prepared(given: Given) -> Callable[[], Result]:
        import KDEpy

        samples, finer = grid(given, SAMPLES), grid(given, points)

        def run() -> Result:
            estimator = getattr(KDEpy, kind)(kernel="gaussian", bw=float(given["bandwidth"]))
            curve = estimator.fit(given["close"], weights=given["volume"]).evaluate(finer)
            return {"density": np.interp(samples, finer, curve)}

        return run

    return prepared


def scipy(given: Given) -> Callable[[], Result]:
    """The exact sum."""
    from scipy import stats

    def run() -> Result:
        curve = stats.gaussian_kde(given["close"], weights=given["volume"], bw_method=FACTOR)
        return {"density": curve(grid(given, SAMPLES))}

    return run


WAYS: dict[str, Callable[[Given], Callable[[], Result]]] = {
    "py-market-profile": market_profile,
    "scipy": scipy,
    "KDEpy FFTKDE": kdepy("FFTKDE", SAMPLES),
    "KDEpy FFTKDE, 16,384 points": kdepy("FFTKDE", FINE),
    "KDEpy NaiveKDE": kdepy("NaiveKDE", SAMPLES),
}


def main(source: str, target: str, way: str) -> None:
    with np.load(source) as arrays:
        given = {name: arrays[name] for name in arrays.files}
    run = WAYS[way](given)
    few = {name: values[:1000] if values.ndim else values for name, values in given.items()}
    WAYS[way](few)()  # what the first call alone pays: imports within functions, caches
    started = time.perf_counter()
    result = run()
    np.savez(target, seconds=time.perf_counter() - started, **result)


if __name__ == "__main__":
    main(*sys.argv[1:])
