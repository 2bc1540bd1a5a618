"""The status page: what is stored of every market, and why something is not.

Here belongs the page; its questions to Postgres are in `status_queries`.
"""

from fastapi import APIRouter, Request, Response

from vp_pipeline.site import status_queries
from vp_pipeline.site.database import reading
from vp_pipeline.site.pages import page, settings_of

router = APIRouter(include_in_schema=False)


@router.api_route("/status", methods=["GET", "HEAD"])
def status(request: Request) -> Response:
    """One line a market of the markets file."""
    settings = settings_of(request)
    with reading(settings) as connection:
        window = status_queries.last_day(connection)
        markets = status_queries.market_statuses(connection, settings.catalog.markets, window)
    return page(request, "status.html", window=window, markets=markets)
