from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pandas as pd
import psycopg
import pytest
from psycopg import sql

from vp_pipeline.storage import markets, rows
from vp_pipeline.storage.connection import Connection, transaction
from vp_pipeline.storage.tables import CANDLE, COVERAGE_RUN, DAILY_RETURN, VOLUME_PROFILE_ROW, Table
from vp_pipeline.windows import DAY, HOUR, MINUTE, Window

START = datetime(2026, 3, 1, tzinfo=UTC)
# Far from the numbers that the database gives.
BTC, ETH = 101, 102


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection]:
    """An open transaction that is not kept, with two markets."""
    with transaction(database_url) as connection:
        connection.execute(
            "INSERT INTO market OVERRIDING SYSTEM VALUE"
            " VALUES (101, 'kraken', 'BTC/USD'), (102, 'kraken', 'ETH/USD')"
        )
        yield connection
        connection.rollback()


def candles(window: Window, price: float = 100.0) -> pd.DataFrame:
    times = pd.date_range(window.start, window.end, freq="min", inclusive="left")
    values = pd.Series(range(len(times)), dtype="float64") + price
    prices = dict.fromkeys(("open", "high", "low", "close"), values)
    frame = pd.DataFrame({"provisional": False, "open_time": times, **prices, "volume": 1.5})
    return frame.assign(quote_volume=2.5, taker_buy_volume=float("nan"))


def profile(first: datetime, days: int) -> pd.DataFrame:
    kept = [first.date() + timedelta(days=number) for number in range(days)]
    return pd.DataFrame({"day": kept, "price": 100.0, "volume": range(days)})


def dump(connection: Connection, table: Table) -> bytes:
    """All of a table, byte for byte."""
    query = sql.SQL("COPY (SELECT * FROM {} ORDER BY {}) TO STDOUT (FORMAT BINARY)").format(
        sql.Identifier(table.name), sql.SQL(", ").join(map(sql.Identifier, table.key))
    )
    with connection.cursor().copy(query) as copy:
        return b"".join(map(bytes, copy))


def hours(first: int, last: int) -> Window:
    return Window(START + first * HOUR, START + last * HOUR)


def test_reads_what_was_written(connection: Connection) -> None:
    frame = candles(hours(0, 2))
    rows.replace(connection, CANDLE, frame, {"market_id": BTC}, hours(0, 2))
    read = rows.read(connection, CANDLE, {"market_id": BTC}, hours(0, 2))
    assert list(read.columns) == list(CANDLE.columns)
    pd.testing.assert_frame_equal(read[list(frame.columns)], frame, check_dtype=False, check_freq=False)
    assert (read["market_id"] == BTC).all()


def test_reads_the_columns_asked_for_in_key_order(connection: Connection) -> None:
    frame = candles(hours(0, 1)).iloc[::-1]
    rows.replace(connection, CANDLE, frame, {"market_id": BTC}, hours(0, 1))
    window = Window(START + MINUTE, START + 3 * MINUTE)
    read = rows.read(connection, CANDLE, {"market_id": BTC}, window, ["close"])
    assert read.to_dict("list") == {"close": [101.0, 102.0]}


def test_same_rows_again_change_no_byte(connection: Connection) -> None:
    rows.replace(connection, CANDLE, candles(hours(0, 3)), {"market_id": BTC}, hours(0, 3))
    before = dump(connection, CANDLE)
    rows.replace(connection, CANDLE, candles(hours(0, 3)), {"market_id": BTC}, hours(0, 3))
    assert dump(connection, CANDLE) == before
    rows.replace(connection, CANDLE, candles(hours(1, 2), 160.0), {"market_id": BTC}, hours(1, 2))
    assert dump(connection, CANDLE) == before


def test_leaves_other_scopes_and_times_alone(connection: Connection) -> None:
    rows.replace(connection, CANDLE, candles(hours(0, 3)), {"market_id": BTC}, hours(0, 3))
    rows.replace(connection, CANDLE, candles(hours(0, 3), 7.0), {"market_id": ETH}, hours(0, 3))
    other = rows.read(connection, CANDLE, {"market_id": ETH})
    around = [rows.read(connection, CANDLE, {"market_id": BTC}, hours(n, n + 1)) for n in (0, 2)]

    rows.replace(connection, CANDLE, candles(hours(1, 2), 900.0), {"market_id": BTC}, hours(1, 2))

    pd.testing.assert_frame_equal(rows.read(connection, CANDLE, {"market_id": ETH}), other)
    for hour, before in zip((0, 2), around, strict=True):
        after = rows.read(connection, CANDLE, {"market_id": BTC}, hours(hour, hour + 1))
        pd.testing.assert_frame_equal(after, before)
    changed = rows.read(connection, CANDLE, {"market_id": BTC}, hours(1, 2))
    assert changed["close"].min() == 900.0


def test_an_empty_frame_empties_the_window(connection: Connection) -> None:
    rows.replace(connection, CANDLE, candles(hours(0, 2)), {"market_id": BTC}, hours(0, 2))
    rows.replace(connection, CANDLE, candles(hours(0, 0)), {"market_id": BTC}, hours(0, 1))
    left = rows.read(connection, CANDLE, {"market_id": BTC})
    assert (len(left), left["open_time"].min()) == (60, START + HOUR)


def test_without_a_window_the_whole_scope_is_replaced(connection: Connection) -> None:
    days = [date(2026, 1, 1), date(2026, 1, 2)]
    prices = dict.fromkeys(("close", "high", "low", "volume"), 1.0)
    first = pd.DataFrame({"symbol": ["BTCUSDT"] * 2, "day": days, **prices})
    rows.replace(connection, DAILY_RETURN, first.assign(**{"return": None}), {})
    rows.replace(connection, DAILY_RETURN, first.iloc[1:].assign(**{"return": 0.5}), {})
    assert rows.read(connection, DAILY_RETURN, {})["return"].tolist() == [0.5]


def test_days_are_those_whose_midnight_the_window_holds(connection: Connection) -> None:
    week = Window(START, START + 7 * DAY)
    rows.replace(connection, VOLUME_PROFILE_ROW, profile(START, 7), {"base": "BTC"}, week)

    def days(start: timedelta, end: timedelta) -> list[int]:
        window = Window(START + start, START + end)
        return [int(v) for v in rows.read(connection, VOLUME_PROFILE_ROW, {"base": "BTC"}, window)["volume"]]

    assert days(DAY, 3 * DAY) == [1, 2]
    assert days(DAY + HOUR, 3 * DAY) == [2]
    assert days(DAY, 3 * DAY + MINUTE) == [1, 2, 3]
    assert days(DAY + HOUR, DAY + 2 * HOUR) == []


def test_a_failing_second_batch_takes_the_first_back(database_url: str) -> None:
    with transaction(database_url) as connection:
        number = markets.market_ids(connection, [("okx", "BTC/USDT")])[("okx", "BTC/USDT")]
        rows.replace(connection, CANDLE, candles(hours(0, 1)), {"market_id": number}, hours(0, 1))
        before = dump(connection, CANDLE)
    unknown = 31_000

    def replace_both() -> None:
        with transaction(database_url) as connection:
            rows.replace(connection, CANDLE, candles(hours(0, 1), 5.0), {"market_id": number}, hours(0, 1))
            rows.replace(connection, CANDLE, candles(hours(0, 1)), {"market_id": unknown}, hours(0, 1))

    with pytest.raises(psycopg.errors.CheckViolation):
        replace_both()
    with transaction(database_url) as connection:
        assert dump(connection, CANDLE) == before


def test_refused_rows_delete_nothing(connection: Connection) -> None:
    rows.replace(connection, CANDLE, candles(hours(0, 1)), {"market_id": BTC}, hours(0, 1))
    before = dump(connection, CANDLE)
    with pytest.raises(ValueError, match="not all within"):
        rows.replace(connection, CANDLE, candles(hours(0, 2)), {"market_id": BTC}, hours(0, 1))
    assert dump(connection, CANDLE) == before


@pytest.mark.parametrize("stray", [START - MINUTE, START + HOUR, pd.NaT])
def test_refuses_times_outside_of_the_window(connection: Connection, stray: datetime) -> None:
    frame = candles(hours(0, 1))
    frame.loc[30, "open_time"] = stray
    message = "rows for candle are not all within 2026-03-01 00:00 to 2026-03-01 01:00 UTC"
    with pytest.raises(ValueError, match=message):
        rows.replace(connection, CANDLE, frame, {"market_id": BTC}, hours(0, 1))


def test_refuses_days_outside_of_the_window(connection: Connection) -> None:
    with pytest.raises(ValueError, match="rows for volume_profile_row are not all within"):
        rows.replace(
            connection, VOLUME_PROFILE_ROW, profile(START, 3), {"base": "BTC"}, Window(START, START + 2 * DAY)
        )


def test_refuses_a_repeated_key(connection: Connection) -> None:
    frame = pd.concat([candles(hours(0, 1)), candles(hours(0, 1)).iloc[[7]]])
    with pytest.raises(ValueError, match=r"rows for candle repeat the key .*Timestamp\('2026-03-01 00:07"):
        rows.replace(connection, CANDLE, frame, {"market_id": BTC}, hours(0, 1))


def test_refuses_rows_of_another_scope(connection: Connection) -> None:
    frame = candles(hours(0, 1)).assign(market_id=[BTC] * 59 + [ETH])
    with pytest.raises(ValueError, match="rows for candle are not all of market_id 101"):
        rows.replace(connection, CANDLE, frame, {"market_id": BTC}, hours(0, 1))


def test_refuses_a_window_where_there_is_no_time(connection: Connection) -> None:
    with pytest.raises(ValueError, match="daily_return has no time column"):
        rows.read(connection, DAILY_RETURN, {}, hours(0, 1))


def test_an_empty_result_has_the_dtypes_of_a_full_one(connection: Connection) -> None:
    empty = rows.read(connection, COVERAGE_RUN, {"market_id": BTC})
    hour = hours(0, 1)
    frame = pd.DataFrame({"start_time": [hour.start], "end_time": hour.end, "state": "got", "reason": ""})
    rows.replace(connection, COVERAGE_RUN, frame, {"market_id": BTC}, hour)
    full = rows.read(connection, COVERAGE_RUN, {"market_id": BTC})
    assert (len(empty), len(full)) == (0, 1)
    assert empty.dtypes.to_dict() == full.dtypes.to_dict()


def test_market_numbers_are_given_once(connection: Connection) -> None:
    first = markets.market_ids(connection, [("bybit", "BTC/USDT"), ("kraken", "BTC/USD")])
    asked = [("kraken", "BTC/USD"), ("bybit", "BTC/USDT"), ("bybit", "BTC/USDT"), ("bybit", "ETH/USDT")]
    again = markets.market_ids(connection, asked)
    assert first[("kraken", "BTC/USD")] == BTC
    assert first.items() <= again.items()
    assert len(set(again.values())) == 3
    assert markets.market_ids(connection, []) == {}
