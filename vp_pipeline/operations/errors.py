"""How a command of an installation ends when it cannot do its work.

Here belongs the translation of our own errors into a message and status 1.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import click
from pydantic import ValidationError

from vp_pipeline.catalog import CatalogError
from vp_pipeline.operations.place import PlaceError
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
        problems = (
            f"VP_{problem['loc'][0]}".upper() + f": {problem['msg']} (found {problem['input']!r})"
            for problem in error.errors()
        )
        raise click.ClickException("\n".join(problems)) from error
