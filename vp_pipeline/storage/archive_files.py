"""Which history files are stored, by their checksums.

Here belongs the table `archive_file` alone; what a file holds is for those that load it.
"""

from collections.abc import Sequence

from vp_pipeline.storage.connection import Connection


def known(connection: Connection, paths: Sequence[str]) -> dict[str, str]:
    """The SHA-256 of those of the files whose rows are stored."""
    rows = connection.execute(
        "SELECT path, sha256 FROM archive_file WHERE path = ANY(%s)", [list(paths)]
    ).fetchall()
    return dict(rows)


def remember(connection: Connection, path: str, sha256: str, rows: int) -> None:
    """Note that a file's rows are stored, in the transaction that stores them."""
    connection.execute(
        "INSERT INTO archive_file (path, sha256, rows, loaded_at) VALUES (%s, %s, %s, now())"
        " ON CONFLICT (path) DO UPDATE SET sha256 = excluded.sha256, rows = excluded.rows,"
        " loaded_at = excluded.loaded_at WHERE archive_file.sha256 <> excluded.sha256",
        [path, sha256, rows],
    )
