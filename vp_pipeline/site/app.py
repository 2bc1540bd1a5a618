"""The website as an ASGI application.

Here belongs putting the parts together: routes, error pages, headers. What a page says is in its module.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from anyio.to_thread import current_default_thread_limiter
from fastapi import FastAPI
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.staticfiles import StaticFiles

from vp_pipeline.settings import Settings
from vp_pipeline.site import (
    api_market,
    api_profile,
    api_tables,
    documents,
    errors,
    live,
    market,
    metrics,
    plotly_js,
    sessions,
    status,
    strategies,
)
from vp_pipeline.site.database import Readers
from vp_pipeline.site.headers import CompressedPages, SecurityHeaders
from vp_pipeline.site.limited import Limited
from vp_pipeline.site.pages import STATIC

# Requests answered at once. More would only share the same cores, each with its own frames in memory.
WORKERS = 4


def create_app(settings: Settings) -> FastAPI:
    """The site of these settings. Nothing is read from Postgres before the first request."""
    counts = metrics.Counts()
    app = FastAPI(
        title="vp-pipeline",
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/v1/openapi.json",
        lifespan=_running,
        # Outermost first: refusals carry the security headers too.
        middleware=[
            Middleware(SecurityHeaders),
            Middleware(TrustedHostMiddleware, allowed_hosts=_hosts(settings), www_redirect=False),
            Middleware(metrics.Counted, counts=counts),
            Middleware(Limited, rate=settings.site_rate),
            Middleware(CompressedPages, minimum_size=1000, compresslevel=5),
        ],
    )
    app.state.settings = settings
    app.state.counts = counts
    app.state.kept = metrics.Kept()
    app.state.views = market.Views()
    pages = (market, live, sessions, strategies, status, documents, plotly_js)
    for module in (*pages, api_market, api_profile, api_tables, metrics):
        app.include_router(module.router)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    errors.install(app)
    return app


@asynccontextmanager
async def _running(app: FastAPI) -> AsyncIterator[None]:
    current_default_thread_limiter().total_tokens = WORKERS
    app.state.hub = live.Hub(app.state.settings)
    app.state.readers = Readers(app.state.settings, WORKERS)
    app.state.readers.open()
    yield
    await app.state.hub.close()
    app.state.readers.close()


def _hosts(settings: Settings) -> list[str]:
    # Another site's name that resolves to this machine must not read what is stored here.
    return ["127.0.0.1", "localhost", "[::1]", settings.site_url.host or "localhost"]
