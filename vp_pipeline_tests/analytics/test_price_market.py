"""Whose price a minute carries, against the rule played through minute by minute."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vp_pipeline.analytics.grid import Bools, Floats
from vp_pipeline.analytics.price_market import BACK, price_markets

DAY = 1440


def by_the_rule(day: Bools, ranked: list[int], lead: int | None) -> list[int]:
    """The serving venue of each minute of one day, -1 where nobody has a candle."""
    current, run = -1, 0
    served: list[int] = []
    for row in day:
        there = [venue for venue in ([lead] if lead is not None else []) + ranked if row[venue]]
        if not there:
            served.append(-1)
            continue
        run = run + 1 if lead is not None and row[lead] else 0
        if current < 0 or not row[current]:
            current = there[0]
        elif lead is not None and run >= BACK:
            current = lead
        served.append(current)
    return served


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([0.0, 0.02, 0.3, 0.7]), st.booleans())
def test_it_follows_the_rule(seed: int, absent: float, lead_is_out: bool) -> None:
    rng = np.random.default_rng(seed)
    hours, venues = 3, 4
    present = rng.random(((hours + 23) * 60, venues)) >= absent
    for _ in range(8):
        first = rng.integers(0, len(present))
        present[first : first + rng.integers(1, 400), rng.integers(0, venues)] = False
    included = np.ones((hours, venues), dtype=bool)
    included[1, 2] = False
    included[2, 0] = not lead_is_out
    traded = rng.permuted(np.tile([5.0, 5.0, 7.0, 1.0], (hours, 1)), axis=1)
    result = price_markets(present, included, traded, lead=0)
    for hour in range(hours):
        ranked = sorted(
            (venue for venue in range(1, venues) if included[hour, venue]),
            key=lambda venue: (-traded[hour, venue], venue),
        )
        day = present[hour * 60 : hour * 60 + DAY]
        expected = by_the_rule(day, ranked, 0 if included[hour, 0] else None)
        assert result[hour * 60 : hour * 60 + 60].tolist() == expected[-60:]


def table(absences: dict[int, range]) -> tuple[Bools, Bools, Floats]:
    """A day of a lead and two substitutes, the second of them larger; minutes count from the hour."""
    present = np.ones((DAY, 3), dtype=bool)
    for venue, minutes in absences.items():
        present[[DAY - 60 + minute for minute in minutes], venue] = False
    return present, np.ones((1, 3), dtype=bool), np.array([[9.0, 1.0, 5.0]])


def test_the_largest_substitutes_until_the_lead_is_back_for_five_minutes() -> None:
    served = price_markets(*table({0: range(10, 13)}), lead=0)
    assert served.tolist() == [0] * 10 + [2] * (3 + 4) + [0] * 43


def test_the_substitute_stays_when_a_larger_one_returns() -> None:
    served = price_markets(*table({0: range(10, 30), 2: range(10, 15)}), lead=0)
    assert served.tolist() == [0] * 10 + [1] * 24 + [0] * 26


def test_it_moves_on_when_the_substitute_misses_a_minute() -> None:
    served = price_markets(*table({0: range(10, 30), 2: range(20, 21)}), lead=0)
    assert served.tolist() == [0] * 10 + [2] * 10 + [1] * 14 + [0] * 26


def test_the_lead_serves_at_once_if_the_substitute_fails_it() -> None:
    served = price_markets(*table({0: range(10, 12), 2: range(13, 14)}), lead=0)
    assert served.tolist() == [0] * 10 + [2] * 3 + [0] * 47


def test_minutes_without_any_candle_are_no_absence_of_the_lead() -> None:
    hole = range(10, 20)
    served = price_markets(*table({0: hole, 1: hole, 2: hole}), lead=0)
    assert served.tolist() == [0] * 10 + [-1] * 10 + [0] * 40


@pytest.mark.parametrize("lead", [0, -1])
def test_a_lead_left_out_or_none_at_all(lead: int) -> None:
    present, included, traded = table({})
    included[0, 0] = False
    assert price_markets(present, included, traded, lead).tolist() == [2] * 60
    included[:] = False
    assert price_markets(present, included, traded, lead).tolist() == [-1] * 60
