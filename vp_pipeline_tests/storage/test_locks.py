from pathlib import Path

import psycopg

import vp_pipeline
from vp_pipeline.storage.locks import Lock


def test_no_two_locks_have_one_number() -> None:
    # An enumeration makes the second of two equal numbers another name of the first.
    assert [lock.name for lock in Lock] == list(Lock.__members__)


def test_the_lock_of_migrations_is_the_one_that_other_versions_take() -> None:
    assert int(Lock.MIGRATION) == 7_620_518


def test_whoever_takes_an_advisory_lock_has_its_number_from_the_list() -> None:
    package = Path(vp_pipeline.__file__).parent
    texts = {file: file.read_text() for file in package.rglob("*.py") if file.name != "locks.py"}
    taking = {file.name: text for file, text in texts.items() if "pg_advisory" in text}
    assert "klines.py" in taking
    assert [name for name, text in taking.items() if "storage.locks import Lock" not in text] == []


def test_postgres_takes_a_lock_as_its_number(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("SELECT pg_advisory_xact_lock(%s, 5)", [Lock.KLINES])
        found = connection.execute(
            "SELECT classid::int8, objid::int8 FROM pg_locks"
            " WHERE locktype = 'advisory' AND pid = pg_backend_pid()"
        ).fetchall()
    assert found == [(Lock.KLINES, 5)]
