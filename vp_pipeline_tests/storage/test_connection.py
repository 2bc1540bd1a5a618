"""Transactions that wait for each other."""

import threading
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from vp_pipeline.storage.connection import ATTEMPTS, Connection, in_transaction, transaction


def test_of_two_that_wait_for_each_other_both_are_done(database_url: str) -> None:
    with transaction(database_url) as connection:
        connection.execute("CREATE TABLE counted (name text PRIMARY KEY, times int NOT NULL)")
        connection.execute("INSERT INTO counted VALUES ('a', 0), ('b', 0)")
    both_hold_one, begun = threading.Barrier(2), {"ab": 0, "ba": 0}

    def count(order: str, connection: Connection) -> str:
        begun[order] += 1
        for name in order:
            connection.execute("UPDATE counted SET times = times + 1 WHERE name = %s", [name])
            if name == order[0] and begun[order] == 1:
                both_hold_one.wait(20)
        return order

    with ThreadPoolExecutor(2) as pool:
        done = pool.map(lambda order: in_transaction(database_url, lambda c: count(order, c)), ("ab", "ba"))
        assert list(done) == ["ab", "ba"]
    assert sorted(begun.values()) == [1, 2]
    with transaction(database_url) as connection:
        assert connection.execute("SELECT times FROM counted").fetchall() == [(2,), (2,)]
        connection.execute("DROP TABLE counted")


def test_one_that_always_ends_in_a_deadlock_is_told(database_url: str) -> None:
    times = 0

    def work(_: Connection) -> None:
        nonlocal times
        times += 1
        raise psycopg.errors.DeadlockDetected("again")

    with pytest.raises(psycopg.errors.DeadlockDetected):
        in_transaction(database_url, work)
    assert times == ATTEMPTS
