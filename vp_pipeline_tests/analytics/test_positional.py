"""The document's sum by row number, and what it does to a market with a missing minute."""

import numpy as np
import pandas as pd
import pytest

from vp_pipeline.analytics.positional import positional_sum
from vp_pipeline_tests.analytics.venue_candles import START, flat


def test_a_missing_minute_shifts_a_market_against_the_others() -> None:
    rows = {(1, minute): (100.0 + minute, 1.0) for minute in range(5)}
    rows |= {(2, minute): (50.0, 10.0 * minute) for minute in range(5) if minute != 1}
    result = positional_sum(flat(rows).sample(frac=1, random_state=1), lead=1)
    # By time the other's 20 belongs to minute 2; by position it lands in minute 1.
    assert result["volume"].tolist() == pytest.approx([1, 21, 31, 41, np.nan], nan_ok=True)
    assert result["open_time"].tolist() == list(pd.date_range(START, periods=5, freq="min"))
    assert result["close"].tolist() == [100, 101, 102, 103, 104]
    assert set(result["alignment"]) == {"position"}


def test_complete_markets_are_added_as_by_time() -> None:
    rows = {(number, minute): (1.0, float(number + minute)) for number in (1, 2, 3) for minute in range(9)}
    result = positional_sum(flat(rows), lead=2)
    by_time = flat(rows).groupby("open_time")["volume"].sum()
    assert result["volume"].tolist() == by_time.tolist()


def test_rows_beyond_the_lead_are_dropped_and_no_lead_leaves_nothing() -> None:
    rows = flat({(1, 0): (1.0, 1.0), (2, 0): (1.0, 2.0), (2, 1): (1.0, 2.0)})
    assert positional_sum(rows, lead=1)["volume"].tolist() == [3.0]
    assert positional_sum(rows, lead=9).empty
