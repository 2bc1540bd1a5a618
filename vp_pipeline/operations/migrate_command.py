"""`vp migrate`, for those who start the services one by one.

Here belongs waiting for a database that is slow to come; the schema is for `storage.migrate`.
"""

import time
from typing import get_args

import click
import psycopg
from alembic.util import CommandError

from vp_pipeline.operations.backup_command import databases
from vp_pipeline.operations.errors import told_plainly
from vp_pipeline.operations.place import PlaceError, PlaceSettings
from vp_pipeline.settings import Source
from vp_pipeline.storage import installation, roles
from vp_pipeline.storage import migrate as schema
from vp_pipeline.storage.address import plain
from vp_pipeline.storage.connection import transaction
from vp_pipeline.upkeep.databases import DAGSTER


@click.command()
@click.option("--wait", default=0.0, show_default=True, help="Seconds to wait for the database.")
def migrate(wait: float) -> None:
    """Create the databases of VP_DATABASE_URL, or bring their tables up to date.

    `vp up` does so itself; this is for a server of your own. With VP_WRITER_PASSWORD and VP_READER_PASSWORD
    the roles vp_writer and vp_reader get these passwords and their rights, and vp_writer Dagster's database.
    """
    with told_plainly():
        settings = PlaceSettings()
        if settings.database_url is None:
            raise PlaceError("VP_DATABASE_URL is not set: `vp up` makes the tables of its own database")
        url = settings.database_url.get_secret_value()
        urls = databases(settings, url)
        passwords = _passwords(settings)
        try:
            _await(url, wait)
            for each in urls.values():
                schema.create_database(plain(each))
            schema.upgrade(url)
            with transaction(url) as connection:
                installation.claim(connection, settings.source or get_args(Source)[0])
            if passwords:
                roles.create(url, passwords)
                roles.grant(url)
                roles.hand_over(plain(urls[DAGSTER]))
        except (psycopg.Error, CommandError, ValueError, installation.MixedSourcesError) as error:
            raise PlaceError(f"the database cannot be used: {' '.join(str(error).split())}") from error
    click.echo(f"tables of version {schema.newest()}")


def _passwords(settings: PlaceSettings) -> dict[str, str | None]:
    """Of both roles; empty if none is given.

    Raises:
        PlaceError: one is given without the other, or both are the same.
    """
    given = {roles.WRITER: settings.writer_password, roles.READER: settings.reader_password}
    found = {role: word.get_secret_value() for role, word in given.items() if word}
    if len(found) == 1:
        raise PlaceError("VP_WRITER_PASSWORD and VP_READER_PASSWORD: one is set without the other")
    if len(set(found.values())) != len(found):
        raise PlaceError("VP_READER_PASSWORD: the same as VP_WRITER_PASSWORD: whoever has it could write")
    return dict(found)


def _await(url: str, seconds: float) -> None:
    """Until the server answers; the last error if it does not."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            with psycopg.connect(url, dbname="postgres", connect_timeout=5):
                return
        except psycopg.OperationalError:
            if time.monotonic() >= deadline:
                raise
        time.sleep(0.5)
