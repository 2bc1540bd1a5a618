"""A command's way to the database of an installation."""

import fcntl
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from vp_pipeline.storage import access, embedded, migrate
from vp_pipeline.storage.access import AccessError


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """An installation whose platform has run and ended."""
    with tempfile.TemporaryDirectory(prefix="vp-tests-") as name:
        server = embedded.start(Path(name) / "postgres")
        migrate.create_database(server.url("vp"))
        server.stop()
        yield Path(name)
        embedded.start(Path(name) / "postgres").stop()


def runs(home: Path) -> bool:
    return embedded.running(home / "postgres") is not None


def answers(url: str) -> bool:
    with psycopg.connect(url) as connection:
        return connection.execute("SELECT current_database()").fetchone() == ("vp",)


def test_a_given_address_is_taken_as_it_is(tmp_path: Path) -> None:
    with access.database(tmp_path / "none", "postgresql://elsewhere/vp") as url:
        assert url == "postgresql://elsewhere/vp"


def test_a_stopped_server_is_started_and_stopped_again(home: Path) -> None:
    for _ in range(2):
        with access.database(home) as url:
            assert answers(url)
        assert not runs(home)


def test_it_is_stopped_also_when_the_command_fails(home: Path) -> None:
    with pytest.raises(ZeroDivisionError), access.database(home):
        raise ZeroDivisionError
    assert not runs(home)


def test_a_running_server_is_left_running(home: Path) -> None:
    server = embedded.start(home / "postgres")
    with access.database(home) as url:
        assert url == server.url("vp")
    assert runs(home)
    server.stop()


def test_the_last_command_stops_it(home: Path) -> None:
    with access.database(home) as second:
        with access.database(home) as first:
            assert first == second
        assert answers(second)
    assert not runs(home)
    first_command, second_command = access.database(home), access.database(home)
    first_command.__enter__()
    url = second_command.__enter__()
    first_command.__exit__(None, None, None)
    assert answers(url), "whoever started it has ended, another still works"
    second_command.__exit__(None, None, None)
    assert not runs(home)


def test_a_platform_that_has_come_keeps_it(home: Path) -> None:
    with (home / "lock").open("w") as lock:
        with access.database(home):
            fcntl.flock(lock, fcntl.LOCK_EX)
        assert runs(home)
        with access.database(home):
            pass
        assert runs(home)
    embedded.start(home / "postgres").stop()


def test_a_folder_without_a_database_is_named(tmp_path: Path) -> None:
    message = rf"{tmp_path} holds no database: start the platform .*VP_HOME.*VP_DATABASE_URL"
    with pytest.raises(AccessError, match=message), access.database(tmp_path):
        pass
    assert list(tmp_path.iterdir()) == [], "nothing is left behind"
