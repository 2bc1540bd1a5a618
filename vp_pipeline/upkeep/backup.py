"""Making backups: both databases in one file, checked after it is written, old ones removed.

Here belong a backup's contents, names and retention. The file's format is in `archive`.
"""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TypedDict

import psycopg

from vp_pipeline.storage import migrate
from vp_pipeline.storage.address import plain
from vp_pipeline.storage.connection import Connection, guarded
from vp_pipeline.storage.installation import source_of
from vp_pipeline.upkeep import archive, contents, servers
from vp_pipeline.upkeep.archive import BackupError
from vp_pipeline.upkeep.contents import TableContents
from vp_pipeline.upkeep.databases import DAGSTER, OWN

MANIFEST = "manifest.json"
FORMAT = 1
_NAME = re.compile(r"vp-backup-\d{8}T\d{6}Z\.tar(\.part)?")


class DatabaseContents(TypedDict):
    """`schema`: version of its tables; `server`: PostgreSQL's major version; contents by table."""

    schema: str
    server: int
    tables: dict[str, TableContents]


class Manifest(TypedDict):
    """What a backup says of itself. `source`: live, sandbox or replay."""

    format: int
    created: str
    program: str
    source: str | None
    databases: dict[str, DatabaseContents]


@dataclass(frozen=True)
class Made:
    """A finished backup."""

    path: Path
    size: int
    manifest: Manifest

    @property
    def rows(self) -> int:
        """Rows of all tables."""
        databases = self.manifest["databases"].values()
        return sum(table["rows"] for database in databases for table in database["tables"].values())


def default_path(folder: Path, now: datetime) -> Path:
    """The name of a backup made now."""
    return folder / f"vp-backup-{now.astimezone(UTC):%Y%m%dT%H%M%SZ}.tar"


def make(urls: Mapping[str, str], path: Path, now: datetime) -> Made:
    """Write both databases (`urls` by DAGSTER and OWN) to one file, and read it again.

    Raises:
        BackupError: a database cannot be read, the file not be written, or what is on the disk is not
            what was written.
    """
    manifest: Manifest = {
        "format": FORMAT,
        "created": now.isoformat(timespec="seconds"),
        "program": version("vp-pipeline"),
        "source": None,
        "databases": {},
    }
    try:
        with archive.new_file(path, now.timestamp()) as file:
            for name in (DAGSTER, OWN):
                with _snapshot(urls[name]) as (connection, snapshot):
                    if name == OWN:
                        manifest["source"] = source_of(connection)
                    manifest["databases"][name] = _contents(connection)
                    file.add(f"{name}.dump", servers.dump(urls[name], snapshot))
            text = json.dumps(manifest, indent=1)
            file.add(MANIFEST, iter([text.encode()]))
    except psycopg.Error as error:
        raise BackupError(f"the database cannot be read: {' '.join(str(error).split())}") from error
    try:
        read(path)
    except BackupError as error:
        path.unlink()
        raise BackupError(f"{error}; it was written a moment ago: check the disk") from error
    return Made(path, path.stat().st_size, manifest)


def read(path: Path) -> Manifest:
    """Read a whole backup: checksums, and whether its dumps can be unpacked.

    Raises:
        BackupError: it is damaged, or of a newer format.
    """
    with archive.opened(path) as backup:
        manifest: Manifest = json.loads(backup.text(MANIFEST))
        if manifest["format"] > FORMAT:
            raise BackupError(
                f"{path} was made by vp-pipeline {manifest['program']}, in a newer format: use that version"
            )
        for name in manifest["databases"]:
            blocks = backup.blocks(f"{name}.dump")
            try:
                servers.check(blocks)
            except BackupError:
                # pg_restore may give up before the checksum is known, which says more.
                for _ in blocks:
                    pass
                raise
    return manifest


def retain(folder: Path, keep: int) -> tuple[Path, ...]:
    """Remove all but the newest `keep` backups of the folder, and what broken-off ones left."""
    if not folder.is_dir():
        return ()
    found = sorted(path for path in folder.iterdir() if _NAME.fullmatch(path.name))
    whole = [path for path in found if path.suffix == ".tar"]
    gone = [*whole[: max(len(whole) - keep, 0)], *(path for path in found if path.suffix == ".part")]
    for path in gone:
        path.unlink()
    return tuple(gone)


def _contents(connection: Connection) -> DatabaseContents:
    return {
        "schema": migrate.version(connection) or "",
        "server": connection.info.server_version // 10_000,
        "tables": contents.of(connection),
    }


@contextmanager
def _snapshot(url: str) -> Iterator[tuple[Connection, str]]:
    """A connection, and the name by which pg_dump sees the same state of the database."""
    with psycopg.connect(guarded(plain(url)), application_name="vp backup") as connection:
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        row = connection.execute("SELECT pg_export_snapshot()").fetchone()
        yield connection, str(row[0] if row else "")
