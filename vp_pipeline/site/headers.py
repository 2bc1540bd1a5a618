"""Headers that every response carries, and which compression it gets.

Here belongs what protects the reader's browser. The policies rest on two rules: our own pages run
scripts and styles from static files only; an artifact is somebody's script and may draw, but neither
act on this origin nor reach the network.
"""

import base64
import hashlib

from starlette.datastructures import MutableHeaders
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from vp_pipeline.site.plotly_js import PLOTLY_PATH

# Plotly.js adds an empty <style> and fills it through the CSSOM, which the policy lets through by this hash.
_EMPTY_STYLE = f"'sha256-{base64.b64encode(hashlib.sha256(b'').digest()).decode()}'"

PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; "
    f"style-src 'self' {_EMPTY_STYLE}; img-src 'self' data: blob:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
ARTIFACT_POLICY = (
    "sandbox allow-scripts allow-downloads; default-src 'none'; script-src 'unsafe-inline'; "
    "style-src 'unsafe-inline'; img-src data: blob:; font-src data:; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'self'"
)
# Our page around an artifact may show it in a frame, where the artifact's own policy holds.
PREVIEW_POLICY = f"{PAGE_POLICY}; frame-src 'self'"

_ALWAYS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
_UNLESS_SET = {
    "content-security-policy": PAGE_POLICY,
    "x-frame-options": "DENY",
    "cache-control": "no-cache",
}


class SecurityHeaders:
    """Adds the headers to whatever the application answers, refusals and errors included."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and complete the answer's headers."""

        async def complete(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(_ALWAYS)
                for name, value in _UNLESS_SET.items():
                    headers.setdefault(name, value)
            await send(message)

        await self.app(scope, receive, complete)


class CompressedPages(GZipMiddleware):
    """gzip for pages. Artifacts go out as the bytes their checksum names; plotly.js is kept compressed."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Compress, or hand over untouched."""
        path = scope.get("path", "")
        if path == PLOTLY_PATH or (path.startswith("/artifacts/") and path != "/artifacts/"):
            await self.app(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)
