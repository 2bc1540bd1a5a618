"""Which kind of data a database holds.

Here belongs the one rule: what comes from live exchanges, from the sandbox and from a recording never
meets in one database, since nobody could tell it apart afterwards.
"""

from vp_pipeline.storage.connection import Connection


class MixedSourcesError(RuntimeError):
    """The database holds data of another source; the message says which and what to do."""


def claim(connection: Connection, source: str) -> None:
    """Say that this database holds data of `source` (live, sandbox, replay), in the caller's transaction.

    Raises:
        MixedSourcesError: it holds data of another source.
    """
    connection.execute("INSERT INTO installation (source) VALUES (%s) ON CONFLICT DO NOTHING", [source])
    held = source_of(connection)
    if held != source:
        raise MixedSourcesError(
            f"the database {connection.info.dbname} holds {held} data, and {source} data must not be mixed"
            " with it: name another folder in VP_HOME or another database in VP_DATABASE_URL"
        )


def source_of(connection: Connection) -> str | None:
    """The source this database holds data of; None if nobody has said."""
    row = connection.execute("SELECT source FROM public.installation").fetchone()
    return None if row is None else str(row[0])
