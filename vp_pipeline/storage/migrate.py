"""Creating databases and bringing their schema up to date.

Here belongs running the migrations; each change of the schema is a file in `migrations/versions`.
"""

from importlib import resources

import psycopg
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from vp_pipeline.storage.connection import Connection, guarded
from vp_pipeline.storage.locks import Lock


def create_database(url: str) -> bool:
    """Create the database that `url` names, if it is not there; whether it was created.

    Raises:
        ValueError: the address names no database.
        psycopg.OperationalError: the server cannot be reached.
    """
    name = conninfo_to_dict(url).get("dbname")
    if not name:
        raise ValueError("the database's address names no database: end it with /name")
    with psycopg.connect(guarded(url), dbname="postgres", autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", [Lock.MIGRATION])
        if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
            return False
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(str(name))))
        return True


def upgrade(url: str, revision: str = "head") -> None:
    """Apply the migrations that the database lacks, all or none; up to `revision` if one is given.

    Raises:
        psycopg.OperationalError: the database cannot be reached.
    """
    config = _configuration()
    with psycopg.connect(url) as session:
        engine = create_engine("postgresql+psycopg://", creator=lambda: session, poolclass=NullPool)
        with engine.begin() as connection:
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": Lock.MIGRATION})
            config.attributes["connection"] = connection
            command.upgrade(config, revision)


def version(connection: Connection) -> str | None:
    """The version of a database's tables, Dagster's too; None if it has none."""
    if connection.execute("SELECT to_regclass('public.alembic_version')").fetchone() == (None,):
        return None
    row = connection.execute("SELECT version_num FROM public.alembic_version").fetchone()
    return None if row is None else str(row[0])


def newest() -> str | None:
    """The schema's version after all migrations."""
    return ScriptDirectory.from_config(_configuration()).get_current_head()


def versions() -> frozenset[str]:
    """All versions of the schema that this program knows."""
    return frozenset(
        script.revision for script in ScriptDirectory.from_config(_configuration()).walk_revisions()
    )


def _configuration() -> Config:
    config = Config()
    # Alembic's configuration reads % as the start of a placeholder.
    folder = str(resources.files("vp_pipeline.storage") / "migrations").replace("%", "%%")
    config.set_main_option("script_location", folder)
    return config
