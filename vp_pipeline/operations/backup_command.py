"""`vp backup`.

Here belongs what is said; the backup itself is made in `upkeep.backup`.
"""

from datetime import UTC, datetime
from pathlib import Path

import click

from vp_pipeline.operations.errors import told_plainly
from vp_pipeline.operations.place import PlaceSettings, address
from vp_pipeline.upkeep import backup as backups
from vp_pipeline.upkeep.databases import addresses


@click.command()
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The file; by default one named by the time, in VP_BACKUP_DIR or `backups` of the folder.",
)
def backup(out: Path | None) -> None:
    """Write everything to one file: candles, tables, artifacts, and what Dagster remembers.

    It may run while the platform does. The file is read again before it counts.
    """
    with told_plainly():
        settings, now = PlaceSettings(), datetime.now(UTC)
        path = out or backups.default_path(settings.backup_dir or settings.folder / "backups", now)
        with address(settings) as url:
            made = backups.make(databases(settings, url), path, now)
    click.echo(f"{made.path}: {made.size / 1e6:,.1f} MB, {made.rows:,} rows, read again without an error")


def databases(settings: PlaceSettings, url: str) -> dict[str, str]:
    """Addresses of both databases, in the order of a backup."""
    return addresses(url, settings.dagster_database_url)
