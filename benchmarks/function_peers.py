"""Volume profile against py-market-profile, kernel density against KDEpy and scipy: time, and who is right.

The peers run in an environment of their own (see `peers`), ours here, each after a short warm-up; they take
turns, and medians count. Loading the file with the candles is not timed.

py-market-profile puts a candle's volume into the row of its close and takes the value area row by row; we do
the same for this comparison (`close`, `one-row`). It leaves out empty rows, so that its value area may jump
over gaps: both must have the same rows and the same point of control, or this fails. The densities are
compared with scipy's exact sum at the same 500 prices; errors are shares of the peak.

Run it with `python benchmarks/function_peers.py [--candles N ...] [--runs N]`.
"""

import argparse
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import peers
from claims import Ratio, tell
from peer_functions import FACTOR, SAMPLES, WAYS, grid

from vp_pipeline.analytics.density import binned, weighted
from vp_pipeline.analytics.price_rows import volume_by_price
from vp_pipeline.analytics.value_area import ValueArea, value_area

SCRIPT = Path(__file__).resolve().parent / "peer_functions.py"
ROW_SIZE = 10.0
PROFILE = "py-market-profile"


def candles(count: int) -> dict[str, Any]:
    """A random walk in whole cents."""
    rng = np.random.default_rng(count)
    close = np.round(30_000 * np.exp(rng.normal(0, 0.0003, count).cumsum()), 2) + 0.001  # on no row's edge
    spread = np.abs(rng.normal(0, 8, (2, count)))
    volume = rng.exponential(5, count)
    found = weighted(close, volume)
    return {
        "close": close,
        "high": close + spread[0],
        "low": close - spread[1],
        "volume": volume,
        "row_size": ROW_SIZE,
        "bandwidth": FACTOR * found.deviation,
    }


class Peers:
    """Their environment, and the candles in a file."""

    def __init__(self, folder: Path, given: dict[str, Any]) -> None:
        self._python = peers.environment("functions", peers.PROFILES) / "python"
        self._source, self._target = folder / "candles.npz", folder / "result.npz"
        np.savez(self._source, allow_pickle=False, **given)

    def run(self, way: str) -> dict[str, Any]:
        """What a way found, and its seconds."""
        command = [str(self._python), str(SCRIPT), str(self._source), str(self._target), way]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        with np.load(self._target) as arrays:
            return {name: arrays[name] for name in arrays.files}


def our_profile(frame: pd.DataFrame) -> tuple[Any, ValueArea]:
    rows = volume_by_price(frame, ROW_SIZE, "close")
    return rows, value_area(rows, 0.70, "one-row")


def our_density(given: dict[str, Any]) -> Any:
    points = grid(given, SAMPLES)
    prices = weighted(given["close"], given["volume"])
    bandwidth = FACTOR * prices.deviation
    return binned(prices, float(points[0]), float(points[-1]), SAMPLES, bandwidth).density(bandwidth)


def seconds(work: Any, given: Any) -> float:
    started = time.perf_counter()
    work(given)
    return time.perf_counter() - started


def profile_row(given: dict[str, Any], others: Peers, runs: int) -> str:
    """Both profiles, which must agree."""
    frame = pd.DataFrame({name: given[name] for name in ("high", "low", "close", "volume")})
    rows, area = our_profile(frame)
    ours, theirs, found = [], [], {}
    for _ in range(runs):
        ours.append(statistics.median(seconds(our_profile, frame) for _ in range(5)))
        found = others.run(PROFILE)
        theirs.append(float(found["seconds"]))
    filled = rows.volume > 0
    if not np.allclose(rows.price[filled], found["price"], rtol=0, atol=1e-6):
        raise SystemExit("py-market-profile has other rows")
    apart = float(np.abs(rows.volume[filled] - found["volume"]).max() / rows.volume.max())
    if apart > 1e-9 or abs(area.poc - float(found["poc"])) > 1e-6:
        raise SystemExit(f"py-market-profile has other volumes ({apart:.1e}) or another point of control")
    low, high = (float(edge) for edge in found["area"])
    same = abs(low - area.val) < 1e-6 and abs(high - area.vah) < 1e-6
    count = len(frame)
    one = Ratio(
        f"profile and value area of {count:,} candles",
        PROFILE,
        statistics.median(ours),
        statistics.median(theirs),
    )
    tell(one)
    verdict = (
        "the same" if same else f"theirs {low:,.0f} to {high:,.0f}, ours {area.val:,.0f} to {area.vah:,.0f}"
    )
    return f"| {count:,} | {one.cells} | {apart:.0e} | {verdict} |"


def density_rows(given: dict[str, Any], others: Peers, runs: int) -> list[str]:
    """Each estimator's time and error."""
    names = [name for name in WAYS if name != PROFILE]
    taken: dict[str, list[float]] = {name: [] for name in ("ours", *names)}
    curves: dict[str, Any] = {"ours": our_density(given)}
    for _ in range(runs):
        taken["ours"].append(statistics.median(seconds(our_density, given) for _ in range(5)))
        for name in names:
            found = others.run(name)
            taken[name].append(float(found["seconds"]))
            curves[name] = found["density"]
    exact, count = curves["scipy"], len(given["close"])
    own, lines = statistics.median(taken["ours"]), []
    for name, times in taken.items():
        error = float(np.abs(curves[name] - exact).max() / exact.max())
        one = Ratio(f"density of {count:,} candles", name, own, statistics.median(times))
        if name != "ours":
            tell(one)
        shown = "exact" if name == "scipy" else f"{error:.1e}"
        lines.append(f"| {count:,} | {name} | {one.shown(one.theirs)} | {one.ratio:,.1f} | {shown} |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--candles", type=int, nargs="+", default=[1_440, 44_640, 525_600])
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    profiles, densities = [], []
    for count in options.candles:
        given = candles(count)
        with tempfile.TemporaryDirectory(prefix="vp-function-peers-") as folder:
            try:
                others = Peers(Path(folder), given)
            except peers.PeerMissingError as error:
                print(f"Not measured: {error}")
                return
            profiles.append(profile_row(given, others, options.runs))
            densities += density_rows(given, others, options.runs)
    print("| candles | profile, ours | py-market-profile | ratio | volumes differ by | value area |")
    print("|---:|---:|---:|---:|---:|---|")
    print("\n".join(profiles))
    print("\n| candles | density | time | times ours | error |\n|---:|---|---:|---:|---:|")
    print("\n".join(densities))


if __name__ == "__main__":
    main()
