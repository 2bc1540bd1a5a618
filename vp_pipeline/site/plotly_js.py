"""plotly.js, its official bundle for finance, under a name that holds its hash.

Here belongs serving that one file: a browser keeps it for good, a new version has a new name. The bundle has
the traces that the site draws, in a third of the bytes of the whole that artifacts carry. `vendor` has it as
`npm pack plotly.js-finance-dist-min` gives it; of a newer one VERSION and SHA256 here change too.
"""

import gzip
import hashlib
import re
from functools import cache
from importlib import resources

from fastapi import APIRouter, Request, Response

router = APIRouter(include_in_schema=False)

VERSION = "4.1.0"
SHA256 = "9993f6d57ffd52d7417a9e89b666679ff69078e7c2816b43ab9ecdea9fa4709d"


def _read() -> bytes:
    return (resources.files("vp_pipeline.site") / "vendor" / "plotly-finance.min.js").read_bytes()


def _name_and_map_style() -> tuple[str, str]:
    source = _read()
    found = re.search(rb'getElementById\("([0-9a-f]{64})"\)', source)
    return hashlib.sha256(source).hexdigest()[:16], found[1].decode() if found else ""


_VERSION, MAP_STYLE_ID = _name_and_map_style()
"""`MAP_STYLE_ID`: where an element of this id stands, plotly.js leaves out its inline styles for maps."""

PLOTLY_PATH = f"/static/plotly-{_VERSION}.min.js"


@cache
def _compressed() -> bytes:
    return gzip.compress(_read(), compresslevel=6, mtime=0)


@router.api_route(PLOTLY_PATH, methods=["GET", "HEAD"])
def plotly_js(request: Request) -> Response:
    """The script, compressed if the browser can read that."""
    headers = {"cache-control": "public, max-age=31536000, immutable", "vary": "Accept-Encoding"}
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(
            _compressed(), media_type="text/javascript", headers=headers | {"content-encoding": "gzip"}
        )
    return Response(_read(), media_type="text/javascript", headers=headers)
