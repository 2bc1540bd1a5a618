"""The database of an installation for a command, whether the platform runs or not.

Here belongs finding it, and starting its server for as long as commands need it. Starting it for good
is the platform's part, the schema that of `migrate`.
"""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from vp_pipeline.storage import embedded, lock_files

# Names under an installation's folder.
SERVER = "postgres"
DATABASE = "vp"
# Commands share this file while they use a server that one of them has started, which it then says.
_USERS = "commands"
_STARTED = "started by a command\n"


class AccessError(RuntimeError):
    """There is no database to work on; the message says where one was looked for and what to do."""


@contextmanager
def database(home: Path, url: str | None = None) -> Iterator[str]:
    """The address of the installation's database: `url` if given, else that of the server in `home`.

    A server that runs is used and left running. Otherwise it is started, and stopped by the last
    command that used it, unless a platform has begun to use it too.

    Raises:
        AccessError: the folder holds no database, or cannot be used.
        EmbeddedPostgresError: the server does not start.
    """
    if url is not None:
        yield url
        return
    folder = home.resolve() / SERVER
    if not (folder / "data").is_dir():
        raise AccessError(
            f"{home} holds no database: start the platform with `vp up` first, "
            "name another folder in VP_HOME, or a database in VP_DATABASE_URL"
        )
    with _open(folder / _USERS) as users:
        fcntl.flock(users, fcntl.LOCK_SH)
        server = embedded.running(folder)
        if server is None:
            users.write(_STARTED)
            users.flush()
            server = embedded.start(folder)
        try:
            yield server.url(DATABASE)
        finally:
            _leave(users, server, home.resolve())


def _leave(users: IO[str], server: embedded.EmbeddedPostgres, home: Path) -> None:
    """Stop what a command has started, if nobody else uses it."""
    if not lock_files.take(users):
        return
    users.seek(0)
    started = users.read() != ""
    users.truncate(0)
    if started:
        # A platform that would start meanwhile is refused rather than left without its server.
        with _open(home / lock_files.PLATFORM) as platform:
            if lock_files.take(platform):
                server.stop()


def _open(path: Path) -> IO[str]:
    try:
        return path.open("a+")
    except OSError as error:
        raise AccessError(
            f"{error.filename}: {error.strerror}: choose a folder in VP_HOME that this user may write to"
        ) from error
