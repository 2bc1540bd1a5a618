"""Estimators against hand-computed values, published ones and a plain loop."""

import math
from statistics import stdev

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vp_pipeline.analytics.volatility import ESTIMATORS, rolling_volatility

DAY = pd.Timedelta(days=1)
NAMES = tuple(ESTIMATORS)
FEW = settings(deadline=None, max_examples=40)

# The first days of the random prices that come with the R package TTR, and the values its own tests expect
# (10 days, 260 a year; the first value belongs to the tenth day).
TTR_DAYS = (
    (3.18, 3.18, 3.08, 3.08),
    (3.09, 3.15, 3.09, 3.11),
    (3.11, 3.12, 3.08, 3.09),
    (3.09, 3.12, 3.07, 3.10),
    (3.10, 3.12, 3.08, 3.11),
    (3.12, 3.17, 3.10, 3.16),
    (3.16, 3.23, 3.14, 3.22),
    (3.23, 3.29, 3.20, 3.23),
    (3.23, 3.33, 3.22, 3.32),
    (3.32, 3.33, 3.28, 3.30),
    (3.30, 3.34, 3.28, 3.32),
    (3.32, 3.32, 3.17, 3.26),
    (3.26, 3.27, 3.15, 3.16),
)
TTR_VALUES = {
    "garman-klass": (0.21418658397980106, 0.21624727061834803, 0.258495530041682, 0.2711023079951227),
    "parkinson": (0.2252072864771795, 0.21030035997923877, 0.24658169637469984, 0.26897834319140235),
    "rogers-satchell": (0.205948120277698, 0.2149695331228885, 0.2710614797873013, 0.2782165990897686),
}


def bars(*ohlc: tuple[float, float, float, float], volume: float = 1.0) -> pd.DataFrame:
    frame = pd.DataFrame(list(ohlc), columns=["open", "high", "low", "close"], dtype=float)
    frame["volume"] = volume
    frame["open_time"] = pd.date_range("2024-01-01", periods=len(frame), freq=DAY, tz="UTC")
    return frame


def walk(seed: int, count: int = 40) -> pd.DataFrame:
    """Bars of a random walk with gaps between a close and the next open."""
    rng = np.random.default_rng(seed)
    path = 100 * np.exp(rng.normal(0, 0.01, (count, 8)).cumsum().reshape(count, 8))
    ohlc = np.column_stack((path[:, 0], path.max(axis=1), path.min(axis=1), path[:, -1]))
    return bars(*map(tuple, ohlc.tolist()))


def values(frame: pd.DataFrame, name: str, window: int, periods: float = 365) -> list[float]:
    return list(rolling_volatility(frame, name, window, periods, DAY).values)


def by_loop(frame: pd.DataFrame, name: str, window: int, periods: float) -> list[float]:
    """The definitions once more, bar by bar in plain Python."""
    rows = list(frame[["open", "high", "low", "close"]].itertuples(index=False, name=None))
    ln = math.log
    result = []
    for end in range(len(rows)):
        start = end - window + 1
        if start < (1 if ESTIMATORS[name].previous else 0):
            result.append(math.nan)
            continue
        part = rows[start : end + 1]
        before = [row[3] for row in rows[start - 1 : end]]
        returns = [ln(row[3] / close) for row, close in zip(part, before, strict=False)]
        rs = sum(ln(h / c) * ln(h / o) + ln(low / c) * ln(low / o) for o, h, low, c in part) / window
        if name == "close-to-close":
            variance = stdev(returns) ** 2
        elif name == "realized-variance":
            variance = sum(x * x for x in returns) / window
        elif name == "parkinson":
            variance = sum(ln(h / low) ** 2 for _, h, low, _ in part) / (4 * window * ln(2))
        elif name == "garman-klass":
            variance = (
                sum(0.5 * ln(h / low) ** 2 - (2 * ln(2) - 1) * ln(c / o) ** 2 for o, h, low, c in part)
                / window
            )
        elif name == "rogers-satchell":
            variance = rs
        else:
            k = 0.34 / (1.34 + (window + 1) / (window - 1))
            overnight = stdev(ln(row[0] / close) for row, close in zip(part, before, strict=True)) ** 2
            variance = overnight + k * stdev(ln(c / o) for o, _, _, c in part) ** 2 + (1 - k) * rs
        result.append(math.sqrt(variance * periods))
    return result


@pytest.mark.parametrize("name", TTR_VALUES)
def test_published_values(name: str) -> None:
    found = values(bars(*TTR_DAYS), name, 10, 260)
    assert np.isnan(found[:9]).all()
    assert found[9:] == pytest.approx(TTR_VALUES[name], rel=1e-12)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        # One bar of open 100, high 110, low 95, close 105, by hand.
        ("parkinson", math.log(110 / 95) / math.sqrt(4 * math.log(2))),
        (
            "garman-klass",
            math.sqrt(0.5 * math.log(110 / 95) ** 2 - (2 * math.log(2) - 1) * math.log(1.05) ** 2),
        ),
        (
            "rogers-satchell",
            math.sqrt(math.log(110 / 105) * math.log(1.1) + math.log(95 / 105) * math.log(0.95)),
        ),
    ],
)
def test_one_bar_by_hand(name: str, expected: float) -> None:
    assert values(bars((100, 110, 95, 105)), name, 1, 1) == pytest.approx([expected])


def test_returns_by_hand() -> None:
    """Closes that double and halve: returns of ln 2 and -ln 2, mean 0, variance 2 (ln 2)^2 with n - 1."""
    frame = bars((1, 2, 1, 1), (1, 2, 1, 2), (2, 2, 1, 1))
    assert values(frame, "close-to-close", 2, 1)[2] == pytest.approx(math.sqrt(2) * math.log(2))
    assert values(frame, "realized-variance", 2, 1)[2] == pytest.approx(math.log(2))
    assert values(frame, "realized-variance", 2, 4)[2] == pytest.approx(2 * math.log(2))
    assert np.isnan(values(frame, "close-to-close", 2, 1)[:2]).all()


def test_yang_zhang_by_hand() -> None:
    """Opens at the close before, so only k times the open-to-close variance and the rest are left."""
    frame = bars((1, 2, 1, 1), (1, 2, 1, 2), (2, 2, 1, 1))
    k = 0.34 / (1.34 + 3)
    # Both bars run straight from one end of their range to the other: Rogers-Satchell is 0.
    assert values(frame, "yang-zhang", 2, 1)[2] == pytest.approx(math.sqrt(k * 2) * math.log(2))


@FEW
@given(st.sampled_from(NAMES), st.integers(2, 12), st.integers(0, 10_000), st.sampled_from([1, 252, 365]))
def test_every_estimator_equals_a_plain_loop(name: str, window: int, seed: int, periods: int) -> None:
    frame = walk(seed)
    assert values(frame, name, window, periods) == pytest.approx(
        by_loop(frame, name, window, periods), rel=1e-9, nan_ok=True
    )


@pytest.mark.parametrize("name", NAMES)
def test_a_known_volatility_is_found(name: str) -> None:
    """A driftless walk of 1 % a bar in 400 steps; a discrete path's range is a little too small."""
    rng = np.random.default_rng(7)
    path = 100 * np.exp((0.01 / 20 * rng.normal(size=(2000, 400))).cumsum().reshape(2000, 400))
    opened = np.concatenate(([100.0], path[:-1, -1]))
    highest, lowest = np.maximum(opened, path.max(axis=1)), np.minimum(opened, path.min(axis=1))
    frame = bars(*map(tuple, np.column_stack((opened, highest, lowest, path[:, -1])).tolist()))
    assert values(frame, name, 1999, 1)[-1] == pytest.approx(0.01, rel=0.05)


@pytest.mark.parametrize("name", NAMES)
def test_filled_bars_are_as_if_they_were_missing(name: str) -> None:
    frame = walk(3)
    quiet = [7, 8, 20, 31]
    frame.loc[quiet, ["open", "high", "low", "close"]] = np.repeat(
        frame["close"].to_numpy()[[6, 6, 19, 30]], 4
    ).reshape(4, 4)
    frame.loc[quiet, "volume"] = 0.0
    filled = rolling_volatility(frame, name, 5, 365, DAY)
    left_out = rolling_volatility(frame.drop(index=quiet), name, 5, 365, DAY)
    assert (filled.filled, filled.gaps) == (4, 0)
    assert (left_out.filled, left_out.gaps) == (0, 3)
    assert np.delete(filled.values, quiet) == pytest.approx(left_out.values, nan_ok=True)
    # A filled bar has the value of the bar before it.
    assert filled.values[[7, 8, 20, 31]] == pytest.approx(filled.values[[6, 6, 19, 30]], nan_ok=True)


@pytest.mark.parametrize("name", ["close-to-close", "realized-variance"])
def test_a_filled_bar_is_no_return_of_zero(name: str) -> None:
    doubling = [(2.0**i, 2.0**i, 2.0**i, 2.0**i) for i in (0, 1, 0, 1, 0, 1)]
    frame = bars(*doubling)
    still = pd.concat([frame, frame.iloc[[-1] * 20].assign(volume=0.0)], ignore_index=True)
    found = rolling_volatility(still, name, 4, 365)
    assert found.filled == 20
    assert found.values[5:] == pytest.approx([found.values[5]] * 21)
    # Traded at one price it is an observation like any other.
    assert rolling_volatility(still.assign(volume=1.0), name, 4, 365).values[-1] == pytest.approx(0, abs=1e-7)


@pytest.mark.parametrize("name", ["close-to-close", "realized-variance", "yang-zhang"])
def test_a_return_over_a_gap_is_none(name: str) -> None:
    frame = walk(5)
    jumped = frame.copy()
    prices = ["open", "high", "low", "close"]
    jumped.loc[20:, prices] = 3 * jumped.loc[20:, prices]
    jumped["open_time"] += pd.to_timedelta(np.where(jumped.index >= 20, 5, 0), unit="D")
    found = rolling_volatility(jumped, name, 6, 365, DAY)
    assert found.gaps == 1
    assert np.nanmax(found.values) < 2 * np.nanmax(values(frame, name, 6))
    assert found.values[20] == found.values[19]
    # Six observations after the gap the window holds nothing from before it.
    assert found.values[26:] == pytest.approx(values(frame, name, 6)[26:], rel=1e-9)


def test_the_window_needs_that_many_observations() -> None:
    frame = walk(5, 10)
    for name in NAMES:
        first = 4 if ESTIMATORS[name].previous else 3
        found = values(frame, name, 4)
        assert np.isnan(found[:first]).all()
        assert np.isfinite(found[first:]).all()
    assert np.isnan(values(frame, "parkinson", 11)).all()


def test_without_times_and_volume_every_row_is_the_next_bar() -> None:
    frame = walk(9)
    for name in NAMES:
        bare = frame[list(ESTIMATORS[name].columns)]
        assert rolling_volatility(bare, name, 5, 365).values == pytest.approx(
            values(frame, name, 5), nan_ok=True
        )


def test_months_have_no_gaps() -> None:
    frame = walk(2, 24).assign(open_time=pd.date_range("2023-01-01", periods=24, freq="MS", tz="UTC"))
    assert rolling_volatility(frame, "close-to-close", 5, 12, 31 * DAY).gaps == 0


def test_wrong_arguments_are_named() -> None:
    frame = walk(1)
    with pytest.raises(ValueError, match="unknown estimator 'x': use one of close-to-close, parkinson"):
        rolling_volatility(frame, "x", 5, 365)
    with pytest.raises(ValueError, match="yang-zhang needs a window of 2 or more, got 1"):
        rolling_volatility(frame, "yang-zhang", 1, 365)
    with pytest.raises(ValueError, match="parkinson needs a window of 1 or more, got 0"):
        rolling_volatility(frame, "parkinson", 0, 365)
    for periods in (0, -1, math.nan, math.inf):
        with pytest.raises(ValueError, match="periods per year must be a positive number"):
            rolling_volatility(frame, "parkinson", 5, periods)
    with pytest.raises(ValueError, match="parkinson needs a positive high, low in every bar"):
        rolling_volatility(frame.assign(low=0), "parkinson", 5, 365)
