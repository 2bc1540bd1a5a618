"""In which pieces windows are asked for, and which candles are in them."""

from datetime import UTC, datetime, timedelta

import pandas as pd

from vp_pipeline.assets.history_windows import clipped_to, gathered, pieces
from vp_pipeline.windows import HOUR, MINUTE, Window

START = datetime(2025, 3, 1, tzinfo=UTC)


def minutes(first: int, last: int) -> Window:
    return Window(START + first * MINUTE, START + last * MINUTE)


def test_gaps_that_one_request_serves_are_asked_for_together() -> None:
    gaps = [minutes(0, 1), minutes(5, 6), minutes(9, 10), minutes(30, 31)]
    assert gathered(gaps, 10) == [minutes(0, 10), minutes(30, 31)]
    assert gathered(gaps, 1) == gaps
    assert gathered([], 10) == []


def test_pieces_hold_some_pages_and_no_more_than_asked() -> None:
    window = minutes(0, 300)
    assert pieces([window], 10, 2 * HOUR) == [minutes(0, 50), minutes(50, 100), minutes(100, 150)]
    assert pieces([window], 1000, HOUR) == [minutes(0, 60)]
    assert pieces([minutes(0, 1), minutes(7, 8)], 10, HOUR) == [minutes(0, 1), minutes(7, 8)]
    many = [minutes(2 * n, 2 * n + 1) for n in range(150)]
    assert pieces(many, 10, timedelta(days=9)) == many
    assert pieces(many, 10, timedelta(days=9), 100) == many[:100]


def test_clipping() -> None:
    times = pd.Series(pd.to_datetime([START + n * MINUTE for n in (0, 1, 3, 4, 5, 9)]))
    frame = pd.DataFrame({"open_time": times, "volume": range(6)})
    assert clipped_to(frame, [minutes(1, 4), minutes(9, 100)])["volume"].tolist() == [1, 2, 5]
    assert clipped_to(frame, []).empty
