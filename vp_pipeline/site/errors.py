"""What a visitor sees when something is wrong: a page for people, problem+json (RFC 9457) for programs.

Here belong the exception handlers and their wording, and nothing that answers a request that succeeds.
"""

import logging
from collections.abc import Mapping
from http import HTTPStatus

import psycopg
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from vp_pipeline.site.pages import page
from vp_pipeline.storage.artifacts import ArtifactError

LOG = logging.getLogger(__name__)
HEALTH_PATH = "/healthz"


def install(app: FastAPI) -> None:
    """Register a handler for everything a request can end with."""
    app.exception_handler(HTTPException)(_http)
    app.exception_handler(RequestValidationError)(_invalid)
    app.exception_handler(psycopg.OperationalError)(_unreachable)
    app.exception_handler(psycopg.errors.QueryCanceled)(_too_slow)
    app.exception_handler(psycopg.errors.UndefinedTable)(_not_set_up)
    app.exception_handler(ArtifactError)(_damaged)
    app.exception_handler(Exception)(_unexpected)


def problem(status: int, detail: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """An answer for programs that says what was wrong."""
    body = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    return JSONResponse(body, status, headers, media_type="application/problem+json")


def _answer(request: Request, status: int, detail: str, remedy: str = "") -> Response:
    if request.url.path.startswith("/api/") or request.url.path == HEALTH_PATH:
        return problem(status, f"{detail} {remedy}".strip())
    title = HTTPStatus(status).phrase
    return page(request, "error.html", status=status, title=title, detail=detail, remedy=remedy)


def _http(request: Request, error: HTTPException) -> Response:
    detail = error.detail
    if detail == HTTPStatus(error.status_code).phrase:
        detail = f"{request.url.path}: {detail.lower()}."
    return _answer(request, error.status_code, detail)


def _invalid(request: Request, error: RequestValidationError) -> Response:
    complaints = [f"{'.'.join(map(str, one['loc'][1:]))}: {one['msg']}" for one in error.errors()]
    return _answer(request, 422, "; ".join(complaints))


def _unreachable(request: Request, error: Exception) -> Response:
    LOG.warning("the database does not answer: %s", " ".join(str(error).split()))
    return _answer(
        request,
        503,
        "The database does not answer.",
        "Start the platform, or wait for it to come back, and reload.",
    )


def _too_slow(request: Request, _error: Exception) -> Response:
    return _answer(request, 503, "The database took too long to answer.", "Choose a shorter period.")


def _not_set_up(request: Request, error: Exception) -> Response:
    LOG.warning("the database lacks tables: %s", error)
    return _answer(
        request,
        503,
        "The database has not been set up yet.",
        "Start the platform once: it creates the tables.",
    )


def _damaged(request: Request, error: Exception) -> Response:
    LOG.error("%s", error)
    return _answer(request, 500, f"{error}.")


def _unexpected(request: Request, _error: Exception) -> Response:
    # Starlette raises the error again after this answer, so that the server logs its traceback.
    return _answer(request, 500, "The site made a mistake; the details are in its log.")
