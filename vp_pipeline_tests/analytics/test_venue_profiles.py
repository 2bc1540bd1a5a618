"""Parts of profiles: hour by hour, venue by venue, at the venue's own prices."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from vp_pipeline.analytics.price_rows import volume_by_price
from vp_pipeline.analytics.venue_profiles import Traded, dollars, hourly_profiles
from vp_pipeline_tests.analytics.deltas import delta_by_price

HOUR = pd.Timestamp("2026-03-01 05:00", tz="UTC")
PRICES = st.floats(1.0, 400.0)
# A billionth of the smallest numbers is 0, and they cannot be shared out without rounding.
SUBNORMAL = 1e-300


def candles(rows: Sequence[tuple[float, ...]], market: int = 1) -> pd.DataFrame:
    """Of low, high, volume and, if given, open, close and taker-buy volume."""
    full = [(*row, *(row[0], row[1], np.nan)[len(row) - 3 :]) for row in rows]
    frame = pd.DataFrame(full, columns=["low", "high", "volume", "open", "close", "taker_buy_volume"])
    times = pd.date_range(HOUR, periods=len(rows), freq="min").as_unit("us")
    return frame.assign(market_id=market, open_time=times)


@given(
    rows=st.lists(st.tuples(PRICES, PRICES, st.floats(0, 1e6)), min_size=1, max_size=70),
    usd=st.floats(0.5, 2.0),
    size=st.sampled_from([0.5, 1.0, 7.0, 100.0]),
)
@example(rows=[(1.0, 2.0, 5e-324)], usd=1.0, size=0.5)
def test_equals_the_uniform_rule_hour_by_hour(
    rows: list[tuple[float, float, float]], usd: float, size: float
) -> None:
    frame = candles([(min(row[:2]), max(row[:2]), row[2]) for row in rows])
    found = hourly_profiles(frame, np.full(len(frame), usd), size)
    worth = frame.assign(low=frame["low"] * usd, high=frame["high"] * usd)
    worth = worth[worth["volume"] > 0]
    hours = worth["open_time"].dt.floor("h")
    assert {hour for _, hour in found} == set(hours)
    for (_, hour), part in found.items():
        own = worth[hours == hour]
        direct = volume_by_price(own, size)
        assert part.rows.total == pytest.approx(own["volume"].sum(), rel=1e-12)
        np.testing.assert_allclose(
            part.rows.between(direct.first_row, len(direct.volume)).volume,
            direct.volume,
            rtol=0,
            atol=1e-9 * direct.total + SUBNORMAL,
        )


def test_bought_is_the_takers_where_known_and_the_direction_elsewhere() -> None:
    frame = candles(
        [
            (10.0, 12.0, 4.0, 10.0, 12.0, 1.0),
            (10.0, 12.0, 4.0, 10.0, 12.0, np.nan),
            (10.0, 12.0, 4.0, 11.0, 11.0, np.nan),
            (10.0, 12.0, 4.0, 12.0, 10.0, 99.0),  # more than all: not known
        ]
    )
    part = hourly_profiles(frame, np.ones(4), 1.0)[1, HOUR]
    assert part.bought.tolist() == pytest.approx([3.5, 3.5])
    assert part.known == 4.0
    assert part.delta.source == "mixed"
    sane = delta_by_price(frame[:3], 1.0)
    assert hourly_profiles(frame[:3], np.ones(3), 1.0)[1, HOUR].bought == pytest.approx(sane.bought.volume)


def test_what_is_no_candle_is_left_out() -> None:
    bad = [(np.nan, 2.0, 1.0), (0.0, 2.0, 1.0), (3.0, 2.0, 1.0), (1.0, 2.0, -1.0), (1.0, np.inf, 1.0)]
    assert hourly_profiles(candles(bad), np.ones(len(bad)), 1.0) == {}


def test_rows_that_are_too_small_are_an_error() -> None:
    with pytest.raises(ValueError, match="choose a larger row size"):
        hourly_profiles(candles([(100.0, 200.0, 1.0)] * 10), np.ones(10), 0.001)


def test_a_price_that_is_none_does_not_make_a_million_rows() -> None:
    rows = [(100.0, 101.0, 1.0)] * 9 + [(100.0, 1e9, 5.0)]
    part = hourly_profiles(candles(rows), np.ones(10), 1.0)[1, HOUR]
    assert part.unpriced == 5.0
    assert part.rows.total == pytest.approx(9.0)


@pytest.mark.parametrize("count", [1, 2, 59])
@pytest.mark.parametrize("off", ["high", "low"])
def test_one_bad_print_within_ten_times_the_price_is_unpriced_and_no_error(count: int, off: str) -> None:
    """BTC today: rows of 10 dollars, and one price just not far enough off to be dropped at once."""
    rows = [(110_000.0 + minute, 110_020.0 + minute, 1.0) for minute in range(count)]
    bad = {"high": (110_005.0, 1_100_040.0, 2.0), "low": (11_010.0, 620_000.0, 2.0)}[off]
    (part,) = hourly_profiles(candles([bad, *rows]), np.ones(count + 1), 10.0).values()
    assert (part.volume.sum(), part.unpriced) == pytest.approx((count, 2))
    assert part.first_row == 11_000
    alone = hourly_profiles(candles([bad]), np.ones(1), 10.0)
    assert [(found.unpriced, len(found.volume)) for found in alone.values()] == [(2.0, 0)]


def test_dollars_are_those_of_the_quote_in_that_minute() -> None:
    frame = pd.concat([candles([(1, 2, 1)] * 2, market) for market in (1, 2, 3)], ignore_index=True)
    minute = frame["open_time"].iloc[1]
    rates = pd.DataFrame({"quote": ["USDT"], "open_time": [minute], "usd": [0.99]})
    found = dollars(frame, {1: "USD", 2: "USDT", 3: "EUR"}, rates)
    np.testing.assert_array_equal(found, [1, 1, np.nan, 0.99, np.nan, np.nan])


def test_parts_of_other_rows_cannot_be_added() -> None:
    with pytest.raises(ValueError, match="cannot be added"):
        Traded.sum_of([Traded.sum_of([], 1.0), Traded.sum_of([], 2.0)], 1.0)
