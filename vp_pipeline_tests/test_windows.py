from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vp_pipeline.windows import DAY, EPOCH, HOUR, MINUTE, Window, ceil, floor, from_ms, minus, to_ms, union

MOMENTS = st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001  # bounds
STEPS = st.sampled_from([MINUTE, 5 * MINUTE, 15 * MINUTE, HOUR, DAY, 7 * DAY])
WINDOWS = st.tuples(MOMENTS, MOMENTS).map(lambda ends: Window(min(ends), max(ends)))
START = datetime(2026, 3, 1, tzinfo=UTC)


@given(MOMENTS, STEPS)
def test_floor_is_the_last_multiple_not_after(moment: datetime, step: timedelta) -> None:
    down = floor(moment, step)
    assert (down - EPOCH) % step == timedelta(0)
    assert down <= moment < down + step


@given(MOMENTS, STEPS)
def test_ceil_is_the_first_multiple_not_before(moment: datetime, step: timedelta) -> None:
    up = ceil(moment, step)
    assert (up - EPOCH) % step == timedelta(0)
    assert up - step < moment <= up


@given(MOMENTS, STEPS)
def test_floor_and_ceil_meet_on_a_multiple_alone(moment: datetime, step: timedelta) -> None:
    down, up = floor(moment, step), ceil(moment, step)
    assert floor(down, step) == down == ceil(down, step)
    assert up - down == (timedelta(0) if down == moment else step)


@given(st.integers(-(2**41), 2**42))
def test_milliseconds_and_back(milliseconds: int) -> None:
    assert to_ms(from_ms(milliseconds)) == milliseconds
    assert from_ms(milliseconds).utcoffset() == timedelta(0)


def test_milliseconds_are_those_since_1970() -> None:
    assert to_ms(datetime(2017, 8, 17, 4, tzinfo=UTC)) == 1_502_942_400_000


@given(WINDOWS, WINDOWS, MOMENTS)
def test_intersection_holds_what_both_hold(one: Window, other: Window, moment: datetime) -> None:
    both = one.intersect(other)
    for tried in (moment, one.start, one.end, other.start, other.end):
        assert (tried in both) == (tried in one and tried in other)
    assert bool(both) == (max(one.start, other.start) < min(one.end, other.end))


@given(WINDOWS, WINDOWS)
def test_hull_is_the_smallest_that_holds_both(one: Window, other: Window) -> None:
    hull = one.hull(other)
    assert hull == other.hull(one)
    assert hull.intersect(one) == one
    assert hull.start in (one.start, other.start)
    assert hull.end in (one.end, other.end)


@given(st.integers(0, 5000), st.integers(1, 1000))
def test_split_covers_without_gap_or_overlap(minutes: int, step: int) -> None:
    window = Window(START, START + minutes * MINUTE)
    parts = list(window.split(step * MINUTE))
    assert all(earlier.end == later.start for earlier, later in pairwise(parts))
    assert all(part.end - part.start == step * MINUTE for part in parts[:-1])
    assert all(parts)
    assert not window or (parts[0].start, parts[-1].end) == (window.start, window.end)
    assert len(parts) - window.count(step * MINUTE) == (minutes % step != 0)


def minutes(first: int, last: int) -> Window:
    return Window(START + first * MINUTE, START + last * MINUTE)


SPANS = st.tuples(st.integers(0, 60), st.integers(0, 15)).map(lambda span: minutes(span[0], sum(span)))


@given(st.lists(SPANS))
def test_union_holds_what_any_holds_with_gaps_between(windows: list[Window]) -> None:
    joined = union(windows)
    assert all(earlier.end < later.start for earlier, later in pairwise(joined))
    for moment in (START + minute * MINUTE for minute in range(76)):
        assert any(moment in one for one in joined) == any(moment in one for one in windows)


@given(SPANS, st.lists(SPANS))
def test_minus_leaves_what_none_of_the_others_holds(window: Window, taken: list[Window]) -> None:
    left = minus(window, taken)
    assert union(left) == left
    for moment in (START + minute * MINUTE for minute in range(76)):
        kept = moment in window and not any(moment in one for one in taken)
        assert any(moment in one for one in left) == kept


def test_minus_takes_what_overlaps_or_lies_beside() -> None:
    taken = [minutes(50, 60), minutes(-10, 10), minutes(55, 70), minutes(1400, 2000), minutes(9000, 9001)]
    assert minus(minutes(0, 1440), taken) == [minutes(10, 50), minutes(70, 1400)]


def test_is_half_open() -> None:
    window = Window(START, START + HOUR)
    assert START in window
    assert START + HOUR not in window
    assert not Window(START, START)
    assert START not in Window(START, START)


def test_says_what_it_is() -> None:
    assert str(Window(START, START + HOUR)) == "2026-03-01 00:00 to 2026-03-01 01:00 UTC"


@pytest.mark.parametrize(
    "start",
    [datetime(2026, 3, 1), START.astimezone(timezone(HOUR))],  # noqa: DTZ001  # what is refused
)
def test_refuses_times_that_are_not_utc(start: datetime) -> None:
    with pytest.raises(ValueError, match="a window needs UTC-aware ends"):
        Window(start, START + DAY)


def test_refuses_to_end_before_it_starts() -> None:
    with pytest.raises(ValueError, match="cannot end before it starts"):
        Window(START, START - MINUTE)


@pytest.mark.parametrize("step", [timedelta(0), -MINUTE])
def test_refuses_steps_that_lead_nowhere(step: timedelta) -> None:
    with pytest.raises(ValueError, match="cannot be split into steps of"):
        list(Window(START, START + HOUR).split(step))
