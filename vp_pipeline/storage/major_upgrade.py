"""Bringing an embedded cluster that an older PostgreSQL made to the version of today.

Here belongs doing it with pg_upgrade, so that a crash at any instant leaves either the old cluster or the new
one. The old one stays beside it, under its version's name, for as long as its owner wants it.
"""

import logging
import os
import re
import shutil
from pathlib import Path

from vp_pipeline.storage import programs
from vp_pipeline.storage.programs import EmbeddedPostgresError

LOG = logging.getLogger(__name__)
_NEW, _WHOLE = "data.new", "upgraded"


def upgrade(data: Path) -> None:
    """Replace the cluster in `data`, on which no server runs, by the same of today's version.

    The old one becomes `data.<version>` beside it.

    Raises:
        EmbeddedPostgresError: the programs of that version are not part of this installation, there is
            no room, or pg_upgrade refuses; the old cluster is as it was.
    """
    major = int((data / "PG_VERSION").read_text())
    kept = data.with_name(f"data.{major}")
    if kept.exists():
        raise EmbeddedPostgresError(f"{kept} is in the way of upgrading {data}: move it elsewhere")
    older = programs.folder(major)
    if older is None or major > programs.MAJOR:
        raise EmbeddedPostgresError(
            f"{data} was made by PostgreSQL {major}, this is {programs.MAJOR}, and version {major} is not "
            "part of this installation: restore a backup of `vp backup` into another folder, "
            "or start with the version of vp-pipeline that made it"
        )
    _has_room(data)
    LOG.warning("%s: upgrading from PostgreSQL %s to %s", data, major, programs.MAJOR)
    new = data.with_name(_NEW)
    _end_cleanly(data, older)
    sums = "--data-checksums" if _has_checksums(data, older) else "--no-data-checksums"
    programs.make_cluster(new, sums)
    today = programs.path("postgres").parent
    folders = ("--old-datadir", data, "--new-datadir", new, "--old-bindir", older, "--new-bindir", today)
    programs.run("pg_upgrade", *folders, "--socketdir", new, "--username", "postgres", "--no-sync", cwd=new)
    os.sync()
    (new / _WHOLE).touch()
    data.rename(kept)
    finish(data)
    LOG.warning("%s: upgraded; the old cluster is in %s and may be deleted", data, kept)


def finish(data: Path) -> None:
    """Put the new cluster into its place, if it is whole and the old one has made room."""
    new = data.with_name(_NEW)
    if not data.exists() and (new / _WHOLE).exists():
        new.rename(data)
        (data / _WHOLE).unlink()


def _has_room(data: Path) -> None:
    size = sum(file.stat().st_size for file in data.rglob("*") if file.is_file())
    free = shutil.disk_usage(data).free
    if free < size * 1.1:
        raise EmbeddedPostgresError(
            f"{data} must be upgraded, which takes {size / 1e6:,.0f} MB beside it, and {free / 1e6:,.0f} MB "
            "are free: free some, or move the folder to a larger disk"
        )


def _end_cleanly(data: Path, older: Path) -> None:
    """pg_upgrade takes no cluster that was killed: its own server must recover it first."""
    if _control(data, older, "Database cluster state") in ("shut down", "shut down in recovery"):
        return
    log = data.with_name("postgres.log")
    log.touch()
    shutil.chown(log, programs.server_user().pw_uid)
    options = f"-c listen_addresses='' -c unix_socket_directories='{data}'"
    programs.run("pg_ctl", "start", "-D", data, "-l", log, "-w", "-s", "-o", options, cwd=data, folder=older)
    programs.run("pg_ctl", "stop", "-D", data, "-m", "fast", "-w", "-s", cwd=data, folder=older)


def _has_checksums(data: Path, older: Path) -> bool:
    return _control(data, older, "Data page checksum version") != "0"


def _control(data: Path, older: Path, field: str) -> str:
    said = programs.run("pg_controldata", data, cwd=data, folder=older)
    found = re.search(rf"^{field}:\s*(.*)$", said, re.MULTILINE)
    if found is None:
        raise EmbeddedPostgresError(f"{data}: pg_controldata does not tell its {field.lower()}")
    return found[1].strip()
