"""Answers for programs: rows as JSON or CSV, in bounded pages, with a mark that tells if one has changed.

Here belongs the form of an answer, the same for all of the API. What is in it is in the `api_*` modules, what
may be asked in `parameters`.
"""

import csv
import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from math import isfinite
from typing import Any

from fastapi import Request, Response
from pydantic import BaseModel

_CSV = "text/csv; charset=utf-8"

Rows = Sequence[Mapping[str, Any]]


class Problem(BaseModel):
    """What was wrong with a request (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str


_EXAMPLE = {
    "type": "about:blank",
    "title": "Not Found",
    "status": 404,
    "detail": "There is no instrument 'DOGE'. There are: BTC, ETH.",
}
_PROBLEM = {"content": {"application/problem+json": {"schema": Problem.model_json_schema()}}}
_MISSING = {
    "content": {"application/problem+json": {"schema": Problem.model_json_schema(), "example": _EXAMPLE}}
}
_AGAIN = {"Retry-After": {"description": "Seconds until then.", "schema": {"type": "integer"}}}
PROBLEMS: dict[int | str, dict[str, Any]] = {
    404: {**_MISSING, "description": "It does not exist; the detail says what does."},
    422: {**_PROBLEM, "description": "A parameter cannot be used; the detail says which and why."},
    429: {**_PROBLEM, "description": "Too many requests of one client: ask again later.", "headers": _AGAIN},
    503: {**_PROBLEM, "description": "The database does not answer."},
}


def answer(
    request: Request,
    rows: Rows,
    columns: Sequence[str],
    *,
    after: Mapping[str, str] | None = None,
    **more: Any,
) -> Response:
    """The rows as the request would have them.

    Args:
        request: a path that ends with .csv, or Accept: text/csv, asks for CSV.
        rows: each with `columns` and, in JSON alone, whatever else.
        columns: of the CSV, in order.
        after: parameters that ask for the next page, None if this was the last.
        more: stands beside the rows in JSON.
    """
    following = None if after is None else str(request.url.include_query_params(**after))
    if _wants_csv(request):
        body, kind = _csv(rows, columns), _CSV
    else:
        whole = {**more, "next": following, "rows": rows}
        body, kind = json.dumps(whole, default=_plain, allow_nan=False).encode(), "application/json"
    return marked(request, body, kind, {} if following is None else {"link": f'<{following}>; rel="next"'})


def marked(request: Request, body: bytes, kind: str, headers: Mapping[str, str]) -> Response:
    """The body with its ETag, or the news that it has not changed."""
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    every = {"etag": tag, "cache-control": "no-cache", "vary": "Accept, Accept-Encoding", **headers}
    if has_already(request, tag):
        return Response(status_code=304, headers=every)
    return Response(body, media_type=kind, headers=every)


def has_already(request: Request, tag: str) -> bool:
    """Whether who asks says that it holds what the tag names."""
    given = (one.strip().removeprefix("W/") for one in request.headers.get("if-none-match", "").split(","))
    return any(one in ("*", tag) for one in given)


def page_of(rows: list[dict[str, Any]], limit: int, key: str) -> tuple[list[dict[str, Any]], Any]:
    """The first `limit` rows, and the key of the next one, None if there is none."""
    return rows[:limit], rows[limit][key] if len(rows) > limit else None


def number(value: Any) -> Any:
    """The value, None for what is no number: JSON knows no NaN."""
    return None if isinstance(value, float) and not isfinite(value) else value


def _wants_csv(request: Request) -> bool:
    if request.url.path.endswith(".csv"):
        return True
    accepted = request.headers.get("accept", "")
    return "text/csv" in accepted and "application/json" not in accepted


def _csv(rows: Rows, columns: Sequence[str]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_written(row[name]) for name in columns] for row in rows)
    return text.getvalue().encode()


def _written(value: Any) -> Any:
    return _plain(value) if isinstance(value, date) else value


def _plain(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    return str(value)
