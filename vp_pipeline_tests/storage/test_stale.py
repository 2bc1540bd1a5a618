from collections.abc import Iterator

import psycopg
import pytest

from vp_pipeline.storage import stale
from vp_pipeline.storage.connection import Connection, transaction
from vp_pipeline.windows import DAY, HOUR, Window
from vp_pipeline_tests.storage.candle_frames import START

HOURS = [START + number * HOUR for number in range(5)]


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection]:
    with transaction(database_url) as connection:
        yield connection
        connection.rollback()


def test_marked_hours_are_pending_oldest_first(connection: Connection) -> None:
    stale.mark(connection, stale.AGGREGATE, "BTC", [HOURS[3], HOURS[1]])
    stale.mark(connection, stale.AGGREGATE, "BTC", [HOURS[1], HOURS[2], HOURS[2]])
    assert stale.pending(connection, stale.AGGREGATE, "BTC") == HOURS[1:4]
    assert stale.pending(connection, stale.AGGREGATE, "BTC", limit=2) == HOURS[2:4]


def test_consumers_and_bases_are_apart(connection: Connection) -> None:
    stale.mark(connection, stale.AGGREGATE, "BTC", HOURS)
    stale.mark(connection, stale.VOLUME_PROFILE, "BTC", HOURS[:2])
    stale.clear(connection, stale.AGGREGATE, "BTC", HOURS[:4])
    assert stale.pending(connection, stale.AGGREGATE, "BTC") == HOURS[4:]
    assert stale.pending(connection, stale.VOLUME_PROFILE, "BTC") == HOURS[:2]
    assert stale.pending(connection, stale.AGGREGATE, "ETH") == []


def test_nothing_is_nothing(connection: Connection) -> None:
    stale.mark(connection, stale.AGGREGATE, "BTC", [])
    stale.clear(connection, stale.AGGREGATE, "BTC", [])
    assert stale.pending(connection, stale.AGGREGATE, "BTC") == []


def test_days_of_an_instrument_are_made_by_one_at_a_time(database_url: str) -> None:
    day = Window(START, START + DAY)
    with transaction(database_url) as one, transaction(database_url) as other:
        other.execute("SET lock_timeout = '50ms'")
        stale.make_alone(one, "BTC", Window(day.start, day.end + 5 * HOUR))
        stale.make_alone(other, "ETH", day)
        stale.make_alone(other, "BTC", Window(day.end + DAY, day.end + 2 * DAY))
        with pytest.raises(psycopg.errors.LockNotAvailable):
            stale.make_alone(other, "BTC", Window(day.end + 7 * HOUR, day.end + DAY))
        other.rollback()
