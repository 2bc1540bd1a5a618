"""Dagster's webserver, closed to other pages in the reader's browser.

Dagster asks nobody who sends a request. It runs mutations that an image's address, a plain form or a
websocket of any page brings, so whatever the reader's browser has open could start and delete runs on
127.0.0.1. Here belongs which requests Dagster gets to see; a login is the proxy's. The standard library
alone: every megabyte here is the webserver's.
"""

import os
import re
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, TypeAlias
from urllib.parse import parse_qs

WEBSERVER = "dagster_webserver.cli"
# What a browser on this machine calls it, and other containers: no name that another site can have.
NAMES = frozenset({"127.0.0.1", "localhost", "[::1]", "webserver", "code"})

Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
App: TypeAlias = Callable[[Message, Receive, Send], Awaitable[None]]
Refusal: TypeAlias = tuple[int, str]

_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[^\[\]:@/]+)(?::\d*)?")
_ADDRESS = re.compile(r"https?://(?:[^/?#@]*@)?([^/?#@]+).*", re.DOTALL)
_ORIGIN = re.compile(r"https?://([^/?#]+)")
_READS = ("GET", "HEAD")


def guard(webserver: Any) -> None:
    """Have the webserver's command, `WEBSERVER` imported, serve behind `SameOrigin`."""
    make = webserver.create_app_from_workspace_process_context

    def make_guarded(*arguments: Any, **options: Any) -> SameOrigin:
        # Not by `Settings`, whose import takes 2 MB.
        return SameOrigin(make(*arguments, **options), os.environ.get("VP_DAGSTER_URL", ""))

    webserver.create_app_from_workspace_process_context = make_guarded


class SameOrigin:
    """An ASGI application that gets requests of its own pages, of links to them, and of programs."""

    def __init__(self, app: App, url: str) -> None:
        """`url`: where people reach it; its host is one more that may be asked for."""
        self._app = app
        address = _ADDRESS.fullmatch(url.lower())
        self._own = address[1] if address else ""
        self._names = NAMES | {_name(self._own)}

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it with a sentence."""
        refusal = self._refusal(scope) if scope["type"] in ("http", "websocket") else None
        if refusal is None:
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008, "reason": refusal[1]})
        else:
            await _answer(send, *refusal)

    def _refusal(self, scope: Message) -> Refusal | None:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        host = headers.get("host", "").lower()
        if not _name(host) or _name(host) not in self._names:
            return 400, "Dagster does not answer to this host name: VP_DAGSTER_URL has the one it answers to."
        if "origin" in headers:
            origin = _ORIGIN.fullmatch(headers["origin"].lower())
            if origin is None or origin[1] not in (host, self._own):
                return 403, "This request comes from a page of another origin."
        if headers.get("sec-fetch-site") in ("cross-site", "same-site") and not _is_link(scope, headers):
            return (
                403,
                "This request comes from a page of another origin: only links lead from there to here.",
            )
        return _graphql_refusal(scope, headers) if scope["type"] == "http" else None


def _name(host: str) -> str:
    """Of a host with or without a port; empty if it is neither."""
    found = _HOST.fullmatch(host)
    return found[1] if found else ""


def _is_link(scope: Message, headers: Mapping[str, str]) -> bool:
    """Whether a browser opens a page in a tab, and not in a frame of another."""
    return (
        scope["type"] == "http"
        and scope["method"] in _READS
        and headers.get("sec-fetch-mode") == "navigate"
        and headers.get("sec-fetch-dest", "document") == "document"
        and not _is_graphql(scope)
        and "/report_asset_" not in scope["path"]
    )


def _is_graphql(scope: Message) -> bool:
    return bool(scope["path"].rstrip("/").endswith("/graphql"))


def _graphql_refusal(scope: Message, headers: Mapping[str, str]) -> Refusal | None:
    """Whatever a page may send without being asked whether it may: a read, or a form's content types."""
    if not _is_graphql(scope):
        return None
    if scope["method"] in _READS:
        asked = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        return (405, "A query is sent by POST, as JSON.") if "query" in asked else None
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if scope["method"] == "POST" and kind != "application/json":
        return 415, "A query is sent as application/json."
    return None


async def _answer(send: Send, status: int, sentence: str) -> None:
    body = f"{sentence}\n".encode()
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
