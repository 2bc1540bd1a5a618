"""A cluster of an older PostgreSQL becomes one of today's with everything in it, whatever breaks off."""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from vp_pipeline.storage import embedded, major_upgrade, migrate, programs, roles
from vp_pipeline.storage.embedded import EmbeddedPostgresError

OLD = 16
LOCALE = ("--encoding=UTF8", "--locale=C")


@pytest.fixture
def folder(killed: Path) -> Iterator[Path]:
    """A copy of that folder."""
    with tempfile.TemporaryDirectory(prefix="vp-old-") as name:
        place = Path(name)
        subprocess.run(["cp", "-a", f"{killed}/.", str(place)], check=True)
        yield place
        if server := embedded.running(place):
            server.stop()


@pytest.fixture(scope="module")
def killed() -> Iterator[Path]:
    """The folder of an older version's server, which was killed while it ran."""
    older = programs.folder(OLD)
    assert older is not None
    with tempfile.TemporaryDirectory(prefix="vp-old-") as name:
        place = Path(name)
        data, own = place / "data", programs.server_user()
        if os.geteuid() == 0:
            programs.let_server_user_in(place)
        data.mkdir(mode=0o700)
        os.chown(data, own.pw_uid, own.pw_gid)
        programs.run("initdb", "-D", data, "-U", "postgres", "--auth=trust", *LOCALE, cwd=data, folder=older)
        options = f"-c listen_addresses='' -c unix_socket_directories='{data}' -c shared_buffers=16MB"
        log = data / "log"
        start = ("pg_ctl", "start", "-D", data, "-w", "-l", log, "-o", options)
        programs.run(*map(str, start), cwd=data, folder=older)
        url = embedded.EmbeddedPostgres(place, data).url("vp")
        migrate.create_database(url)
        migrate.upgrade(url)
        roles.create(url, {})
        roles.grant(url)
        with psycopg.connect(url) as connection:
            connection.execute("INSERT INTO market (exchange, symbol) VALUES ('kraken', 'BTC/USD')")
            connection.execute(
                "INSERT INTO candle (market_id, provisional, open_time, open, high, low, close, volume)"
                " SELECT 1, false, '2024-01-01Z'::timestamptz + n * interval '1 minute', 1, 2, 0.5, 1.5, n"
                " FROM generate_series(1, 5000) AS n"
            )
        os.kill(int((data / "postmaster.pid").read_text().split()[0]), signal.SIGKILL)
        yield place


def _holds_everything(server: embedded.EmbeddedPostgres) -> None:
    with psycopg.connect(server.url("vp", roles.WRITER)) as connection:
        assert connection.info.server_version // 10_000 == programs.MAJOR
        query = "SELECT count(*), sum(volume), max(open_time)::text FROM candle"
        assert connection.execute(query).fetchone() == (5000, 12_502_500.0, "2024-01-04 11:20:00+00")
        connection.execute("INSERT INTO market (exchange, symbol) VALUES ('okx', 'BTC/USDT')")


def test_it_starts_as_todays_and_keeps_the_old(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    server = embedded.start(folder)
    _holds_everything(server)
    kept = folder / f"data.{OLD}"
    assert (kept / "PG_VERSION").read_text().strip() == str(OLD)
    assert f"the old cluster is in {kept} and may be deleted" in caplog.text
    assert not (folder / "data.new").exists()
    server.stop()
    shutil.rmtree(kept)
    with psycopg.connect(embedded.start(folder).url("vp")) as connection:
        assert connection.execute("SELECT count(*) FROM market").fetchone() == (2,)


@pytest.mark.parametrize("point", ["initdb", "pg_upgrade", "rename"])
def test_broken_off_anywhere_it_is_done_at_the_next_start(
    folder: Path, point: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class CutError(Exception):
        """The power fails."""

    run = programs.run

    def failing(program: str, *arguments: str | Path | int, cwd: Path, folder: Path | None = None) -> str:
        said = run(program, *arguments, cwd=cwd, folder=folder)
        if program == point:
            raise CutError
        return said

    def cut(_data: Path) -> None:
        if (folder / "data.new").exists():
            raise CutError

    with monkeypatch.context() as patch:
        patch.setattr(programs, "run", failing)
        if point == "rename":
            patch.setattr(major_upgrade, "finish", cut)
        with pytest.raises(CutError):
            embedded.start(folder)
    _holds_everything(embedded.start(folder))


def test_without_room_nothing_is_begun(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(folder)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1_000_000))
    with pytest.raises(EmbeddedPostgresError, match=r"takes .* MB beside it, and 1 MB are free"):
        embedded.start(folder)
    assert (folder / "data" / "PG_VERSION").read_text().strip() == str(OLD)
    monkeypatch.undo()
    _holds_everything(embedded.start(folder))
