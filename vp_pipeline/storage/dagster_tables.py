"""The tables that Dagster keeps its records in, made without Dagster's running.

Here belongs making them empty, for records that come from elsewhere. In an installation Dagster makes its
tables itself.
"""

from collections.abc import Iterable
from typing import Any

import psycopg
from alembic.config import Config
from alembic.script import ScriptDirectory
from dagster._core.storage.event_log.schema import SqlEventLogStorageMetadata
from dagster._core.storage.runs.schema import RunStorageSqlMetadata
from dagster._core.storage.schedules.schema import ScheduleStorageSqlMetadata

# Dagster documents how its tables are upgraded, and exports neither them nor their version.
from dagster._core.storage.sql import ALEMBIC_SCRIPTS_LOCATION
from sqlalchemy import Column, MetaData, String, Table, create_engine
from sqlalchemy.pool import NullPool

_VERSION = MetaData()
Table("alembic_version", _VERSION, Column("version_num", String(32), primary_key=True))
_PARTS: tuple[Any, ...] = (
    SqlEventLogStorageMetadata,
    RunStorageSqlMetadata,
    ScheduleStorageSqlMetadata,
    _VERSION,
)


def newest() -> str | None:
    """The version of the tables of this Dagster."""
    config = Config()
    config.set_main_option("script_location", ALEMBIC_SCRIPTS_LOCATION)
    return ScriptDirectory.from_config(config).get_current_head()


def names() -> frozenset[str]:
    """All tables that this Dagster may make."""
    return frozenset(name for part in _PARTS for name in part.tables)


def create(url: str, wanted: Iterable[str]) -> None:
    """Make these of the tables, empty.

    Raises:
        psycopg.Error: the database cannot be used.
    """
    wanted = set(wanted)
    with psycopg.connect(url) as session:
        engine = create_engine("postgresql+psycopg://", creator=lambda: session, poolclass=NullPool)
        with engine.begin() as connection:
            for part in _PARTS:
                tables = [table for name, table in part.tables.items() if name in wanted]
                if tables:
                    part.create_all(connection, tables=tables)
