"""PostgreSQL's own programs for a database, as streams of bytes.

Here belongs running pg_dump and pg_restore. Passwords go through the environment, which other users
cannot read, never through arguments.
"""

import os
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import IO

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from vp_pipeline.storage import programs
from vp_pipeline.storage.address import plain
from vp_pipeline.upkeep.archive import CHUNK, BackupError

_VARIABLES = {
    "dbname": "PGDATABASE",
    "host": "PGHOST",
    "options": "PGOPTIONS",
    "password": "PGPASSWORD",
    "port": "PGPORT",
    "sslmode": "PGSSLMODE",
    "sslrootcert": "PGSSLROOTCERT",
    "user": "PGUSER",
}
# Where a password may come from if the address has none.
_SECRETS = frozenset({"PGPASSWORD", "PGPASSFILE"})


def beside(url: str, database: str) -> str:
    """The address of another database of the same server."""
    return make_conninfo(plain(url), dbname=database)


def dump(url: str, snapshot: str) -> Iterator[bytes]:
    """The database as of a snapshot, in pg_dump's compressed format, as it comes.

    Raises:
        BackupError: pg_dump fails.
    """
    options = ["--format=custom", "--compress=gzip:3", "--no-owner", "--no-privileges", "--no-blobs"]
    with _running("pg_dump", *options, f"--snapshot={snapshot}", url=url) as process:
        yield from _blocks(process)


def check(blocks: Iterable[bytes]) -> None:
    """Unpack a dump to nowhere: whether pg_restore can read all of it.

    Raises:
        BackupError: it cannot.
    """
    with _running("pg_restore", "--file=/dev/null") as process:
        _feed(process, blocks)


@contextmanager
def script(blocks: Iterable[bytes]) -> Iterator[IO[bytes]]:
    """The rows of a dump as pg_restore writes them, for a reader who runs none of it.

    Raises:
        BackupError: it cannot be read.
    """
    options = ["--file=-", "--section=data", "--no-owner", "--no-privileges"]
    with ThreadPoolExecutor(1) as thread, _running("pg_restore", *options) as unpack:
        feeding = thread.submit(_feed, unpack, blocks)
        yield _pipe(unpack.stdout)
        feeding.result()


@contextmanager
def _running(program: str, *arguments: str, url: str | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """A program with pipes on both sides, ended when the block is left.

    Raises:
        BackupError: it fails; the message has what it said.
    """
    # A file, since a pipe that nobody reads would fill up.
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(  # noqa: S603  # programs of our own installation
            [str(programs.path(program)), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=said,
            env=_environment(url),
        )
        try:
            yield process
            _close(process)
        except BaseException:
            process.kill()
            raise
        finally:
            _close(process)
            process.wait()
        if process.returncode:
            said.seek(0)
            text = " ".join(said.read().decode(errors="replace").split())
            raise BackupError(f"{program} failed with status {process.returncode}: {text}")


def _close(process: subprocess.Popen[bytes]) -> None:
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with suppress(BrokenPipeError):  # its own status says why it ended
                pipe.close()


def _environment(url: str | None) -> dict[str, str]:
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith("PG") or name in _SECRETS
    }
    parts = {} if url is None else conninfo_to_dict(plain(url))
    given = {variable: str(parts[name]) for name, variable in _VARIABLES.items() if parts.get(name)}
    return {**kept, **given, "LC_ALL": "C"}


def _blocks(process: subprocess.Popen[bytes]) -> Iterator[bytes]:
    pipe = _pipe(process.stdout)
    while block := pipe.read(CHUNK):
        yield block


def _feed(process: subprocess.Popen[bytes], blocks: Iterable[bytes]) -> None:
    """Write all blocks to a program. One that does not want them all says why by its status."""
    pipe = _pipe(process.stdin)
    try:
        with suppress(BrokenPipeError):
            for block in blocks:
                pipe.write(block)
    finally:
        with suppress(BrokenPipeError):
            pipe.close()


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:
        raise BackupError("a program was started without a pipe")
    return pipe
