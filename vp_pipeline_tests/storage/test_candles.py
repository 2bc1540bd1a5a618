"""What is stored of an answer, what it changes, and how it is read."""

import threading
from collections.abc import Iterator
from datetime import datetime
from typing import Any
from unittest.mock import patch

import numpy as np
import pandas as pd
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vp_pipeline.storage import candles as store
from vp_pipeline.storage.candles import Stored
from vp_pipeline.storage.connection import Connection, transaction
from vp_pipeline.storage.markets import market_ids
from vp_pipeline.storage.tables import CANDLE
from vp_pipeline.windows import DAY, HOUR, MINUTE, Window
from vp_pipeline_tests.storage.candle_frames import START, candles, minutes, stored

NAMES = [("kraken", "BTC/USD"), ("okx", "BTC/USDT"), ("kraken", "ETH/USD")]


@pytest.fixture(scope="module")
def numbers(database_url: str) -> list[int]:
    with transaction(database_url) as connection:
        return sorted(market_ids(connection, NAMES).values())


@pytest.fixture
def connection(database_url: str, numbers: list[int]) -> Iterator[Connection]:  # noqa: ARG001  # registers
    with transaction(database_url) as connection:
        yield connection
        connection.rollback()


@pytest.fixture
def btc(numbers: list[int]) -> int:
    return numbers[0]


def places(connection: Connection, number: int) -> list[tuple[Any, ...]]:
    """Where each row lies and who wrote it: a row left alone keeps both."""
    return stored(connection, number, "open_time, ctid, xmin")


def hours(*numbers: int) -> tuple[datetime, ...]:
    return tuple(START + number * HOUR for number in numbers)


def test_candles_come_back_as_they_were(connection: Connection, numbers: list[int]) -> None:
    frames = {
        numbers[0]: candles(0, 90),
        numbers[1]: candles(0, 61, 7.0, taker_buy_volume=[*[0.5] * 60, np.nan]),
        numbers[2]: candles(30, 40, quote_volume=np.nan, provisional=True),
    }
    assert store.store(connection, frames) == {
        numbers[0]: Stored(90, 0, 0, hours(0, 1)),
        numbers[1]: Stored(61, 0, 0, hours(0, 1)),
        numbers[2]: Stored(10, 0, 0, ()),
    }
    read = store.read(connection, numbers[::-1], minutes(0, 90), provisional=True)
    assert list(read.columns) == list(CANDLE.columns)
    for number, frame in frames.items():
        mine = read[read["market_id"] == number].reset_index(drop=True)
        pd.testing.assert_frame_equal(mine[list(frame.columns)], frame, check_freq=False)
    assert read["market_id"].tolist() == [numbers[0]] * 90 + [numbers[1]] * 61 + [numbers[2]] * 10
    unknown = connection.execute("SELECT count(*) FROM candle WHERE taker_buy_volume IS NULL").fetchone()
    assert unknown == (90 + 1 + 10,), "NULL and no NaN where nothing is known"


def test_equal_candles_are_not_written_again(connection: Connection, btc: int) -> None:
    store.store(connection, {btc: candles(0, 90)})
    before = places(connection, btc)
    with connection.transaction():
        again = store.store(connection, {btc: candles(0, 95).iloc[::-1]})
    assert again == {btc: Stored(5, 0, 0, hours(1))}
    assert places(connection, btc)[:90] == before


def test_a_final_candle_replaces_a_provisional_one_and_never_the_other_way(
    connection: Connection, btc: int
) -> None:
    store.store(connection, {btc: candles(58, 62, provisional=[False, False, True, True])})
    younger = store.store(connection, {btc: candles(60, 62, 200.0, provisional=True)})
    assert younger == {btc: Stored(0, 0, 0, ())}
    assert stored(connection, btc, "open")[2:] == [(260.0,), (261.0,)], "a provisional one goes on"

    closed = store.store(connection, {btc: candles(60, 62, 200.0)})
    assert closed == {btc: Stored(0, 2, 0, hours(1))}, "final though no number changed"
    before = places(connection, btc)
    with connection.transaction():
        late = store.store(connection, {btc: candles(58, 62, 300.0, provisional=True)})
    assert late == {btc: Stored(0, 0, 0, ())}
    assert places(connection, btc) == before
    assert connection.execute("SELECT count(*) FROM revision").fetchone() == (0,)


def test_other_numbers_of_a_final_candle_are_counted(connection: Connection, btc: int) -> None:
    store.store(connection, {btc: candles(0, 130)})
    assert store.store(connection, {btc: candles(119, 130, 500.0)})[btc] == Stored(0, 0, 11, hours(1, 2))
    third = candles(119, 130, 500.0)
    third.loc[0, "volume"] = 99.0
    assert store.store(connection, {btc: third})[btc] == Stored(0, 0, 1, hours(1))
    revisions = connection.execute(
        "SELECT open_time, times, first_volume, first_close FROM revision ORDER BY open_time LIMIT 2"
    ).fetchall()
    first = candles(0, 130).iloc[119:121]
    assert revisions == [
        (START + minute * MINUTE, times, *first.loc[minute, ["volume", "close"]])
        for minute, times in ((119, 2), (120, 1))
    ]
    assert stored(connection, btc, "volume")[119] == (99.0,)


@pytest.mark.parametrize("column", ["quote_volume", "taker_buy_volume"])
def test_what_is_not_known_erases_nothing_and_is_no_revision(
    connection: Connection, btc: int, column: str
) -> None:
    store.store(connection, {btc: candles(0, 3).assign(**{column: np.nan})})
    known = store.store(connection, {btc: candles(0, 3).assign(**{column: [5.0, 6.0, np.nan]})})
    assert known[btc] == Stored(0, 0, 0, hours(0)), "the hour is known better, nothing was revised"
    before = places(connection, btc)
    with connection.transaction():
        assert store.store(connection, {btc: candles(0, 3).assign(**{column: np.nan})})[btc] == Stored(
            0, 0, 0, ()
        )
    assert places(connection, btc) == before
    assert stored(connection, btc, column) == [(5.0,), (6.0,), (None,)]
    assert store.store(connection, {btc: candles(0, 3).assign(**{column: 7.0})})[btc] == Stored(
        0, 0, 2, hours(0)
    )


def test_a_tick_is_few_statements_whatever_the_number_of_markets(database_url: str) -> None:
    with transaction(database_url) as connection:
        many = sorted(market_ids(connection, [("many", f"M{n}/USD") for n in range(1000)]).values())
        store.store(connection, {number: candles(0, 5, provisional=[*[False] * 4, True]) for number in many})
        with patch.object(connection, "execute", wraps=connection.execute) as execute:
            result = store.store(connection, {number: candles(3, 7) for number in many})
        assert set(result.values()) == {Stored(2, 1, 0, hours(0))}
        assert execute.call_count <= 3, "and one COPY"
        assert len(store.read(connection, many, minutes(0, 60))) == 7000
        connection.rollback()


def test_history_goes_into_a_filled_partition(connection: Connection, btc: int) -> None:
    store.store(connection, {btc: candles(20_000, 20_100, quote_volume=np.nan)})
    month = candles(0, 43_200)
    result = store.store(connection, {btc: month})[btc]
    assert (result.inserted, result.finalized, result.revised) == (43_100, 0, 0)
    assert result.changed_hours == tuple(START + n * HOUR for n in range(720))
    read = store.read(connection, [btc], Window(START - DAY, START + 400 * DAY))
    pd.testing.assert_frame_equal(read[list(month.columns)], month, check_freq=False)


def test_far_apart_windows_of_a_market_are_one_call(connection: Connection, btc: int) -> None:
    old, new = candles(0, 10), candles(60_000, 60_015)
    store.store(connection, {btc: candles(5, 6)})
    assert store.store(connection, {btc: pd.concat([old, new])})[btc] == Stored(24, 0, 0, hours(0, 1000))
    assert len(stored(connection, btc)) == 25


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"open_time": None}, "market {n} lack open_time"),
        ({"open_time": pd.Timestamp("2026-03-01 00:00:30Z")}, "00:00:30.* is not a whole minute"),
        ({"open_time": pd.Timestamp("2026-03-01 00:00:00")}, "open_time has no time zone"),
        ({"open_time": pd.Timestamp("2026-03-01 00:00:00Z")}, "00:00:00.* comes twice"),
        ({"close": np.nan}, "00:00:00.* holds what is no number"),
        ({"volume": np.inf}, "00:00:00.* holds what is no number"),
        ({"quote_volume": -np.inf}, "00:00:00.* holds what is no number"),
    ],
)
def test_what_can_be_no_candle_is_refused(
    connection: Connection, btc: int, change: dict[str, Any], message: str
) -> None:
    frame = candles(0, 2).assign(**change)
    if change.get("open_time", "") is None:
        frame = frame.drop(columns="open_time")
    with pytest.raises(ValueError, match=message.format(n=btc)):
        store.store(connection, {btc: frame})
    assert stored(connection, btc) == []


def test_a_market_that_is_not_registered_is_refused(connection: Connection) -> None:
    with pytest.raises(psycopg.errors.CheckViolation, match="no partition"):
        store.store(connection, {31_000: candles(0, 1)})


def test_nothing_to_store_is_nothing_stored(connection: Connection, btc: int) -> None:
    assert store.store(connection, {}) == {}
    assert store.store(connection, {btc: candles(0, 0)}) == {btc: Stored(0, 0, 0, ())}


def test_reads_the_columns_asked_for(connection: Connection, btc: int) -> None:
    store.store(connection, {btc: candles(0, 5, provisional=[False] * 4 + [True])})
    read = store.read(connection, [btc], minutes(2, 60), ["close", "open_time"])
    assert list(read.columns) == ["close", "open_time"]
    assert read["close"].tolist() == [103.0, 104.0]
    assert len(store.read(connection, [btc], minutes(2, 60), provisional=True)) == 3


@pytest.mark.parametrize("window", [minutes(0, 10), Window(START, START + 90 * DAY)], ids=["short", "long"])
def test_an_empty_result_has_the_dtypes_of_a_full_one(
    connection: Connection, btc: int, window: Window
) -> None:
    empty = store.read(connection, [btc], window)
    store.store(connection, {btc: candles(0, 5)})
    full = store.read(connection, [btc], window)
    assert (len(empty), len(full)) == (0, 5)
    assert empty.dtypes.to_dict() == full.dtypes.to_dict()


def test_late_history_is_read_in_order(connection: Connection, numbers: list[int]) -> None:
    for first in (50_000, 0, 100_000, 200):
        store.store(connection, dict.fromkeys(numbers, candles(first, first + 100)))
    for window in (minutes(0, 10_000), minutes(0, 150_000)):
        read = store.read(connection, numbers, window)
        assert len(read) == len(numbers) * (200 if window.end < START + 20_000 * MINUTE else 400)
        order = read[["market_id", "open_time"]]
        pd.testing.assert_frame_equal(order, order.sort_values(["market_id", "open_time"]))


def test_blocks_are_the_whole(connection: Connection, btc: int) -> None:
    store.store(connection, {btc: candles(0, 3_000)})
    store.store(connection, {btc: candles(90_000, 93_000)})
    window = Window(START - 300 * DAY, START + 300 * DAY)
    blocks = list(store.read_blocks(connection, btc, window, block=DAY))
    assert max(len(block) for block in blocks) == 1440
    assert min(len(block) for block in blocks) > 0
    pd.testing.assert_frame_equal(pd.concat(blocks, ignore_index=True), store.read(connection, [btc], window))


def test_two_writers_of_a_market_wait_for_each_other(database_url: str, numbers: list[int]) -> None:
    """Both find nothing stored if they do not wait, and the second would fail on the key."""
    errors: list[BaseException] = []
    barrier = threading.Barrier(4)

    def write(price: float) -> None:
        try:
            barrier.wait()
            for part in range(10):
                with transaction(database_url) as connection:
                    frames = {n: candles(part * 10, part * 10 + 30, price) for n in numbers}
                    store.store(connection, frames)
        except BaseException as error:  # noqa: BLE001  # handed to the test below
            errors.append(error)

    threads = [threading.Thread(target=write, args=(float(price),)) for price in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    with transaction(database_url) as connection:
        assert [len(stored(connection, number)) for number in numbers] == [120] * 3
        connection.execute("TRUNCATE candle, revision")


VALUE = st.sampled_from([1.0, 2.0])
OPTIONAL = st.sampled_from([np.nan, 1.0, 2.0])
CANDLE_ROW = st.tuples(VALUE, VALUE, OPTIONAL, OPTIONAL, st.booleans())
ANSWER = st.dictionaries(st.integers(0, 12), CANDLE_ROW, max_size=8)


def answer_frame(answer: dict[int, tuple[float, float, float, float, bool]]) -> pd.DataFrame:
    rows = [(START + m * MINUTE, *[row[0]] * 4, *row[1:]) for m, row in answer.items()]
    frame = pd.DataFrame(rows, columns=list(candles(0, 1).columns))
    kinds = dict.fromkeys(frame.columns, "float64")
    return frame.astype({**kinds, "open_time": "datetime64[us, UTC]", "provisional": bool})


def learn(model: dict[int, Any], answer: dict[int, Any]) -> None:
    """The contract, minute by minute."""
    for minute, (price, volume, *more, provisional) in answer.items():
        known = model.get(minute)
        if known is None or known[-1] or not provisional:
            old = known[2:4] if known else (np.nan, np.nan)
            merged = [o if np.isnan(new) else new for new, o in zip(more, old, strict=True)]
            model[minute] = (price, volume, *merged, provisional)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(answers=st.lists(ANSWER, min_size=1, max_size=5))
def test_any_answers_leave_what_the_rules_say(
    connection: Connection, btc: int, answers: list[dict[int, Any]]
) -> None:
    connection.execute("TRUNCATE candle, revision")
    model: dict[int, Any] = {}
    for answer in answers:
        store.store(connection, {btc: answer_frame(answer)})
        learn(model, answer)
    read = store.read(connection, [btc], minutes(0, 60), provisional=True)
    expected = answer_frame(dict(sorted(model.items())))
    pd.testing.assert_frame_equal(read[list(expected.columns)], expected)
