"""For programs: whether the site works, and the minutes of the aggregate as they are stored.

Here belong these two; everything else is in `api_market` and `api_tables`.
"""

from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, HTTPException, Request
from pydantic import BaseModel

from vp_pipeline.site import bar_queries
from vp_pipeline.site.answers import PROBLEMS, End, Start
from vp_pipeline.site.database import reading
from vp_pipeline.site.errors import HEALTH_PATH
from vp_pipeline.site.pages import settings_of
from vp_pipeline.windows import Window

MOST_ROWS = 10_000

router = APIRouter()


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
    with reading(request) as connection:
        connection.execute("SELECT 1")
    return {"status": "ok"}


@router.get("/api/v1/aggregate", responses=PROBLEMS, tags=["market"])
def aggregate(
    request: Request,
    instrument: str,
    start: Start,
    end: End,
) -> Minutes:
    """The stored minutes of [start, end), at most `MOST_ROWS` of them."""
    known = settings_of(request).catalog.instruments
    if instrument not in known:
        raise HTTPException(404, f"There is no instrument {instrument!r}. There are: {', '.join(known)}.")
    if end <= start:
        raise HTTPException(422, "end: must be after start.")
    window = Window(start.astimezone(UTC), end.astimezone(UTC))
    with reading(request) as connection:
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
