"""Fixtures every test folder shares; those of one folder live beside its tests."""

import os
import signal
import tempfile
from collections.abc import Generator, Iterator
from itertools import count
from pathlib import Path

# All of ccxt, before anything of ours imports it without its exchanges: some tests use those directly.
import ccxt.async_support  # noqa: F401
import psycopg
import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

from vp_pipeline.storage import embedded, migrate

REPOSITORY = Path(__file__).resolve().parent.parent

_numbers = count(1)

# A shell has what it starts in the background ignore SIGINT. Dagster takes that over for SIGTERM when it runs
# anything here, and every program that a test starts later would inherit both.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _no_signal_stays_blocked() -> Iterator[None]:
    """Whatever is started later in this process would inherit that."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    yield
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before


@pytest.fixture(scope="session")
def recorded_data() -> Path:
    """The folder of recorded market data, or a skip that says how to provide it."""
    folder = Path(os.environ.get("VP_RECORDED_DATA", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no recorded market data in {folder}: set VP_RECORDED_DATA to a replay folder")
    return folder


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[embedded.EmbeddedPostgres]:
    """A PostgreSQL server for this test run; `postgres_server.url(name)` is a database's address."""
    # Not pytest's folder: as root the server runs as another user, whom pytest would lock out again.
    with tempfile.TemporaryDirectory(prefix="vp-tests-") as folder:
        server = embedded.start(Path(folder))
        try:
            with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
                connection.execute("ALTER SYSTEM SET fsync = off")
                connection.execute("SELECT pg_reload_conf()")
            yield server
        finally:
            server.stop()


@pytest.fixture(scope="session")
def migrated(postgres_server: embedded.EmbeddedPostgres) -> str:
    """Name of a database with the current schema, which nobody changes: a copy is there at once."""
    name = "test_template"
    migrate.create_database(postgres_server.url(name))
    migrate.upgrade(postgres_server.url(name))
    return name


@pytest.fixture(scope="module")
def database_url(postgres_server: embedded.EmbeddedPostgres, migrated: str) -> Iterator[str]:
    """Address of a fresh database with the current schema, for the tests of one module."""
    name = f"test_{next(_numbers)}"
    with psycopg.connect(postgres_server.url("postgres"), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {migrated}")
        yield postgres_server.url(name)
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest begins first."""
    items.sort(key=lambda item: item.get_closest_marker("platform") is None)


class Scheduling(LoadFileScheduling):  # type: ignore[misc]  # xdist has no types
    """A file's tests stay in one process, and all of `e2e`, which look at one platform."""

    def _split_scope(self, nodeid: str) -> str:
        folder, found, _ = nodeid.partition("/e2e/")
        return folder if found else str(super()._split_scope(nodeid))


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Scheduling:
    return Scheduling(config, log)


def _forbid_skip(report: pytest.CollectReport | pytest.TestReport) -> None:
    """With VP_NO_SKIPS a skip is a failure, with its reason; an expected failure is none."""
    if report.skipped and not hasattr(report, "wasxfail") and os.environ.get("VP_NO_SKIPS"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longreprtext
        report.outcome = "failed"
        report.longrepr = f"{reason} (VP_NO_SKIPS is set: nothing may be skipped)"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    _forbid_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    _forbid_skip(report)
    return report
