"""Rows of the wire as frames: what is kept, in which order, and what is refused."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vp_pipeline.exchanges.frames import CANDLE_COLUMNS, GRACE, BadCandlesError, frame_of
from vp_pipeline.exchanges.futures import KLINE_COLUMNS
from vp_pipeline.windows import MINUTE, Window, from_ms, to_ms

Row = list[float | None]
START = datetime(2024, 1, 1, tzinfo=UTC)
WINDOW = Window(START, START + 10 * MINUTE)
LATER = START + timedelta(days=1)


def row(minute: int, *numbers: float) -> Row:
    opens = to_ms(START + minute * MINUTE)
    return [opens, *(numbers or (2.0, 3.0, 1.0, 2.5, 7.0)), 9.0, 4.0]


prices = st.floats(min_value=1e-8, max_value=1e9)
candles = st.builds(
    lambda minute, values, volume: row(minute, values[0], max(values), min(values), values[1], volume),
    st.integers(-5, 15),
    st.lists(prices, min_size=4, max_size=4),
    st.floats(min_value=0, max_value=1e12),
)


@given(st.lists(candles, max_size=30), st.integers(0, 900))
def test_a_frame_holds_the_last_of_each_closed_minute_of_the_window(rows: list[Row], seconds: int) -> None:
    now = START + timedelta(seconds=seconds)
    frame = frame_of(rows, WINDOW, MINUTE, now)
    expected: dict[datetime, Row] = {}
    for candle in rows:
        assert candle[0] is not None
        opens = from_ms(int(candle[0]))
        if opens in WINDOW and opens + MINUTE + GRACE <= now:
            expected[opens] = candle
    assert list(frame.columns) == list(CANDLE_COLUMNS)
    assert list(frame["open_time"]) == sorted(expected)
    assert frame.iloc[:, 1:].to_numpy().tolist() == [expected[opens][1:] for opens in sorted(expected)]
    assert str(frame["open_time"].dtype) == "datetime64[us, UTC]"
    assert (frame.dtypes.iloc[1:] == "float64").all()


@given(
    st.lists(candles, max_size=20, unique_by=lambda candle: candle[0]).flatmap(
        lambda rows: st.tuples(st.just(rows), st.permutations(rows))
    )
)
def test_the_order_of_rows_does_not_matter(pair: tuple[list[Row], list[Row]]) -> None:
    rows, shuffled = pair
    pd.testing.assert_frame_equal(
        frame_of(rows, WINDOW, MINUTE, LATER), frame_of(shuffled, WINDOW, MINUTE, LATER)
    )


@pytest.mark.parametrize("value", [None, float("nan"), float("inf"), -1.0])
@pytest.mark.parametrize("column", range(1, 6))
def test_a_candle_without_its_numbers_is_refused(column: int, value: float | None) -> None:
    bad = row(1)
    bad[column] = value
    with pytest.raises(BadCandlesError, match=f"{bad[0]} has {CANDLE_COLUMNS[column]}"):
        frame_of([row(0), bad], WINDOW, MINUTE, LATER)


@pytest.mark.parametrize("column", range(1, 6))
def test_zero_is_a_volume_and_no_price(column: int) -> None:
    bad = row(1)
    bad[column] = 0.0
    if CANDLE_COLUMNS[column] == "volume":
        assert frame_of([bad], WINDOW, MINUTE, LATER)["volume"].tolist() == [0.0]
    else:
        with pytest.raises(BadCandlesError, match=f"has {CANDLE_COLUMNS[column]} 0"):
            frame_of([bad], WINDOW, MINUTE, LATER)


@pytest.mark.parametrize("opens", [None, to_ms(START) + 1, to_ms(START) + 0.5, float("nan")])
def test_a_time_that_is_no_whole_bar_is_refused(opens: float | None) -> None:
    with pytest.raises(BadCandlesError, match="whole bar of 60000 ms"):
        frame_of([[opens, *[1.0] * 7]], WINDOW, MINUTE, LATER)


@pytest.mark.parametrize(
    "rows",
    [[[1]], [[to_ms(START), 1.0, 1.0]], [row(0), [1, 2]], [["x"] * 8], [{}], [5], [[]], [[*row(0), 1.0]]],
)
def test_what_are_no_rows_is_refused(rows: list[Row]) -> None:
    with pytest.raises(BadCandlesError, match="rows of 8 numbers"):
        frame_of(rows, WINDOW, MINUTE, LATER)


def test_no_rows_make_an_empty_frame_of_the_same_columns() -> None:
    some, none = frame_of([row(0)], WINDOW, MINUTE, LATER), frame_of([], WINDOW, MINUTE, LATER)
    assert none.empty
    assert none.dtypes.to_dict() == some.dtypes.to_dict()


def test_further_columns_may_lack_but_not_lie() -> None:
    full: Row = [*row(0)[:6], 9.0, 4.0, 3.0]
    lacking: Row = [*row(1)[:6], None, None, None]
    frame = frame_of([full, lacking], WINDOW, MINUTE, LATER, KLINE_COLUMNS)
    np.testing.assert_array_equal(frame.iloc[:, 6:], [[9.0, 4.0, 3.0], [np.nan] * 3])
    for value in (-1.0, float("inf")):
        with pytest.raises(BadCandlesError, match="has trades"):
            frame_of([[*row(0)[:6], 9.0, value, 3.0]], WINDOW, MINUTE, LATER, KLINE_COLUMNS)
