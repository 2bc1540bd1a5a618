"""The installation that a command is about: its folder, its markets and its database.

Here belongs finding and opening it; what is asked of it belongs to the commands.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import psycopg
from pydantic import AnyHttpUrl, SecretStr, field_validator

from vp_pipeline.catalog import Catalog, load_catalog
from vp_pipeline.settings import LABELS, Source, UserSettings, database_address
from vp_pipeline.storage import access
from vp_pipeline.storage.access import AccessError
from vp_pipeline.storage.connection import Connection, transaction
from vp_pipeline.storage.embedded import EmbeddedPostgresError
from vp_pipeline.storage.installation import source_of


class PlaceError(ValueError):
    """The installation cannot be opened; the message says what to do."""


class PlaceSettings(UserSettings):
    """The variables that say which installation is meant; none is required."""

    dagster_database_url: SecretStr | None = None
    backup_dir: Path | None = None
    exchange_url: AnyHttpUrl | None = None
    source: Source | None = None
    hourly_start: datetime | None = None
    writer_password: SecretStr | None = None
    reader_password: SecretStr | None = None

    @field_validator("database_url", "dagster_database_url")
    @classmethod
    def _address(cls, value: SecretStr | None) -> SecretStr | None:
        return database_address(value)

    @property
    def folder(self) -> Path:
        """VP_HOME, else the live installation of the working directory."""
        return self.home_or("live")

    @property
    def catalog_file(self) -> Path:
        """VP_MARKETS_FILE, else the one that a replay has written, else the shipped one."""
        own = self.folder / "markets.toml"
        chosen = "markets_file" in self.model_fields_set
        return own if not chosen and own.exists() else self.markets_file

    def host_of(self, exchange: str) -> str | None:
        """Base address that replaces an exchange's own; None on live."""
        return f"{str(self.exchange_url).rstrip('/')}/{exchange}" if self.exchange_url else None


@dataclass(frozen=True)
class Place:
    """An open installation; `source` says what kind of data its database holds."""

    connection: Connection
    catalog: Catalog
    source: Source

    @property
    def label(self) -> str | None:
        """What must be said of its data; None on live data."""
        return LABELS[self.source]


@contextmanager
def opened(settings: PlaceSettings) -> Iterator[Place]:
    """The installation of these settings, in one transaction that cannot write.

    Raises:
        CatalogError: the markets file cannot be used.
        PlaceError: there is no installation, or its database cannot be used.
    """
    catalog = load_catalog(settings.catalog_file)
    with address(settings) as url:
        try:
            with transaction(url) as connection:
                connection.execute("SET TRANSACTION READ ONLY")
                yield Place(connection, catalog, source(connection, settings))
        except (psycopg.OperationalError, psycopg.errors.UndefinedTable) as error:
            raise PlaceError(
                f"the database cannot be used: {' '.join(str(error).split())}: "
                "start the platform once with this version, or see `vp doctor`"
            ) from error


@contextmanager
def address(settings: PlaceSettings) -> Iterator[str]:
    """The database's address: VP_DATABASE_URL, or that of the folder's own server.

    Raises:
        PlaceError: there is no such folder, or its server does not start.
    """
    given = settings.database_url
    try:
        with access.database(settings.folder, None if given is None else given.get_secret_value()) as url:
            yield url
    except (AccessError, EmbeddedPostgresError) as error:
        raise PlaceError(str(error)) from error


def source(connection: Connection, settings: PlaceSettings) -> Source:
    """What the database says of its data, else what the environment says, else live."""
    held = source_of(connection)
    return next((known for known in LABELS if known == held), settings.source or "live")
