"""How a command of an installation ends when it cannot do its work.

Here belongs the translation of our own errors into a message and status 1.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import click
from pydantic import ValidationError

from vp_pipeline.catalog import CatalogError
from vp_pipeline.operations.place import PlaceError, PlaceSettings
from vp_pipeline.settings import complaints
from vp_pipeline.upkeep.archive import BackupError


class ExportError(ValueError):
    """Nothing can be exported; the message says why."""


@contextmanager
def told_plainly() -> Iterator[None]:
    """Our own errors end the command with their message and status 1."""
    try:
        yield
    except (BackupError, CatalogError, ExportError, PlaceError) as error:
        raise click.ClickException(str(error)) from error
    except ValidationError as error:
        raise click.ClickException(complaints(error, PlaceSettings)) from error
