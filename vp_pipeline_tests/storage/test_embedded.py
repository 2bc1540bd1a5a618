import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import psycopg
import pytest
from sqlalchemy import create_engine, text

from vp_pipeline.storage import embedded, programs
from vp_pipeline.storage.embedded import EmbeddedPostgres, EmbeddedPostgresError


@pytest.fixture
def empty() -> Iterator[Path]:
    """A folder for a first start; what runs there at the end is stopped."""
    with tempfile.TemporaryDirectory(prefix="vp-tests-") as name:
        folder = Path(name) / "it's here"
        yield folder
        if (folder / "data" / "postmaster.pid").exists():
            embedded.start(folder).stop()


@pytest.fixture(scope="module")
def stopped() -> Iterator[Path]:
    """A folder that was started once."""
    with tempfile.TemporaryDirectory(prefix="vp-tests-") as name:
        embedded.start(Path(name)).stop()
        yield Path(name)


@pytest.fixture
def folder(empty: Path, stopped: Path) -> Path:
    """A folder of its own that was started before."""
    subprocess.run(["cp", "-a", stopped, empty], check=True)
    (empty / "postgres.log").unlink()
    return empty


def postmaster(server: EmbeddedPostgres) -> psutil.Process:
    return psutil.Process(int((server.folder / "data" / "postmaster.pid").read_text().splitlines()[0]))


def ask(server: EmbeddedPostgres, query: str) -> object:
    with psycopg.connect(server.url("postgres")) as connection:
        row = connection.execute(query.encode()).fetchone()
    return row[0] if row else None


def ended(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def kill(process: psutil.Process) -> None:
    process.kill()
    while not ended(process):
        time.sleep(0.01)


def test_keeps_its_data_from_start_to_start(folder: Path) -> None:
    server = embedded.start(folder)
    with psycopg.connect(server.url("postgres")) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    first = postmaster(server)
    server.stop()
    assert ended(first)
    with pytest.raises(psycopg.OperationalError):
        ask(server, "SELECT 1")
    assert ask(embedded.start(folder), "SELECT answer FROM kept") == 42


def test_stop_breaks_off_sessions_and_can_be_repeated(folder: Path) -> None:
    server = embedded.start(folder)
    with psycopg.connect(server.url("postgres")) as connection:
        server.stop()
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")
    server.stop()


def test_is_a_small_private_server(folder: Path) -> None:
    server = embedded.start(folder)
    assert ask(server, "SHOW listen_addresses") == ""
    assert ask(server, "SHOW shared_buffers") == "128MB"
    assert ask(server, "SHOW max_connections") == "60"
    assert ask(server, "SHOW wal_compression") != "off"
    assert ask(server, "SHOW timezone") == "UTC"
    assert ask(server, "SELECT datlocale FROM pg_database WHERE datname = 'postgres'") == "C.UTF-8"
    assert (folder / "data").stat().st_mode & 0o077 == 0
    assert not [c for c in postmaster(server).net_connections("inet") if c.status == psutil.CONN_LISTEN]
    assert "ready to accept connections" in (folder / "postgres.log").read_text()


def test_own_settings_win(folder: Path) -> None:
    server = embedded.start(folder)
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET max_connections = 33")
    server.stop()
    assert ask(embedded.start(folder), "SHOW max_connections") == "33"


def test_a_running_server_is_used_again(folder: Path) -> None:
    first = embedded.start(folder)
    process = postmaster(first)
    again = embedded.start(folder)
    assert again == first
    assert postmaster(again) == process


def test_outlives_the_process_that_started_it(folder: Path) -> None:
    script = """
import pathlib, sys, time
from vp_pipeline.storage import embedded
embedded.start(pathlib.Path(sys.argv[1]))
print("started", flush=True)
time.sleep(60)
"""
    owner = subprocess.Popen([sys.executable, "-c", script, folder], stdout=subprocess.PIPE)
    assert owner.stdout is not None
    assert owner.stdout.readline() == b"started\n"
    os.kill(owner.pid, signal.SIGKILL)
    owner.wait()
    owner.stdout.close()
    process = psutil.Process(int((folder / "data" / "postmaster.pid").read_text().splitlines()[0]))
    assert postmaster(embedded.start(folder)) == process


def test_starts_after_a_kill(folder: Path) -> None:
    server = embedded.start(folder)
    with psycopg.connect(server.url("postgres")) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    # At once, while the killed server's children still hold its memory.
    os.kill(postmaster(server).pid, signal.SIGKILL)
    assert ask(embedded.start(folder), "SELECT answer FROM kept") == 42


def renumber(folder: Path, number: int) -> None:
    file = folder / "data" / "postmaster.pid"
    file.write_text("\n".join([str(number), *file.read_text().splitlines()[1:]]))


@pytest.mark.parametrize("whose", ["ours", "nobody's", "cut off"])
def test_a_stale_number_of_another_program_is_removed(folder: Path, whose: str) -> None:
    server = embedded.start(folder)
    kill(postmaster(server))
    if whose == "cut off":
        (folder / "data" / "postmaster.pid").write_text("")
    else:
        renumber(folder, os.getpid() if whose == "ours" else 2**22 + 1)
    assert ask(embedded.start(folder), "SELECT 1") == 1
    assert psutil.pid_exists(os.getpid())


def test_the_server_of_another_folder_is_not_taken_for_its_own(
    folder: Path, postgres_server: EmbeddedPostgres
) -> None:
    server = embedded.start(folder)
    kill(postmaster(server))
    other = postmaster(postgres_server)
    renumber(folder, other.pid)
    assert ask(embedded.start(folder), "SHOW data_directory") == str(folder.resolve() / "data")
    assert other.is_running()


def test_starts_at_once_end_with_one_server(empty: Path) -> None:
    with ThreadPoolExecutor(3) as pool:
        servers = list(pool.map(embedded.start, [empty] * 3))
    assert len({postmaster(server).pid for server in servers}) == 1
    assert (empty / "postgres.log").read_text().count("ready to accept connections") == 1


def test_an_interrupted_first_start_is_done_again(empty: Path) -> None:
    (empty / "data.new").mkdir(parents=True)
    (empty / "data.new" / "PG_VERSION").write_text("18\n")
    assert ask(embedded.start(empty), "SELECT 1") == 1


def test_a_long_folder_name_has_its_socket_elsewhere(empty: Path) -> None:
    deep = empty / ("d" * 120)
    server = embedded.start(deep)
    try:
        assert ask(server, "SHOW data_directory") == str(deep.resolve() / "data")
        assert server.sockets.stat().st_mode & 0o077 == 0
    finally:
        server.stop()


def test_address_quotes_names() -> None:
    server = EmbeddedPostgres(Path("/folder"), Path("/a folder&more/data"))
    assert server.url("a/b?") == "postgresql://postgres@/a%2Fb%3F?host=/a%20folder%26more/data&port=5432"


def test_variables_of_another_postgres_do_not_matter(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in [
        ("PGPORT", "5433"),
        ("PGHOST", "127.0.0.1"),
        ("PGUSER", "me"),
        ("PGDATA", "/nowhere"),
    ]:
        monkeypatch.setenv(name, value)
    server = embedded.start(folder)
    assert ask(server, "SHOW port") == "5432"
    for driver in ("psycopg", "psycopg2"):
        engine = create_engine(server.url("postgres").replace("postgresql:", f"postgresql+{driver}:"))
        with engine.connect() as connection:
            assert connection.scalar(text("SHOW data_directory")) == str(folder.resolve() / "data")
        engine.dispose()


def test_another_major_version_is_an_error(empty: Path) -> None:
    (empty / "data").mkdir(parents=True)
    (empty / "data" / "PG_VERSION").write_text("14\n")
    with pytest.raises(
        EmbeddedPostgresError, match="made by PostgreSQL 14, this is 18, and version 14 is not"
    ):
        embedded.start(empty)


def test_a_folder_that_cannot_be_made_is_an_error(empty: Path) -> None:
    empty.write_text("a file")
    with pytest.raises(EmbeddedPostgresError, match="choose a folder that this user may write to"):
        embedded.start(empty / "below")
    empty.unlink()


def test_bad_settings_are_an_error_with_the_log(folder: Path) -> None:
    server = embedded.start(folder)
    server.stop()
    with (folder / "data" / "postgresql.auto.conf").open("a") as file:
        file.write("max_connections = many\n")
    with pytest.raises(EmbeddedPostgresError, match='invalid value for parameter "max_connections"'):
        embedded.start(folder)


def test_an_installation_without_the_programs_is_an_error(
    empty: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(programs, "MAJOR", 99)
    with pytest.raises(EmbeddedPostgresError, match=r"PostgreSQL 99 is not part .* set VP_DATABASE_URL"):
        embedded.start(empty)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_works_as_an_ordinary_user(empty: Path) -> None:
    script = """
import encodings.idna, os, pathlib, pwd, sys
from vp_pipeline.storage import embedded
user = pwd.getpwnam("nobody")
os.setgroups([]); os.setgid(user.pw_gid); os.setuid(user.pw_uid)
server = embedded.start(pathlib.Path(sys.argv[1]))
print(os.stat(server.folder / "data" / "PG_VERSION").st_uid == user.pw_uid)
server.stop()
"""
    empty.mkdir()
    empty.parent.chmod(0o755)
    empty.chmod(0o777)
    done = subprocess.run([sys.executable, "-c", script, empty], capture_output=True, check=False)
    assert (done.stdout, done.stderr) == (b"True\n", b"")


def test_leaves_no_open_file(folder: Path) -> None:
    before = psutil.Process().num_fds()
    embedded.start(folder).stop()
    assert psutil.Process().num_fds() == before
