"""Every minute accounted for, in as few rows as there can be."""

import threading
from collections.abc import Iterator
from typing import Literal
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vp_pipeline.storage import candles as candle_table
from vp_pipeline.storage import ledger, minute_runs
from vp_pipeline.storage.connection import Connection, transaction
from vp_pipeline.storage.ledger import Finding, Run
from vp_pipeline.storage.markets import market_ids
from vp_pipeline.windows import DAY, HOUR, MINUTE, Window
from vp_pipeline_tests.storage.candle_frames import START, candles, minutes

Kind = Literal["answered", "unknown", "unfetchable"]
NAMES = [("kraken", "BTC/USD"), ("okx", "BTC/USDT")]


@pytest.fixture(scope="module")
def numbers(database_url: str) -> list[int]:
    with transaction(database_url) as connection:
        return sorted(market_ids(connection, NAMES).values())


@pytest.fixture
def connection(database_url: str, numbers: list[int]) -> Iterator[Connection]:
    with transaction(database_url) as connection:
        candle_table.store(connection, {numbers[0]: candles(0, 100)})
        yield connection
        connection.rollback()


@pytest.fixture
def btc(numbers: list[int]) -> int:
    return numbers[0]


def at(first: int, last: int, state: ledger.State, reason: str = "") -> Run:
    window = minutes(first, last)
    return Run(window.start, window.end, state, reason)


def finding(number: int, first: int, last: int, kind: Kind = "answered", reason: str = "") -> Finding:
    return Finding(number, minutes(first, last), kind, reason)


def test_an_answer_tells_got_and_empty(connection: Connection, btc: int) -> None:
    candle_table.store(connection, {btc: candles(110, 130, provisional=[False] * 10 + [True] * 10)})
    ledger.record(connection, [finding(btc, -30, 125)])
    assert ledger.runs(connection, [btc]) == {
        btc: [
            at(-30, 0, "exchange-empty"),
            at(0, 100, "got"),
            at(100, 110, "exchange-empty"),
            at(110, 120, "got"),
            at(120, 125, "exchange-empty"),
        ]
    }


def test_what_is_stored_is_got_whatever_is_said_of_the_rest(connection: Connection, btc: int) -> None:
    ledger.record(connection, [finding(btc, 50, 120, "unknown", "timeout")])
    assert ledger.runs(connection, [btc]) == {
        btc: [at(50, 100, "got"), at(100, 120, "unknown", "timeout")],
    }


def test_unknown_minutes_heal(connection: Connection, btc: int) -> None:
    ledger.record(connection, [finding(btc, 0, 100), finding(btc, 100, 160, "unknown", "HTTP 503")])
    assert ledger.unknown(connection, [btc]) == {btc: [minutes(100, 160)]}
    candle_table.store(connection, {btc: candles(100, 150)})
    ledger.record(connection, [finding(btc, 100, 155)])
    assert ledger.runs(connection, [btc]) == {
        btc: [
            at(0, 150, "got"),
            at(150, 155, "exchange-empty"),
            at(155, 160, "unknown", "HTTP 503"),
        ]
    }
    ledger.record(connection, [finding(btc, 0, 160, "unfetchable", "fell out of the history")])
    ledger.record(connection, [finding(btc, 0, 160, "unknown", "HTTP 503")])
    assert ledger.runs(connection, [btc])[btc][-1] == at(155, 160, "unfetchable", "fell out of the history")
    assert ledger.unknown(connection, [btc]) == {btc: []}


def test_ticks_make_one_run_longer(connection: Connection, btc: int) -> None:
    for first in range(0, 90, 15):
        ledger.record(connection, [finding(btc, max(first - 5, 0), first + 15)])
    assert ledger.runs(connection, [btc]) == {btc: [at(0, 90, "got")]}
    place = "SELECT ctid, xmin FROM coverage_run"
    before = connection.execute(place).fetchall()
    with connection.transaction():
        ledger.record(connection, [finding(btc, 10, 90), finding(btc, 20, 80, "unknown", "timeout")])
    assert connection.execute(place).fetchall() == before, "what is known already is not written again"


def test_a_record_is_few_statements(connection: Connection, numbers: list[int]) -> None:
    hours = range(0, 3000, 60)
    with patch.object(connection, "execute", wraps=connection.execute) as execute:
        ledger.record(connection, [finding(n, first, first + 60) for n in numbers for first in hours])
    assert execute.call_count <= 6


def test_nothing_found_is_nothing_recorded(connection: Connection, btc: int) -> None:
    ledger.record(connection, [])
    ledger.record(connection, [finding(btc, 5, 5)])
    assert ledger.runs(connection, [btc]) == {btc: []}
    assert ledger.frontier(connection, [btc]) == {}


def test_runs_are_clipped_to_the_window(connection: Connection, numbers: list[int]) -> None:
    ledger.record(connection, [finding(numbers[0], 0, 120)])
    assert ledger.runs(connection, numbers, minutes(90, 110)) == {
        numbers[0]: [at(90, 100, "got"), at(100, 110, "exchange-empty")],
        numbers[1]: [],
    }
    assert ledger.runs(connection, numbers, minutes(120, 180)) == {numbers[0]: [], numbers[1]: []}


def test_unknown_windows_are_oldest_first_and_joined(connection: Connection, numbers: list[int]) -> None:
    ledger.record(
        connection,
        [
            finding(numbers[1], 200, 210, "unknown", "timeout"),
            finding(numbers[1], 210, 215, "unknown", "HTTP 503"),
            finding(numbers[1], 50, 60, "unknown", "timeout"),
        ],
    )
    assert ledger.unknown(connection, numbers) == {
        numbers[0]: [],
        numbers[1]: [minutes(50, 60), minutes(200, 215)],
    }
    assert ledger.frontier(connection, numbers) == {numbers[1]: START + 215 * MINUTE}


def test_hours_and_counts_add_up(connection: Connection, numbers: list[int]) -> None:
    ledger.record(
        connection,
        [
            finding(numbers[0], 0, 110),
            finding(numbers[0], 110, 130, "unknown", "timeout"),
            finding(numbers[1], 30, 61, "unfetchable", "fell out"),
        ],
    )
    assert [tuple(row) for row in ledger.by_hour(connection, minutes(0, 180)).itertuples(index=False)] == [
        (numbers[0], START, 60, 0, 0, 0, ""),
        (numbers[0], START + HOUR, 40, 10, 10, 0, "the exchange has no candle"),
        (numbers[0], START + 2 * HOUR, 0, 0, 10, 0, "timeout"),
        (numbers[1], START, 0, 0, 0, 30, "fell out"),
        (numbers[1], START + HOUR, 0, 0, 0, 1, "fell out"),
    ]
    clipped = ledger.by_hour(connection, minutes(30, 105), [numbers[0]])
    assert [tuple(row)[2:] for row in clipped.itertuples(index=False)] == [
        (30, 0, 0, 0, ""),
        (40, 5, 0, 0, "the exchange has no candle"),
    ]
    everything = ledger.counts(connection, None)
    assert everything.to_numpy().tolist() == [[numbers[0], 100, 10, 20, 0], [numbers[1], 0, 0, 0, 31]]
    part = ledger.counts(connection, minutes(90, 115), [numbers[0]])
    assert part.to_numpy().tolist() == [[numbers[0], 10, 10, 5, 0]]
    assert ledger.counts(connection, minutes(900, 960)).to_numpy().tolist() == []


def test_years_are_counted_from_few_rows(connection: Connection, btc: int) -> None:
    years = Window(START - 3650 * DAY, START)
    ledger.record(connection, [Finding(btc, years, "unfetchable", "not served")])
    assert ledger.counts(connection, None)["unfetchable"].tolist() == [3650 * 1440]
    assert connection.execute("SELECT count(*) FROM coverage_run").fetchone() == (1,)


def test_the_view_is_the_ledger_for_people(connection: Connection, btc: int) -> None:
    candle_table.store(connection, {btc: candles(7, 9, 500.0)})
    ledger.record(connection, [finding(btc, 0, 110), finding(btc, 110, 111, "unknown", "timeout")])
    rows = connection.execute(
        "SELECT exchange, symbol, state, minutes, reason, revisions FROM coverage ORDER BY start_time"
    ).fetchall()
    name = ("kraken", "BTC/USD")
    assert rows == [
        (*name, "got", 100, "", 2),
        (*name, "exchange-empty", 10, "the exchange has no candle", 0),
        (*name, "unknown", 1, "timeout", 0),
    ]


def test_two_writers_of_a_market_wait_for_each_other(database_url: str, numbers: list[int]) -> None:
    errors: list[BaseException] = []
    barrier = threading.Barrier(4)

    def write(writer: int) -> None:
        try:
            barrier.wait()
            for step in range(12):
                first = step * 20 + writer * 5
                with transaction(database_url) as connection:
                    candle_table.store(connection, {n: candles(first, first + 8) for n in numbers[::-1]})
                    ledger.record(connection, [finding(n, first, first + 10) for n in numbers])
        except BaseException as error:  # noqa: BLE001  # handed to the test below
            errors.append(error)

    threads = [threading.Thread(target=write, args=(writer,)) for writer in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    with transaction(database_url) as connection:
        stored = connection.execute("SELECT count(*) FROM candle").fetchone()
        counted = ledger.counts(connection, None)
        assert stored == (counted["got"].sum(),)
        assert (counted["got"] + counted["empty"]).tolist() == [245, 245]
        for runs in ledger.runs(connection, numbers).values():
            assert runs == minute_runs.lay([], runs), "disjoint, in order and maximal"
        connection.execute("TRUNCATE candle, coverage_run")


Said = tuple[int, int, Kind, str]
FINDINGS = st.builds(
    lambda first, length, kind, reason: (first, first + length, kind, reason),
    st.integers(0, 40),
    st.integers(0, 20),
    st.sampled_from(["answered", "unknown", "unfetchable"]),
    st.sampled_from(["", "timeout"]),
)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    answers=st.lists(st.tuples(st.lists(FINDINGS, max_size=4), st.sets(st.integers(0, 60)))),
    at_once=st.booleans(),
)
def test_any_findings_leave_what_the_rules_say(
    connection: Connection,
    btc: int,
    answers: list[tuple[list[tuple[int, int, Kind, str]], set[int]]],
    at_once: bool,
) -> None:
    """Against a model that keeps every minute by itself, however the findings are handed over."""
    connection.execute("TRUNCATE candle, coverage_run, revision")
    rank = {"unknown": 0, "unfetchable": 1, "answered": 2, "got": 3}
    stored: set[int] = set()
    model: dict[int, tuple[str, str]] = {}
    for findings, present in answers:
        if present:
            candle_table.store(connection, {btc: candles(0, 61).iloc[sorted(present)]})
        stored |= present
        batch = [finding(btc, *one) for one in findings]
        for part in [batch] if at_once else [[one] for one in batch]:
            ledger.record(connection, part)
        for first, last, kind, reason in findings:
            lacking = [minute for minute in range(first, last) if minute not in stored]
            for minute in range(first, last):
                said: tuple[str, str] = (kind, "" if kind == "answered" else reason)
                if minute in stored:
                    after = next((one for one in lacking if one > minute), last + 5)
                    early = kind == "unfetchable" and after - minute <= 5
                    said = ("got", f"{minute_runs.NOT_ASKED_AGAIN}: {reason}" if early else "")
                known = model.get(minute)
                again = said[0] == "unknown" or (said[0] == "got" and known is not None and not known[1])
                if known is None or rank[said[0]] > rank[known[0]] or (again and said[0] == known[0]):
                    model[minute] = said
    runs = ledger.runs(connection, [btc])[btc]
    assert runs == minute_runs.lay([], runs), "disjoint, in order and maximal"
    names = {"exchange-empty": "answered"}
    assert model == {
        minute: (names.get(run.state, run.state), run.reason)
        for run in runs
        for minute in range((run.start - START) // MINUTE, (run.end - START) // MINUTE)
    }
