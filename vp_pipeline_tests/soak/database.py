"""What is done to the database: sessions cut, the server killed, a COPY held, a disk filled, tables migrated.

Here belong the means. When they are used is for `strikes`.
"""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import resources
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Final

import psutil
import psycopg
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from vp_pipeline_tests.soak.world import World

# A run that has not come to its COPY by then had nothing to store.
_LONGEST = 15.0
_HOLD = 7_620_600
# The migration after it fills a schema from what is stored, and the oldest cannot be undone.
_BEFORE = "0005"

IN_COPY: Final = """
    SELECT pid FROM pg_stat_activity
    WHERE datname = 'vp' AND query LIKE 'COPY candle%' AND wait_event_type = 'Lock'
"""
_HOLDING = """
    CREATE OR REPLACE FUNCTION soak_hold() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF extract(minute FROM NEW.open_time)::int % 15 = 7 THEN
            PERFORM pg_advisory_xact_lock_shared(7620600);
        END IF;
        RETURN NEW;
    END $$;
    CREATE OR REPLACE TRIGGER soak_hold BEFORE INSERT ON candle FOR EACH ROW EXECUTE FUNCTION soak_hold()
"""


@contextmanager
def held(world: World) -> Iterator[None]:
    """Stop every COPY of candles at a row in its middle, for as long as the block lasts."""
    with psycopg.connect(world.url, autocommit=True) as connection:
        connection.execute(_HOLDING)
    holder = psycopg.connect(world.url, autocommit=True)
    try:
        holder.execute("SELECT pg_advisory_lock(%s)", [_HOLD])
        yield
    finally:
        holder.close()
        world.start_postgres()
        with psycopg.connect(world.url, autocommit=True) as connection:
            connection.execute("DROP FUNCTION soak_hold CASCADE")


def waits_in_copy(world: World, process: ForkServerProcess) -> bool:
    """Wait until the run stands in the middle of its COPY; whether it came to that."""
    deadline = time.monotonic() + _LONGEST
    with psycopg.connect(world.url, autocommit=True) as connection:
        while process.is_alive() and time.monotonic() < deadline:
            if connection.execute(IN_COPY).fetchone():
                return True
            time.sleep(0.01)
    return False


def terminate(world: World, of: str) -> int:
    """Cut the sessions that a query names by their pid; how many."""
    with psycopg.connect(world.url, autocommit=True) as connection:
        # Materialized, or the server might end a process first and ask then whether it was meant.
        query = (
            f"WITH meant AS MATERIALIZED ({of}) SELECT count(*) FROM meant WHERE pg_terminate_backend(pid)"
        )
        row = connection.execute(query).fetchone()
    return int(row[0]) if row else 0


def kill_server(world: World) -> None:
    """Kill the server with all its processes, as a power failure would."""
    # The oldest first: it is the one that would start the others anew.
    for process in sorted(world.postgres(), key=lambda process: process.create_time()):
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue  # it went with the others


def downgrade(url: str) -> None:
    """Undo the newest migrations, so that there are some to apply."""
    config = Config()
    folder = str(resources.files("vp_pipeline.storage") / "migrations").replace("%", "%%")
    config.set_main_option("script_location", folder)
    with psycopg.connect(url) as session:
        engine = create_engine("postgresql+psycopg://", creator=lambda: session, poolclass=NullPool)
        with engine.begin() as connection:
            config.attributes["connection"] = connection
            command.downgrade(config, _BEFORE)


def again(migration: Callable[[], None], attempts: int = 5) -> None:
    """A migration that met a tick in a deadlock is simply started again, as a person would."""
    for attempt in range(1, attempts + 1):
        try:
            migration()
        except (OperationalError, psycopg.errors.DeadlockDetected) as error:
            cause = error.orig if isinstance(error, OperationalError) else error
            if attempt == attempts or not isinstance(cause, psycopg.errors.DeadlockDetected):
                raise
        else:
            return


@contextmanager
def full_disk(folder: Path) -> Iterator[None]:
    """Leave no room on the folder's disk for as long as the block lasts."""
    ballast = folder / "ballast"
    try:
        with ballast.open("wb") as file:
            _fill(file.fileno())
        yield
    finally:
        ballast.unlink()


def _fill(file: int) -> None:
    """Allocate what is left, in pieces that get smaller."""
    size, end = 1 << 26, 0
    while size >= 4096:
        try:
            os.posix_fallocate(file, end, size)
            end += size
        except OSError:
            size //= 2
