"""A PostgreSQL server of one's own: unpacked with the package, private to one folder.

Here belong starting and stopping that server and the settings of a small machine. Databases and
their schema are for `migrate`. A server that somebody else runs needs nothing of this.

The folder holds `data` (the cluster), `postgres.log` and `lock`. The server listens on a unix socket
in a directory that only its owner can enter, never on a network address. It outlives the process
that started it; whoever owns the folder stops it.
"""

import fcntl
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psutil
import psycopg

from vp_pipeline.storage import major_upgrade, programs
from vp_pipeline.storage.programs import EmbeddedPostgresError

__all__ = ["EmbeddedPostgres", "EmbeddedPostgresError", "running", "start", "tail"]

# Crash recovery and the last checkpoint can take minutes on a memory card.
_PATIENCE = 300
_ATTEMPTS = 3
# Linux allows 107 bytes, macOS 103.
_LONGEST_SOCKET = 103
_SOCKET = ".s.PGSQL.5432"

_CONFIGURATION = """\
# Written anew at each start. Settings of your own: ALTER SYSTEM, which wins over this file.
listen_addresses = ''
port = 5432
unix_socket_directories = '{sockets}'
unix_socket_permissions = 0700
max_connections = 60
# A market has a partition of its own, and a statement over all of them locks each with its index.
max_locks_per_transaction = 256
shared_buffers = 128MB
max_wal_size = 512MB
wal_compression = on
checkpoint_timeout = 15min
# What need not wait for the disk, Dagster's log, goes there every five seconds and not five times a second.
wal_writer_delay = 5s
io_method = sync
max_logical_replication_workers = 0
jit = off
timezone = 'UTC'
log_timezone = 'UTC'
log_checkpoints = off
"""


@dataclass(frozen=True)
class EmbeddedPostgres:
    """A running server."""

    folder: Path
    sockets: Path

    def url(self, database: str, role: str = "postgres") -> str:
        """Connection address of a database, as psycopg takes it; by default its owner's."""
        # The port is said, or libpq would take it from PGPORT.
        return f"postgresql://{role}@/{quote(database, safe='')}?host={quote(str(self.sockets))}&port=5432"

    def process(self) -> psutil.Process | None:
        """The server's first process; None if it has ended.

        Raises:
            EmbeddedPostgresError: the server cannot be told from another user's program.
        """
        return _postmaster(self.folder / "data")

    def stop(self) -> None:
        """Break off all sessions, write everything to disk and wait until that is done.

        Raises:
            EmbeddedPostgresError: the server does not stop.
        """
        data = self.folder / "data"
        with _lock(self.folder):
            if _postmaster(data) is not None:
                programs.run("pg_ctl", "stop", "-D", data, "-m", "fast", "-w", "-t", _PATIENCE, cwd=data)


def start(folder: Path) -> EmbeddedPostgres:
    """The server of this folder: the one that runs there already, or else a new one.

    The first start makes the cluster. A start after a crash recovers it. Several starts at once end
    with one server.

    Raises:
        EmbeddedPostgresError: the folder cannot be used, or the server does not start.
    """
    folder = folder.resolve()
    data = folder / "data"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _lock(folder):
            for _ in range(_ATTEMPTS):
                if _postmaster(data) is None:
                    _start(folder, data)
                server = _ready(folder, data)
                if server is not None:
                    return server
    except OSError as error:
        raise EmbeddedPostgresError(
            f"PostgreSQL in {folder}: {error.strerror or error} ({error.filename}): "
            "choose a folder that this user may write to"
        ) from error
    raise EmbeddedPostgresError(f"PostgreSQL in {folder} ends as soon as it runs: see {folder}/postgres.log")


def running(folder: Path) -> EmbeddedPostgres | None:
    """The server of this folder if one runs and answers; nothing is started."""
    folder = folder.resolve()
    return _ready(folder, folder / "data")


def _start(folder: Path, data: Path) -> None:
    if os.geteuid() == 0:
        programs.let_server_user_in(folder)
    major_upgrade.finish(data)
    if not data.exists():
        _make_cluster(data)
    if (data / "PG_VERSION").read_text().strip() != str(programs.MAJOR):
        _clear_remains(data, _sockets(data))
        major_upgrade.upgrade(data)
    sockets = _sockets(data)
    _clear_remains(data, sockets)
    own = programs.server_user()
    log = folder / "postgres.log"
    log.touch()
    configuration = data / "vp.conf"
    configuration.write_text(_CONFIGURATION.format(sockets=str(sockets).replace("'", "''")))
    for file in (log, configuration):
        shutil.chown(file, own.pw_uid, own.pw_gid)
    try:
        programs.run("pg_ctl", "start", "-D", data, "-l", log, "-w", "-t", _PATIENCE, "-s", cwd=data)
    except EmbeddedPostgresError as error:
        raise EmbeddedPostgresError(f"{error}\nThe last lines of {log}:\n{tail(log, 8)}") from error


def _make_cluster(data: Path) -> None:
    # Under another name until it is whole: an interrupted initdb leaves what no server starts from.
    new = data.with_name("data.new")
    programs.make_cluster(new)
    new.rename(data)


def _postmaster(data: Path) -> psutil.Process | None:
    """The process of the server that runs on this cluster, whoever started it."""
    try:
        number = int((data / "postmaster.pid").read_text().split("\n", 1)[0])
        process = psutil.Process(number)
        command = process.cmdline()
    except (FileNotFoundError, psutil.NoSuchProcess, psutil.ZombieProcess):
        return None
    except ValueError:
        return None  # being written, or cut off by a power failure
    except psutil.AccessDenied as error:
        raise EmbeddedPostgresError(
            f"{data}/postmaster.pid names process {number} of another user: "
            "stop it if it is a PostgreSQL server, else delete that file"
        ) from error
    # Not the first word alone: where another processor is emulated, the emulator stands before the program.
    is_ours = any(Path(word).name == "postgres" for word in command[:3]) and str(data) in command
    return process if is_ours else None


def _clear_remains(data: Path, sockets: Path) -> None:
    """Remove what a killed server left behind, once its last process has ended.

    The server itself asks only whether the number in these files is some process, and would not start
    if another program, or a dead process that nobody has reaped, has that number.
    """
    remains = [file for file in (data / "postmaster.pid", sockets / f"{_SOCKET}.lock") if file.exists()]
    if not remains:
        return
    deadline = time.monotonic() + _PATIENCE
    while orphans := _orphans(data):
        if time.monotonic() > deadline:
            numbers = ", ".join(map(str, orphans))
            raise EmbeddedPostgresError(f"processes {numbers} of a killed server still use {data}: end them")
        time.sleep(0.05)
    for file in remains:
        file.unlink()


def _orphans(data: Path) -> list[int]:
    """Processes of a killed server; those already dead but not reaped have no working directory."""
    return [
        process.pid
        for process in psutil.process_iter(["name", "cwd"])
        if process.info["name"] == "postgres" and process.info["cwd"] == str(data)
    ]


def _ready(folder: Path, data: Path) -> EmbeddedPostgres | None:
    """The server once it answers; None if it ends before, as one does that was just killed."""
    deadline = time.monotonic() + _PATIENCE
    while _postmaster(data) is not None:
        lines = (data / "postmaster.pid").read_text().splitlines()
        if len(lines) >= 8 and lines[7].strip() == "ready":
            server = EmbeddedPostgres(folder, Path(lines[4]))
            with suppress(psycopg.OperationalError), psycopg.connect(server.url("postgres")):
                return server
        if time.monotonic() > deadline:
            raise EmbeddedPostgresError(
                f"PostgreSQL in {folder} does not answer after {_PATIENCE} s: see {folder}/postgres.log"
            )
        time.sleep(0.05)
    return None


def _sockets(data: Path) -> Path:
    if len(os.fsencode(data / _SOCKET)) <= _LONGEST_SOCKET:
        return data
    name = hashlib.sha256(os.fsencode(data)).hexdigest()[:12]
    folder, own = Path(tempfile.gettempdir()) / f"vp-{name}", programs.server_user()
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.is_symlink() or folder.stat().st_uid not in (os.geteuid(), own.pw_uid):
        raise EmbeddedPostgresError(
            f"{folder} belongs to another user: remove it or use a shorter folder name"
        )
    folder.chmod(0o700)
    os.chown(folder, own.pw_uid, own.pw_gid)
    return folder


def tail(log: Path, lines: int) -> str:
    """The last lines of a log."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])


@contextmanager
def _lock(folder: Path) -> Iterator[None]:
    with (folder / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
