"""Which points of control were naked as each day began."""

import numpy as np
import pandas as pd

from vp_pipeline.analytics.naked_history import naked_by_day, touches_of_day


def day(number: int) -> pd.Timestamp:
    return pd.Timestamp("2026-03-01", tz="UTC") + pd.Timedelta(days=number)


def test_a_level_is_naked_until_a_day_reaches_its_row() -> None:
    days = pd.DataFrame(
        [
            (day(0), 100.0, 90.0, 120.0),
            (day(1), 130.0, 110.0, 140.0),  # stays above 100 to 110
            (day(2), 105.0, 109.9, 130.0),  # reaches both
            (day(3), 50.0, 40.0, 60.0),
        ],
        columns=["day", "poc", "low", "high"],
    )
    found = naked_by_day(days, 10.0, day(4))
    assert [(one.day, [level.price for level in one.naked]) for one in found] == [
        (day(0), []),
        (day(1), [100.0]),
        (day(2), [100.0, 130.0]),
        (day(3), [105.0]),
        (day(4), [105.0, 50.0]),
    ]


def test_days_agree_with_the_minutes_behind_them() -> None:
    rng = np.random.default_rng(3)
    count = 40 * 1440
    close = 1000 + np.cumsum(rng.normal(0, 1.5, count))
    times = pd.date_range(day(0), periods=count, freq="min").as_unit("us")
    prices = pd.DataFrame({"open_time": times, "low": close - 1, "high": close + 1})
    by_day = prices.groupby(prices["open_time"].dt.floor("D"))
    days = pd.DataFrame({"low": by_day["low"].min(), "high": by_day["high"].max()}).reset_index(names="day")
    days["poc"] = by_day["low"].median().to_numpy() // 10 * 10
    *_, last = naked_by_day(days, 10.0, day(40))
    for level in last.naked:
        since = prices[prices["open_time"] >= level.known]
        assert not ((since["low"] < level.price + 10) & (since["high"] >= level.price)).any()
    naked = {level.price for level in last.naked}
    for at in range(39):
        price = days["poc"][at]
        since = prices[prices["open_time"] >= day(at + 1)]
        met = ((since["low"] < price + 10) & (since["high"] >= price)).any()
        assert met or price in naked


def test_a_touch_within_the_day_has_its_minute() -> None:
    days = pd.DataFrame([(day(0), 100.0, 90.0, 120.0)], columns=["day", "poc", "low", "high"])
    *_, begun = naked_by_day(days, 10.0, day(1))
    times = pd.date_range(day(1), periods=3, freq="min").as_unit("us")
    prices = pd.DataFrame({"open_time": times, "low": [111.0, 109.0, 95.0], "high": [112.0, 112.0, 96.0]})
    (touch,) = touches_of_day(begun, prices, times[-1] + pd.Timedelta(minutes=1))
    assert touch.touched == times[1]
    assert touch.age == pd.Timedelta(minutes=1)
