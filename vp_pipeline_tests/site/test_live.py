"""Word of changes: told once, within moments, after any break too; and readers that can only read."""

import asyncio
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
import requests

from vp_pipeline.settings import Settings
from vp_pipeline.storage import latest, rows
from vp_pipeline.storage.connection import transaction
from vp_pipeline.storage.latest import Minute
from vp_pipeline.storage.tables import AGGREGATE
from vp_pipeline.windows import MINUTE
from vp_pipeline_tests.site import seed
from vp_pipeline_tests.site.conftest import reading, serving

END = datetime(2023, 3, 12, tzinfo=UTC)


class Stream:
    """Events of an instrument as they come in."""

    def __init__(self, address: str, query: str = "", last: str | None = None) -> None:
        headers = {} if last is None else {"Last-Event-ID": last}
        url = f"{address}/live?instrument=BTC{query}"
        self.answer = requests.get(url, headers=headers, stream=True, timeout=10)
        self._lines = self.answer.iter_lines(chunk_size=1)
        self.told: dict[str, Any] = {}

    def __iter__(self) -> Iterator[tuple[str, int | None]]:
        kind = ""
        for line in self._lines:
            name, _, value = line.decode().partition(": ")
            if name == "event":
                kind = value
            elif name == "data":
                self.told = json.loads(value)
                yield kind, self.told["number"]

    def next(self) -> tuple[str, int | None]:
        return next(iter(self))

    def until(self, kind: str) -> int | None:
        return next(number for found, number in self if found == kind)

    def __enter__(self) -> "Stream":
        return self

    def __exit__(self, *_: object) -> None:
        self.answer.close()


@pytest.fixture(autouse=True)
def number(address: str, database_url: str) -> int:
    """What is there, and how often it has changed, as the site has heard."""
    _store(database_url, 120)
    now = _number(database_url)
    with Stream(address) as stream:
        while stream.until("change") != now:
            pass
    return now


def _store(url: str, count: int) -> None:
    with transaction(url) as connection:
        rows.replace(connection, AGGREGATE, seed.minutes(END - count * MINUTE, count), {"base": "BTC"})


def _number(url: str) -> int:
    with psycopg.connect(url) as connection:
        [(found,)] = connection.execute("SELECT number FROM site.change WHERE base = 'BTC'").fetchall()
    return int(found)


def test_a_commit_is_told_within_a_second(address: str, database_url: str, number: int) -> None:
    with Stream(address, f"&after={number}") as stream:
        before = time.monotonic()
        _store(database_url, 121)
        assert stream.next() == ("change", _number(database_url))
        assert time.monotonic() - before < 1
    assert stream.answer.headers["content-type"].startswith("text/event-stream")
    assert "content-encoding" not in stream.answer.headers


def test_what_is_not_committed_is_not_told(address: str, database_url: str, number: int) -> None:
    with Stream(address, f"&after={number}") as stream:
        with psycopg.connect(database_url) as connection:
            connection.execute("UPDATE aggregate SET volume = 1 WHERE base = 'BTC'")
            connection.rollback()
        with psycopg.connect(database_url) as connection:
            connection.execute("UPDATE aggregate SET volume = 2 WHERE base = 'BTC'")
        assert stream.next() == ("change", number + 1)


@pytest.mark.parametrize("way", ["header", "query"])
def test_who_comes_back_is_told_what_it_missed(address: str, number: int, way: str) -> None:
    heard = str(number - 1)
    stream = Stream(address, last=heard) if way == "header" else Stream(address, f"&after={heard}")
    with stream:
        # On a busy machine the site itself hears of the changes before only now.
        while (told := stream.next()) != ("change", number):
            assert told[0] == "change"
            assert (told[1] or 0) < number


def test_a_cut_database_is_said_and_nothing_is_lost(address: str, database_url: str, number: int) -> None:
    with Stream(address, f"&after={number}") as stream:
        with psycopg.connect(database_url, autocommit=True) as connection:
            _wait_for_listener(connection)
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND query LIKE '%FROM site.change'"
            )
        _store(database_url, 122)
        assert stream.until("change") == _number(database_url)


def _wait_for_listener(connection: psycopg.Connection[tuple[object, ...]]) -> None:
    query = "SELECT 1 FROM pg_stat_activity WHERE query LIKE '%FROM site.lead_read%' AND state = 'idle'"
    for _ in range(100):
        if connection.execute(query).fetchone():
            return
        time.sleep(0.05)
    raise AssertionError("nobody listens")


def test_open_streams_do_not_hold_up_the_stop(settings: Settings, number: int) -> None:
    with serving(settings) as url:
        stream = Stream(url, f"&after={number - 1}")
        stream.next()
        before = time.monotonic()
    assert time.monotonic() - before < 2
    stream.answer.close()


def test_minutes_between_ticks_reach_who_is_there_and_who_comes(address: str, database_url: str) -> None:
    minute = Minute(END, 100.0, 102.0, 99.0, 101.0, 3.5, closed=False)

    def polled(*minutes: Minute) -> None:
        async def work() -> None:
            async with await psycopg.AsyncConnection.connect(database_url) as connection:
                await latest.replace(connection, "BTC", "kraken BTC/USD", minutes, datetime.now(UTC))

        asyncio.run(work())

    with Stream(address, f"&after={_number(database_url)}") as stream:
        polled(minute)
        assert stream.next()[0] == "fresh"
    with Stream(address) as stream:
        stream.until("fresh")
        [told] = stream.told["minutes"]
        assert (told["open_time"], told["close"], told["closed"]) == (END.isoformat(), 101.0, False)
        assert (stream.told["market"], stream.told["trouble"]) == ("kraken BTC/USD", "")
        polled(minute._replace(close=101.5, closed=True))
        stream.until("fresh")
        assert [one["close"] for one in stream.told["minutes"]] == [101.5]
    served = requests.get(f"{address}/api/v1/latest?instrument=BTC", timeout=10).json()
    assert (served["provisional"], [row["close"] for row in served["rows"]]) == (True, [101.5])
    never = requests.get(f"{address}/api/v1/latest?instrument=ETH", timeout=10).json()
    assert (never["read_at"], never["rows"]) == (None, [])
    with psycopg.connect(database_url) as connection:
        connection.execute("TRUNCATE site.lead_minute, site.lead_read")


def test_an_unknown_instrument_has_no_stream(address: str) -> None:
    assert requests.get(f"{address}/live?instrument=DOGE", timeout=10).status_code == 404


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM aggregate",
        "INSERT INTO installation VALUES ('live')",
        "UPDATE site.change SET number = 0",
        "CREATE TABLE here (one int)",
        "DROP TABLE candle",
        "SELECT * FROM candle FOR UPDATE",
        "COPY aggregate TO '/tmp/out'",
    ],
)
def test_the_sites_role_can_only_select(settings: Settings, statement: str) -> None:
    with reading(settings) as connection:
        # By its settings alone it could do what any connection may ask to be allowed.
        connection.commit()
        connection.execute("SET TRANSACTION READ WRITE")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(statement)
        connection.rollback()


def test_without_the_role_connections_are_read_only_still(settings: Settings) -> None:
    with reading(settings) as connection:
        assert connection.execute("SELECT current_user").fetchone() == ("vp_reader",)
        connection.execute("RESET ROLE")
        connection.commit()
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            connection.execute("DELETE FROM aggregate")
        connection.rollback()


def test_every_table_can_be_read_by_the_role(settings: Settings) -> None:
    with reading(settings) as connection:
        names = connection.execute(
            "SELECT format('%I.%I', schemaname, relname) FROM pg_stat_user_tables WHERE relname !~ '^candle_'"
        ).fetchall()
        assert len(names) > 20
        for (name,) in names:
            connection.execute(f"SELECT 1 FROM {name} LIMIT 1")
