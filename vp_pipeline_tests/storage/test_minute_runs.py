"""Runs against a model that keeps every minute by itself."""

from datetime import UTC, datetime
from itertools import pairwise
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vp_pipeline.storage.minute_runs import NOT_ASKED_AGAIN, Run, State, doubted, found, join, lay
from vp_pipeline.windows import MINUTE, Window

START = datetime(2026, 3, 1, 22, 50, tzinfo=UTC)
MINUTES = 40
STRENGTH: dict[State, int] = {"unknown": 0, "unfetchable": 1, "exchange-empty": 2, "got": 3}

Model = dict[int, tuple[State, str]]


def at(minute: int) -> datetime:
    return START + minute * MINUTE


def run(first: int, last: int, state: State, reason: str = "") -> Run:
    return Run(at(first), at(last), state, reason)


def expanded(runs: list[Run]) -> Model:
    """State and reason of every minute; the runs must be in order, disjoint and maximal."""
    for one, next_one in pairwise(runs):
        assert one.end <= next_one.start
        assert one.end < next_one.start or (one.state, one.reason) != (next_one.state, next_one.reason)
    return {
        minute: (one.state, one.reason)
        for one in runs
        for minute in range((one.start - START) // MINUTE, (one.end - START) // MINUTE)
    }


def learn(model: Model, newer: Model) -> Model:
    """What the ledger says of its precedence, minute by minute."""
    result = dict(model)
    for minute, said in newer.items():
        known = result.get(minute)
        again = said[0] == "unknown" or (said[0] == "got" and known is not None and not known[1])
        if known is None or STRENGTH[said[0]] > STRENGTH[known[0]] or (again and said[0] == known[0]):
            result[minute] = said
    return result


@st.composite
def any_runs(draw: st.DrawFn) -> list[Run]:
    """Disjoint maximal runs with holes between them."""
    edges = sorted(draw(st.sets(st.integers(0, MINUTES), max_size=14)))
    runs = [
        run(first, last, draw(st.sampled_from(list(STRENGTH))), draw(st.sampled_from(["", "down", "gone"])))
        for first, last in pairwise(edges)
        if draw(st.booleans())
    ]
    return list(join(runs))


@given(known=any_runs(), newer=any_runs())
def test_each_minute_has_the_stronger_statement(known: list[Run], newer: list[Run]) -> None:
    assert expanded(lay(known, newer)) == learn(expanded(known), expanded(newer))


@given(known=any_runs(), newer=any_runs())
def test_learning_again_changes_nothing(known: list[Run], newer: list[Run]) -> None:
    once = lay(known, newer)
    assert lay(once, newer) == once


@given(known=any_runs(), newer=any_runs(), cuts=st.sets(st.integers(0, MINUTES)))
def test_however_it_is_split_the_result_is_the_same(
    known: list[Run], newer: list[Run], cuts: set[int]
) -> None:
    pieces = []
    for one in newer:
        edges = [one.start, *(at(cut) for cut in sorted(cuts) if one.start < at(cut) < one.end), one.end]
        pieces += [Run(first, last, one.state, one.reason) for first, last in pairwise(edges)]
    result = known
    for piece in reversed(pieces):
        result = lay(result, [piece])
    assert result == lay(known, newer)


@given(findings=st.lists(any_runs(), max_size=4), shuffled=st.randoms(use_true_random=False))
def test_states_do_not_depend_on_the_order(findings: list[list[Run]], shuffled: Random) -> None:
    def states(order: list[list[Run]]) -> dict[int, State]:
        known: list[Run] = []
        for newer in order:
            known = lay(known, newer)
        return {minute: state for minute, (state, _) in expanded(known).items()}

    another = list(findings)
    shuffled.shuffle(another)
    assert states(another) == states(findings)


@given(
    present=st.sets(st.integers(-5, MINUTES + 5)),
    ends=st.tuples(st.integers(0, MINUTES), st.integers(0, MINUTES)).map(sorted),
)
def test_found_tells_every_minute_of_the_window(present: set[int], ends: list[int]) -> None:
    first, last = ends
    times = np.array([at(minute).replace(tzinfo=None) for minute in sorted(present)], dtype="datetime64[us]")
    runs = found(Window(at(first), at(last)), times, "exchange-empty", "said so")
    assert expanded(runs) == {
        minute: ("got", "") if minute in present else ("exchange-empty", "said so")
        for minute in range(first, last)
    }


def test_a_newer_reason_of_unknown_counts_and_of_unfetchable_does_not() -> None:
    known = [run(0, 5, "unknown", "timeout"), run(5, 9, "unfetchable", "fell out")]
    newer = [run(3, 9, "unknown", "HTTP 503")]
    assert lay(known, newer) == [
        run(0, 3, "unknown", "timeout"),
        run(3, 5, "unknown", "HTTP 503"),
        run(5, 9, "unfetchable", "fell out"),
    ]
    assert lay(known, [run(5, 9, "unfetchable", "other words")]) == known


def test_a_hole_that_is_filled_joins_its_neighbours() -> None:
    known = [run(0, 4, "got"), run(4, 6, "exchange-empty"), run(6, 9, "got")]
    assert lay(known, [run(4, 6, "got")]) == [run(0, 9, "got")]


def test_got_minutes_just_before_unfetchable_ones_may_be_early() -> None:
    early = f"{NOT_ASKED_AGAIN}: forgotten"
    given = [
        run(0, 9, "got"),
        run(9, 12, "unfetchable", "forgotten"),
        run(12, 14, "got"),
        run(14, 16, "unknown"),
    ]
    told = [run(0, 4, "got"), run(4, 9, "got", early), *given[1:]]
    assert doubted(given) == told
    assert doubted([run(7, 9, "got"), *given[1:]]) == [run(7, 9, "got", early), *given[1:]]
    assert doubted(given[2:]) == given[2:]
    assert lay([run(0, 9, "got")], told) == told
    assert lay(told, given) == told
    assert lay(told, told) == told


def test_half_minutes_are_refused() -> None:
    window = Window(START, START + 1.5 * MINUTE)
    with pytest.raises(ValueError, match=r"whole minutes, and 2026-03-01 22:51:30\+00:00 is none"):
        found(window, np.array([], dtype="datetime64[us]"), "unknown")
