"""Artifacts: finished documents kept in Postgres, so that one dump saves all and every process sees them.

Here belong keeping and handing out documents. Making them is for `figures`, serving them for `site`.
What many documents share (plotly.js) is stored once and put back in its place on the way out.
"""

import gzip
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from vp_pipeline.storage.connection import Connection


class ArtifactError(RuntimeError):
    """A stored artifact does not match its checksum; the message names it."""


@dataclass(frozen=True)
class Include:
    """A shared part: `marker` stands for it in the stored document."""

    marker: str
    content: str


@dataclass(frozen=True)
class Artifact:
    """What is known of a document without reading it; `size` and `sha256` are those of the download."""

    name: str
    partition: str
    media_type: str
    size: int
    sha256: str
    run_id: str
    created_at: datetime


_FIELDS = "name, partition, media_type, size, sha256, run_id, created_at"
_PUT = """
    INSERT INTO artifact
        (name, partition, media_type, content, include_sha256, size, sha256, run_id, created_at)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)
    ON CONFLICT (name, partition) DO UPDATE SET
        (media_type, content, include_sha256, size, sha256, run_id, created_at)
        = (excluded.media_type, excluded.content, excluded.include_sha256,
           excluded.size, excluded.sha256, excluded.run_id, excluded.created_at)
    WHERE (artifact.sha256, artifact.media_type) <> (excluded.sha256, excluded.media_type)
"""
# Where the include goes in a stored document.
_PLACE = "<!--vp:include-->"


def put(
    connection: Connection,
    name: str,
    partition: str,
    document: str,
    run_id: str,
    include: Include | None = None,
    media_type: str = "text/html; charset=utf-8",
) -> Artifact:
    """Keep a document under (name, partition); the same document again leaves the kept one untouched.

    Raises:
        ValueError: `include` is given but its marker does not stand in the document exactly once.
    """
    body, include_sha256 = document, None
    if include is not None:
        if document.count(include.marker) != 1 or _PLACE in document:
            raise ValueError(f"artifact {name}: {include.marker} must stand in the document exactly once")
        body = document.replace(include.marker, _PLACE)
        include_sha256 = _put_include(connection, include.content.encode())
    download = _download(document, include)
    kept = [
        *(name, partition, media_type, gzip.compress(body.encode(), mtime=0), include_sha256),
        *(len(download), _sha256(download), run_id, datetime.now(UTC)),
    ]
    connection.execute(_PUT, kept)
    artifact = find(connection, name, partition)
    if artifact is None:
        raise ArtifactError(f"artifact {name} {partition}: deleted while it was being stored; store it again")
    return artifact


def sha256_of(document: str, include: Include | None = None) -> str:
    """The checksum that `put` would keep of the document: that of its download."""
    return _sha256(_download(document, include))


def _download(document: str, include: Include | None) -> bytes:
    """The whole document, the shared part in its place."""
    whole = document if include is None else document.replace(include.marker, include.content)
    return whole.encode()


def remove(connection: Connection, name: str, partitions: Sequence[str]) -> None:
    """Keep these documents no longer; what they share with others stays."""
    connection.execute(
        "DELETE FROM artifact WHERE name = %s AND partition = ANY(%s)", [name, list(partitions)]
    )


def _put_include(connection: Connection, content: bytes) -> str:
    sha256 = _sha256(content)
    # Asked first: compressing megabytes takes longer than all the rest.
    if not connection.execute("SELECT 1 FROM artifact_include WHERE sha256 = %s", [sha256]).fetchone():
        connection.execute(
            "INSERT INTO artifact_include (sha256, content) VALUES (%s, %s) ON CONFLICT DO NOTHING",
            [sha256, gzip.compress(content, mtime=0)],
        )
    return sha256


def find(connection: Connection, name: str, partition: str = "") -> Artifact | None:
    """What is known of the artifact, or None."""
    row = connection.execute(
        f"SELECT {_FIELDS} FROM artifact WHERE name = %s AND partition = %s",  # noqa: S608  # constant names
        [name, partition],
    ).fetchone()
    return Artifact(*row) if row else None


def listing(connection: Connection) -> list[Artifact]:
    """All artifacts, by name and then newest partition first."""
    rows = connection.execute(f"SELECT {_FIELDS} FROM artifact ORDER BY name, partition DESC")  # noqa: S608  # constant names
    return [Artifact(*row) for row in rows]


def content(connection: Connection, name: str, partition: str = "") -> bytes | None:
    """The whole document as it is downloaded, or None.

    Raises:
        ArtifactError: it does not match its checksum.
    """
    row = connection.execute(
        "SELECT artifact.content, artifact_include.content, artifact.sha256 FROM artifact"
        " LEFT JOIN artifact_include ON artifact_include.sha256 = include_sha256"
        " WHERE name = %s AND partition = %s",
        [name, partition],
    ).fetchone()
    if row is None:
        return None
    stored, include, expected = row
    whole = gzip.decompress(stored)
    if include is not None:
        whole = whole.replace(_PLACE.encode(), gzip.decompress(include))
    if _sha256(whole) != expected:
        raise ArtifactError(
            f"artifact {name} {partition}: content does not match its checksum; make it again"
        )
    return whole


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
