"""Restoring backups into empty databases, and comparing every table with what was backed up.

Here belongs what a backup may be restored into. Making the server of a folder is for the command.
"""

from collections.abc import Mapping
from pathlib import Path

import psycopg
from psycopg import sql

from vp_pipeline.storage import migrate
from vp_pipeline.storage.connection import transaction
from vp_pipeline.upkeep import archive, contents, servers
from vp_pipeline.upkeep.archive import BackupError
from vp_pipeline.upkeep.backup import Manifest, read
from vp_pipeline.upkeep.databases import OWN


def restorable(path: Path) -> Manifest:
    """What a backup says of itself, if it is whole and this version of the program can use it.

    Raises:
        BackupError: it is damaged, or a newer version of the program made it.
    """
    manifest = read(path)
    schema = manifest["databases"][OWN]["schema"]
    if schema not in migrate.versions():
        raise BackupError(
            f"{path} holds tables of version {schema}, made by vp-pipeline {manifest['program']}, and this "
            f"program knows them up to {migrate.newest()}: restore it with that version or a newer one"
        )
    return manifest


def restore(path: Path, manifest: Manifest, urls: Mapping[str, str]) -> None:
    """Load both databases, compare every table, then bring the schema up to date.

    On an error, databases made here are removed again.

    Raises:
        BackupError: a target is not empty, the server too old, or what was loaded differs.
    """
    try:
        for name, url in urls.items():
            _refuse(url, manifest["databases"][name]["server"])
        made: list[str] = []
        try:
            with archive.opened(path) as backup:
                for name, url in urls.items():
                    if migrate.create_database(servers.plain(url)):
                        made.append(url)
                    servers.load(backup.blocks(f"{name}.dump"), url)
                    _compare(name, url, manifest)
        except BaseException:
            for url in made:
                _drop(url)
            raise
        migrate.upgrade(servers.plain(urls[OWN]))
    except psycopg.Error as error:
        raise BackupError(f"the server cannot be used: {' '.join(str(error).split())}") from error


def _refuse(url: str, needed: int) -> None:
    """Nobody's data are overwritten, and no server gets what it cannot read."""
    parts = psycopg.conninfo.conninfo_to_dict(servers.plain(url))
    with psycopg.connect(servers.beside(url, "postgres")) as connection:
        found = connection.info.server_version // 10_000
        if found < needed:
            raise BackupError(
                f"the backup is from PostgreSQL {needed}, and the server is {found}: "
                f"use a server of version {needed} or newer"
            )
        exists = connection.execute(
            "SELECT 1 FROM pg_database WHERE datname = %s", [parts["dbname"]]
        ).fetchone()
    if exists:
        with transaction(servers.plain(url)) as connection:
            held = contents.tables(connection)
        if held:
            raise BackupError(
                f"the database {parts['dbname']} is not empty, it has {len(held)} tables: "
                "restore into another one, or drop it yourself if nobody needs it"
            )


def _compare(name: str, url: str, manifest: Manifest) -> None:
    with transaction(servers.plain(url)) as connection:
        found = contents.of(connection)
    if lines := contents.differences(manifest["databases"][name]["tables"], found):
        raise BackupError(f"what was restored into {name} is not what was backed up: " + "; ".join(lines))


def _drop(url: str) -> None:
    name = str(psycopg.conninfo.conninfo_to_dict(servers.plain(url))["dbname"])
    with psycopg.connect(servers.beside(url, "postgres"), autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
