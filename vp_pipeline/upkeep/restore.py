"""Restoring backups into empty databases, and comparing every table with what was backed up.

Here belongs what a backup may be restored into, and that only its rows come from the file: tables, views
and functions are made by this program as of the backup's version. Making a folder's server is for the
command.
"""

from collections.abc import Mapping
from pathlib import Path

import psycopg
from psycopg import sql

from vp_pipeline.storage import dagster_tables, migrate
from vp_pipeline.storage.address import plain
from vp_pipeline.storage.connection import guarded
from vp_pipeline.upkeep import archive, contents, loading, servers
from vp_pipeline.upkeep.archive import BackupError
from vp_pipeline.upkeep.backup import Manifest, read
from vp_pipeline.upkeep.databases import DAGSTER, OWN


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
    dagsters = manifest["databases"][DAGSTER]
    unknown = dagsters["tables"].keys() - dagster_tables.names()
    if unknown or dagsters["schema"] not in ("", dagster_tables.newest()):
        raise BackupError(
            f"{path} holds what another version of Dagster recorded, or other tables beside it "
            f"({', '.join(sorted(unknown)) or dagsters['schema']}): restore it with vp-pipeline "
            f"{manifest['program']}"
        )
    return manifest


def restore(path: Path, manifest: Manifest, urls: Mapping[str, str]) -> None:
    """Load both databases, compare every table, then bring the schema up to date.

    On an error, what was made here is removed again.

    Raises:
        BackupError: a target is not empty, the server too old, or what was loaded differs.
    """
    try:
        for name, url in urls.items():
            _refuse(url, manifest["databases"][name]["server"])
        made: dict[str, bool] = {}
        try:
            with archive.opened(path) as backup:
                for name, url in urls.items():
                    made[url] = migrate.create_database(plain(url))
                    _load(backup, name, url, manifest)
        except BaseException:
            for url, database in made.items():
                (_drop if database else _clear)(url)
            raise
        migrate.upgrade(plain(urls[OWN]))
    except psycopg.Error as error:
        raise BackupError(f"the server cannot be used: {' '.join(str(error).split())}") from error


def _refuse(url: str, needed: int) -> None:
    """Nobody's data are overwritten, and no server gets what it cannot read."""
    parts = psycopg.conninfo.conninfo_to_dict(plain(url))
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
        with psycopg.connect(guarded(plain(url))) as connection:
            held = len(contents.tables(connection))
            schema = connection.execute("SELECT 1 FROM pg_namespace WHERE nspname = 'site'").fetchone()
        if held or schema:
            raise BackupError(
                f"the database {parts['dbname']} is not empty, it has {held} tables"
                f"{' and a schema site' if schema else ''}: "
                "restore into another one, or drop it yourself if nobody needs it"
            )


def _load(backup: archive.Reader, name: str, url: str, manifest: Manifest) -> None:
    """The tables as of the backup's version, and its rows; compared."""
    held, own = manifest["databases"][name], plain(url)
    if name == OWN:
        migrate.upgrade(own, held["schema"])
    else:
        dagster_tables.create(own, held["tables"])
    made_with_rows = frozenset({"alembic_version"} if name == OWN else ())
    columns = loading.load(backup.blocks(f"{name}.dump"), own, made_with_rows)
    with psycopg.connect(guarded(own)) as connection:
        found = contents.of(connection, columns)
    if lines := contents.differences(manifest["databases"][name]["tables"], found):
        raise BackupError(f"what was restored into {name} is not what was backed up: " + "; ".join(lines))


def _clear(url: str) -> None:
    """Empty again a database that was there, and empty."""
    with psycopg.connect(guarded(plain(url))) as connection:
        connection.execute("DROP SCHEMA IF EXISTS site CASCADE")
        for name in contents.tables(connection):
            table = sql.Identifier("public", name)
            connection.execute(sql.SQL("DROP TABLE IF EXISTS {} CASCADE").format(table))
        connection.execute("DROP TABLE IF EXISTS public.candle CASCADE")
        connection.execute("DROP FUNCTION IF EXISTS public.make_candle_partition()")


def _drop(url: str) -> None:
    name = str(psycopg.conninfo.conninfo_to_dict(plain(url))["dbname"])
    with psycopg.connect(servers.beside(url, "postgres"), autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
