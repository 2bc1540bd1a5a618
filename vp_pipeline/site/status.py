"""The status page: what is stored of every market, and why something is not.

Here belongs the page; its questions to Postgres are in `status_queries`.
"""

from datetime import UTC, datetime
from operator import attrgetter

from fastapi import APIRouter, Request, Response

from vp_pipeline.site import status_queries
from vp_pipeline.site.database import reading
from vp_pipeline.site.documents import path_of
from vp_pipeline.site.pages import page, settings_of
from vp_pipeline.storage import artifacts

router = APIRouter(include_in_schema=False)

MOST_RUNS = 8


@router.api_route("/status", methods=["GET", "HEAD"])
def status(request: Request) -> Response:
    """One line a market of the markets file."""
    settings = settings_of(request)
    with reading(request) as connection:
        window = status_queries.last_day(connection)
        markets = status_queries.market_statuses(connection, settings.catalog.markets, window)
        listed = artifacts.listing(connection)
    now = settings.catalog.time_of(datetime.now(UTC))
    return page(
        request,
        "status.html",
        window=window,
        markets=markets,
        now=now,
        runs=sorted(listed, key=attrgetter("created_at"), reverse=True)[:MOST_RUNS],
        dagster=str(settings.dagster_url).rstrip("/"),
        path_of=path_of,
    )
