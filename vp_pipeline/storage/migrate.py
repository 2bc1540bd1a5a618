"""Creating databases and bringing their schema up to date.

Here belongs running the migrations; each change of the schema is a file in `migrations/versions`.
"""

from importlib import resources
from urllib.parse import urlsplit, urlunsplit

import psycopg
from alembic import command
from alembic.config import Config
from psycopg import sql
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

# Any constant: whoever migrates takes this lock, so that two starts at once do not collide.
_LOCK = 7_620_518


def create_database(url: str) -> bool:
    """Create the database that `url` names, if it is not there; whether it was created.

    Raises:
        psycopg.OperationalError: the server cannot be reached.
    """
    parts = urlsplit(url)
    name = parts.path.lstrip("/")
    with psycopg.connect(urlunsplit(parts._replace(path="/postgres")), autocommit=True) as connection:
        if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
            return False
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return True


def upgrade(url: str) -> None:
    """Apply the migrations that the database lacks, all or none."""
    config = Config()
    config.set_main_option("script_location", str(resources.files("vp_pipeline.storage") / "migrations"))
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://", 1), poolclass=NullPool)
    with engine.begin() as connection:
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
