import pandas as pd
import pytest

from vp_pipeline.figures.readable import bar_name, round_above


@pytest.mark.parametrize(
    ("bar", "name"),
    [
        ("30s", "30-second"),
        ("5min", "5-minute"),
        ("90min", "90-minute"),
        ("1h", "1-hour"),
        ("4h", "4-hour"),
        ("7D", "7-day"),
        ("500ms", "0.5-second"),
    ],
)
def test_bars_are_named_in_the_largest_unit_that_is_whole(bar: str, name: str) -> None:
    assert bar_name(pd.Timedelta(bar)) == name


@pytest.mark.parametrize(
    ("least", "size"),
    [(1, 1), (1.1, 2), (2.5, 5), (5.1, 10), (99, 100), (0.1 + 0.2, 0.5), (0.03, 0.05), (3 * 0.1 / 3, 0.1)],
)
def test_steps_are_round(least: float, size: float) -> None:
    assert round_above(least) == size
