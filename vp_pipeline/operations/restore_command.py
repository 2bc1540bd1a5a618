"""`vp restore`.

Here belongs where a backup goes; loading and comparing is in `upkeep.restore`.
"""

import shutil
from pathlib import Path

import click

from vp_pipeline.operations.errors import told_plainly
from vp_pipeline.storage import access, embedded
from vp_pipeline.storage.address import checked
from vp_pipeline.storage.embedded import EmbeddedPostgresError
from vp_pipeline.upkeep import restore as restoring
from vp_pipeline.upkeep.archive import BackupError
from vp_pipeline.upkeep.backup import Manifest
from vp_pipeline.upkeep.databases import DAGSTER, OWN, addresses


@click.command()
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--home", type=click.Path(path_type=Path, file_okay=False), help="A folder without a database.")
@click.option("--url", envvar="VP_RESTORE_URL", help="An empty database of a server of your own.")
@click.option("--dagster-url", help="Dagster's, if it is not the database dagster of the same server.")
def restore(file: Path, home: Path | None, url: str | None, dagster_url: str | None) -> None:
    """Restore a backup into an empty place and compare every table with what was backed up."""
    if (home is None) == (url is None):
        raise click.UsageError("say either --home or --url")
    for option, address in (("--url or VP_RESTORE_URL", url), ("--dagster-url", dagster_url)):
        try:
            checked(address or "")
        except ValueError as error:
            raise click.UsageError(f"{option}: {error}") from error
    with told_plainly():
        manifest = restoring.restorable(file)
        if home is not None:
            _into_folder(file, manifest, home)
        elif url is not None:
            restoring.restore(file, manifest, addresses(url, dagster_url))
    tables = sum(len(database["tables"]) for database in manifest["databases"].values())
    click.echo(f"restored what was stored at {manifest['created']}: {tables} tables, each compared")


def _into_folder(file: Path, manifest: Manifest, home: Path) -> None:
    """Into a new server of the folder, which is stopped again; on an error it is removed."""
    folder = home.resolve() / access.SERVER
    if folder.exists():
        raise BackupError(f"{home} has a database: name another folder, or move {folder} away")
    try:
        server = embedded.start(folder)
        try:
            restoring.restore(file, manifest, {name: server.url(name) for name in (DAGSTER, OWN)})
        finally:
            server.stop()
    except EmbeddedPostgresError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise BackupError(str(error)) from error
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
