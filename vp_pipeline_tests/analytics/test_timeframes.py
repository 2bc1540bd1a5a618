"""Longer candles from minutes, against pandas' own resampling."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from vp_pipeline.analytics.aggregate import aggregate
from vp_pipeline.analytics.quote_rates import quote_rates
from vp_pipeline.analytics.timeframes import MINUTES, floor, resample
from vp_pipeline_tests.analytics.venue_candles import START, recorded, times

PANDAS = {name: f"{minutes}min" for name, minutes in MINUTES.items() if name != "1w"} | {"1w": "W-MON"}


def minutes(count: int, first: pd.Timestamp = START) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    close = 100 + rng.normal(0, 1, count).cumsum()
    return pd.DataFrame(
        {
            "open_time": times(first, count),
            "open": close - 0.5,
            "high": close + 1,
            "low": close - 1,
            "close": close,
            "volume": rng.exponential(1, count),
            "vwap": close + 0.1,
            "robust_price": close + 0.2,
            "quote_volume_usd": rng.exponential(100, count),
            "taker_buy_volume": rng.exponential(0.5, count),
        }
    )


@pytest.mark.parametrize("timeframe", MINUTES)
def test_it_is_what_pandas_makes_of_it(timeframe: str) -> None:
    frame = minutes(20 * 1440).sample(frac=0.8, random_state=2).sort_values("open_time")
    frame.loc[frame.sample(frac=0.1, random_state=3).index, ["open", "high", "low", "close", "vwap"]] = np.nan
    frame.loc[frame.sample(frac=0.6, random_state=4).index, "taker_buy_volume"] = np.nan
    priced = frame["vwap"].notna()
    frame["weighted"] = frame["vwap"] * frame["volume"]
    frame["weight"] = frame["volume"].where(priced)
    rule = pd.Grouper(key="open_time", freq=PANDAS[timeframe], closed="left", label="left")
    grouped = frame.groupby(rule)
    expected = pd.DataFrame(
        {
            **{name: grouped[name].agg(how) for name, how in
               {"open": "first", "high": "max", "low": "min", "close": "last"}.items()},
            "volume": grouped["volume"].sum(),
            "vwap": grouped["weighted"].sum() / grouped["weight"].sum(),
            "taker_buy_volume": grouped["taker_buy_volume"].sum(min_count=1),
            "minutes": grouped.size(),
        }
    ).query("minutes > 0")  # fmt: skip
    result = resample(frame, timeframe).set_index("open_time")
    pd.testing.assert_frame_equal(result[expected.columns], expected, check_freq=False, rtol=1e-12)
    assert (result["complete"] == (result["minutes"] == MINUTES[timeframe])).all()


def test_weeks_begin_on_monday() -> None:
    assert floor(pd.Timestamp("2024-01-07 23:59", tz="UTC"), "1w") == pd.Timestamp("2024-01-01", tz="UTC")
    assert floor(pd.Timestamp("1969-12-28 12:00", tz="UTC"), "1w") == pd.Timestamp("1969-12-22", tz="UTC")
    weeks = resample(minutes(14 * 1440), "1w")
    assert weeks["open_time"].dt.day_of_week.tolist() == [0, 0, 0]
    assert weeks["complete"].tolist() == [False, True, False]


def test_minutes_stay_what_they_are() -> None:
    frame = minutes(10)
    pd.testing.assert_frame_equal(resample(frame, "1m")[frame.columns], frame)


def test_a_candle_without_any_price_or_known_value() -> None:
    frame = minutes(5)
    frame[["open", "high", "low", "close", "vwap", "taker_buy_volume"]] = np.nan
    (row,) = resample(frame, "5m").to_dict("records")
    assert np.isnan([row["open"], row["close"], row["vwap"], row["taker_buy_volume"]]).all()
    assert row["volume"] == pytest.approx(frame["volume"].sum())
    assert row["complete"]


def test_a_candle_without_volume_has_no_vwap() -> None:
    assert np.isnan(resample(minutes(5).assign(volume=0.0), "5m")["vwap"]).all()


def test_nothing_stays_nothing_with_the_same_columns() -> None:
    some = resample(minutes(5), "5m")
    none = resample(minutes(5).head(0), "5m")
    assert none.empty
    assert none.dtypes.to_dict() == some.dtypes.to_dict()


def test_what_cannot_be_resampled_is_refused() -> None:
    with pytest.raises(ValueError, match="no timeframe '7m': choose one of 1m, 3m, 5m"):
        resample(minutes(5), "7m")
    with pytest.raises(ValueError, match="in order"):
        resample(minutes(5).iloc[::-1], "5m")


def test_a_recorded_day(recorded_data: Path) -> None:
    candles, venues = recorded(recorded_data / "minute_2023-03-09_12")
    day = pd.Timestamp("2023-03-11", tz="UTC")
    result = aggregate(candles, venues, 1, day, day + pd.Timedelta(days=1), quote_rates(candles, venues))
    (row,) = resample(result.minutes, "1d").to_dict("records")
    own = candles[(candles["market_id"] == 1) & (candles["open_time"].dt.floor("D") == day)]
    assert (row["open"], row["close"]) == (own["open"].iloc[0], own["close"].iloc[-1])
    assert (row["high"], row["low"]) == (own["high"].max(), own["low"].min())
    assert row["complete"]
    assert row["low"] < row["vwap"] < row["high"] * 1.02
