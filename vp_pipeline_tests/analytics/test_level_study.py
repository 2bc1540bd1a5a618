import numpy as np
import pandas as pd
import pytest

from vp_pipeline.analytics.errors import NotEnoughData
from vp_pipeline.analytics.level_study import COLUMNS, StudyDay, level_study


def path(*prices: float) -> pd.DataFrame:
    """Candles of one price each, joined without a gap."""
    steps = np.array(prices)
    before = np.concatenate((steps[:1], steps[:-1]))
    return pd.DataFrame({"open": before, "low": np.minimum(before, steps), "high": np.maximum(before, steps)})


FIRST = StudyDay(path(100, 110, 100), {})  # a reach of 10: a reaction is 1


def line(day: StudyDay, rate: str) -> pd.Series:
    found = level_study([FIRST, day], samples=20)
    assert list(found.columns) == list(COLUMNS)
    of_rate: pd.Series = found[found["rate"] == rate].iloc[0]
    return of_rate


@pytest.mark.parametrize(
    ("prices", "touched", "tried", "held"),
    [
        ((105, 103.5, 102.9, 103.5, 104.5), 1, 1, 1),  # came from above, turned
        ((105, 103.5, 102.9, 102.5, 101.9), 1, 1, 0),  # went through
        ((101, 102.5, 103.1, 102.5, 101.9), 1, 1, 1),  # came from below, turned
        ((101, 102.5, 103.1, 103.5, 104.1), 1, 1, 0),
        ((105, 103.5, 102.9, 103.2), 1, 0, np.nan),  # neither
        ((105, 104.5, 106), 0, 0, np.nan),  # never there
        ((105, 101), 1, 0, np.nan),  # one candle all the way: nobody knows what came first
    ],
)
def test_what_counts_as_touch_and_as_hold(
    prices: tuple[float, ...], touched: float, tried: float, held: float
) -> None:
    day = StudyDay(path(*prices), {"POC": [103.0]})
    assert line(day, "touch")["value"] == touched
    hold = line(day, "hold")
    assert hold["tried"] == tried
    assert hold["value"] == pytest.approx(held, nan_ok=True)


def days(count: int, seed: int, attract: float) -> list[StudyDay]:
    """Random days; with `attract` the price turns at the level as often as that."""
    rng = np.random.default_rng(seed)
    made = []
    for _ in range(count):
        steps = 1000 + rng.normal(0, 1, 600).cumsum()
        level = 1000 + float(rng.uniform(-20, 20))
        if rng.random() < attract:
            away = np.sign(1000 - level)
            steps = level + away * (np.abs(steps - level) - 0.3)
        made.append(StudyDay(path(*steps), {"POC": [level]}))
    return made


def test_random_levels_are_no_better_than_their_controls() -> None:
    found = pd.concat([level_study(days(150, seed, 0.0), samples=200) for seed in range(10, 20)])
    for _, lines in found.groupby("rate"):
        # Ten studies of as many days: their mean difference is nothing but chance.
        spread = lines["difference"].std() / len(lines) ** 0.5
        assert abs(lines["difference"].mean()) < 3 * spread
        covered = (lines["difference_low"] <= 0) & (lines["difference_high"] >= 0)
        assert covered.sum() >= 7


def test_a_level_that_holds_is_told_from_them() -> None:
    hold = level_study(days(150, 6, 0.8), samples=200).iloc[1]
    assert hold["rate"] == "hold"
    assert hold["difference_low"] > 0.1
    assert hold["value"] > 0.7


def test_nothing_of_the_future_is_used() -> None:
    some = days(20, 7, 0.0)
    later = [*some[:10], *days(10, 8, 1.0)]
    one, other = (level_study(many[:10], samples=20) for many in (some, later))
    pd.testing.assert_frame_equal(one, other)


def test_same_seed_same_table_and_too_few_days() -> None:
    some = days(5, 9, 0.5)
    pd.testing.assert_frame_equal(level_study(some, samples=20), level_study(some, samples=20))
    with pytest.raises(NotEnoughData, match="1 day"):
        level_study([FIRST])
