"""For programs: whether the site works, and what is stored, as JSON.

Here belong answers in JSON. Every list is bounded; what was wrong with a request comes as problem+json.
"""

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Request
from pydantic import AwareDatetime, BaseModel, Field

from vp_pipeline.site import bar_queries
from vp_pipeline.site.database import reading
from vp_pipeline.site.documents import path_of
from vp_pipeline.site.errors import HEALTH_PATH
from vp_pipeline.site.pages import settings_of
from vp_pipeline.storage import artifacts
from vp_pipeline.windows import EPOCH, Window

MOST_ROWS = 10_000

Moment = Annotated[AwareDatetime, Field(ge=EPOCH, lt=datetime(3000, 1, 1, tzinfo=UTC))]

router = APIRouter()


class StoredArtifact(BaseModel):
    """What is known of an artifact; `size` and `sha256` are those of the download."""

    name: str
    partition: str
    media_type: str
    size: int
    sha256: str
    run_id: str
    created_at: datetime
    url: str


class Minute(BaseModel):
    """One minute of the aggregate; prices are those of the lead market, null where it did not report."""

    open_time: datetime
    open: float | None
    high: float | None
    low: float | None
    close: float | None
    volume: float
    markets: int
    missing: str


class Minutes(BaseModel):
    """Minutes in order. `next_start` is where to ask on if there are more than fit, else null."""

    instrument: str
    start: datetime
    end: datetime
    next_start: datetime | None
    rows: list[Minute]


@router.get(HEALTH_PATH)
def healthz(request: Request) -> dict[str, str]:
    """Whether the database answers."""
    with reading(settings_of(request)) as connection:
        connection.execute("SELECT 1")
    return {"status": "ok"}


@router.get("/api/v1/artifacts")
def artifact_list(request: Request) -> list[StoredArtifact]:
    """All artifacts by name, newest partition first."""
    with reading(settings_of(request)) as connection:
        listed = artifacts.listing(connection)
    return [StoredArtifact(**vars(one), url=f"/artifacts/{path_of(one)}?download=1") for one in listed]


@router.get("/api/v1/aggregate")
def aggregate(
    request: Request,
    instrument: str,
    start: Annotated[Moment, Query(description="First minute, with a time zone: 2023-03-11T00:00:00Z")],
    end: Annotated[Moment, Query(description="The minute after the last")],
) -> Minutes:
    """The stored minutes of [start, end), at most `MOST_ROWS` of them."""
    known = settings_of(request).catalog.instruments
    if instrument not in known:
        raise HTTPException(404, f"There is no instrument {instrument!r}. There are: {', '.join(known)}.")
    if end <= start:
        raise HTTPException(422, "end: must be after start.")
    window = Window(start.astimezone(UTC), end.astimezone(UTC))
    with reading(settings_of(request)) as connection:
        found = bar_queries.stored_minutes(connection, instrument, window, MOST_ROWS + 1)
    rows: list[dict[str, Any]] = [dict(zip(Minute.model_fields, row, strict=True)) for row in found]
    more = rows.pop() if len(rows) > MOST_ROWS else None
    return Minutes(
        instrument=instrument,
        start=window.start,
        end=window.end,
        next_start=more["open_time"] if more else None,
        rows=[Minute(**row) for row in rows],
    )
