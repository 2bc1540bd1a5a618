"""The artifacts: their list, and the documents themselves.

Here belongs handing out what is stored, byte for byte. How it is stored is in `storage.artifacts`,
why a document cannot act on this origin in `headers`.
"""

import re
from datetime import UTC
from email.utils import format_datetime
from itertools import groupby
from operator import attrgetter
from typing import Annotated

from fastapi import APIRouter, HTTPException, Query, Request, Response

from vp_pipeline.site.answers import has_already
from vp_pipeline.site.database import reading
from vp_pipeline.site.headers import ARTIFACT_POLICY, PREVIEW_POLICY
from vp_pipeline.site.pages import page
from vp_pipeline.storage import artifacts
from vp_pipeline.storage.artifacts import Artifact
from vp_pipeline.storage.connection import Connection

router = APIRouter(include_in_schema=False)

MOST_OF_A_NAME = 10
MOST_FOUND = 400

_ENDINGS = {
    "text/html": ".html",
    "application/json": ".json",
    "image/svg+xml": ".svg",
    "text/csv": ".csv",
    "text/plain": ".txt",
}


@router.api_route("/artifacts/", methods=["GET", "HEAD"])
def artifact_list(request: Request, search: Annotated[str, Query(max_length=200)] = "") -> Response:
    """Artifacts by name, the newest of each first; with `search` those whose path has these words in it."""
    with reading(request) as connection:
        listed = artifacts.listing(connection)
    words = search.lower().split()
    found = [one for one in listed if all(word in path_of(one).lower() for word in words)]
    groups = {name: list(group) for name, group in groupby(found, attrgetter("name"))}
    most = MOST_FOUND if words else MOST_OF_A_NAME
    return page(
        request,
        "artifacts.html",
        groups={name: group[:most] for name, group in groups.items()},
        more={name: len(group) - most for name, group in groups.items() if len(group) > most},
        search=search,
        stored=len(listed),
        found=len(found),
        path_of=path_of,
    )


@router.api_route("/artifacts/{path:path}", methods=["GET", "HEAD"])
def artifact(request: Request, path: str, download: bool = False) -> Response:
    """The document; with `download`, as a file to save."""
    with reading(request) as connection:
        found = locate(connection, path)
        if found is None:
            raise HTTPException(404, f"There is no artifact {path!r}.")
        tag = f'"{found.sha256}"'
        headers = {
            "etag": tag,
            "last-modified": format_datetime(found.created_at.astimezone(UTC), usegmt=True),
            "content-security-policy": ARTIFACT_POLICY,
            "x-frame-options": "SAMEORIGIN",
        }
        if download:
            headers["content-disposition"] = f'attachment; filename="{file_name(found)}"'
        if has_already(request, tag):
            return Response(status_code=304, headers=headers)
        if request.method == "HEAD":
            headers |= {"content-length": str(found.size), "content-type": found.media_type}
            return Response(headers=headers)
        content = artifacts.content(connection, found.name, found.partition)
    return Response(content, media_type=found.media_type, headers=headers)


@router.api_route("/preview/{path:path}", methods=["GET", "HEAD"])
def preview(request: Request, path: str) -> Response:
    """The document in a frame of a page of ours, with its older and newer neighbours."""
    with reading(request) as connection:
        found = locate(connection, path)
        if found is None:
            raise HTTPException(404, f"There is no artifact {path!r}.")
        same = [one for one in artifacts.listing(connection) if one.name == found.name]
    at = same.index(found)
    response = page(
        request,
        "preview.html",
        artifact=found,
        newer=same[at - 1] if at else None,
        older=same[at + 1] if at + 1 < len(same) else None,
        path_of=path_of,
    )
    response.headers["content-security-policy"] = PREVIEW_POLICY
    return response


def locate(connection: Connection, path: str) -> Artifact | None:
    """The artifact of a path: its last part is the partition if there is such an artifact.

    Names hold slashes, partitions do not.
    """
    if "\0" in path:  # which Postgres cannot store, and refuses to look for
        return None
    name, _, partition = path.rpartition("/")
    return artifacts.find(connection, name, partition) or artifacts.find(connection, path)


def path_of(artifact: Artifact) -> str:
    """The path under /artifacts/."""
    return f"{artifact.name}/{artifact.partition}" if artifact.partition else artifact.name


def file_name(artifact: Artifact) -> str:
    """volume_profile-btc-2023-03-11.html; nothing in it that a file system or header minds."""
    stem = re.sub(r"[^A-Za-z0-9._-]", "_", path_of(artifact).replace("/", "-"))
    ending = _ENDINGS.get(artifact.media_type.partition(";")[0], "")
    return stem.removesuffix(ending) + ending
