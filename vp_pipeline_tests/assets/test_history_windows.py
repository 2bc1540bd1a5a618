"""What is left of a window, and in which pieces it is asked for."""

from datetime import UTC, datetime, timedelta

import pandas as pd

from vp_pipeline.assets.history_windows import clipped_to, gathered, minus, pieces
from vp_pipeline.windows import HOUR, MINUTE, Window

START = datetime(2025, 3, 1, tzinfo=UTC)


def minutes(first: int, last: int) -> Window:
    return Window(START + first * MINUTE, START + last * MINUTE)


def test_minus() -> None:
    day = minutes(0, 1440)
    assert minus(day, []) == [day]
    assert minus(day, [day]) == []
    taken = [minutes(50, 60), minutes(-10, 10), minutes(55, 70), minutes(1400, 2000), minutes(9000, 9001)]
    assert minus(day, taken) == [minutes(10, 50), minutes(70, 1400)]
    assert minus(minutes(5, 5), []) == []


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
    assert pieces(many, 10, timedelta(days=9)) == many[:100]


def test_clipping() -> None:
    times = pd.Series(pd.to_datetime([START + n * MINUTE for n in (0, 1, 3, 4, 5, 9)]))
    frame = pd.DataFrame({"open_time": times, "volume": range(6)})
    assert clipped_to(frame, [minutes(1, 4), minutes(9, 100)])["volume"].tolist() == [1, 2, 5]
    assert clipped_to(frame, []).empty
