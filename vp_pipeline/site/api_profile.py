"""For programs: volume by price of any window, and the levels of the days.

Here belong those two answers, from the same views and queries as the market page. Their form is in `answers`.
"""

from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Request, Response

from vp_pipeline.analytics.price_rows import Placement
from vp_pipeline.analytics.value_area import Rule
from vp_pipeline.site import level_queries
from vp_pipeline.site.answers import PROBLEMS, answer, number, page_of
from vp_pipeline.site.api_models import DayLevels, Levels, Profile
from vp_pipeline.site.database import reading
from vp_pipeline.site.market import view_of
from vp_pipeline.site.market_state import State
from vp_pipeline.site.pages import settings_of
from vp_pipeline.site.parameters import (
    MOST_ROWS,
    USUAL_ROWS,
    End,
    InstrumentName,
    Limit,
    Start,
    check_known,
    window_of,
)

router = APIRouter(prefix="/api/v1", responses=PROBLEMS, tags=["market"])

_LEVELS = tuple(DayLevels.model_fields)


@router.get("/profile", response_model=Profile)
@router.get("/profile.csv", include_in_schema=False)
def profile(
    request: Request,
    instrument: InstrumentName,
    start: Start,
    end: End,
    venue: Annotated[
        list[str] | None, Query(description="These markets alone; all if none is named.")
    ] = None,
    placement: Annotated[Placement, Query(description="Where a candle's volume goes.")] = "uniform",
    rule: Annotated[Rule, Query(description="How the value area grows.")] = "two-row",
) -> Response:
    """Volume by price of [start, end) in US dollars, by venue and together, with POC and value area."""
    settings = settings_of(request)
    check_known("instrument", instrument, list(settings.catalog.instruments))
    names = [one.name for one in settings.catalog.markets_of(instrument)]
    for one in venue or ():
        check_known("venue", one, names)
    if placement == "trades":
        raise HTTPException(
            422, "placement: trades are not stored: choose uniform, touched, midpoint or close."
        )
    window = window_of(start, end)
    if (window.start.second, window.end.second, window.start.microsecond, window.end.microsecond) != (0,) * 4:
        raise HTTPException(422, "start: must be a whole minute, and end too.")
    chosen = tuple(name for name in names if name in (venue or ()))
    state = State(instrument, dates=window, venues=chosen, placement=placement, rule=rule)
    found = view_of(request, state)
    if found is None or found.levels is None:
        return answer(
            request,
            [],
            ("price", "volume"),
            instrument=instrument,
            row_size=settings.catalog.instruments[instrument].row_size,
            levels=None,
            coverage=found and found.coverage,
            lacking_hours=found.lacking_hours if found else 0,
        )
    whole = found.levels.rows
    if len(whole.volume) > MOST_ROWS:
        raise HTTPException(
            422, f"end: this has more than {MOST_ROWS:,} price rows: choose a shorter window."
        )
    parts = {
        name: rows.between(whole.first_row, len(whole.volume)).volume for name, rows in found.venues.items()
    }
    rows = [
        {
            "price": float(price),
            "volume": float(volume),
            **{name: float(part[at]) for name, part in parts.items()},
        }
        for at, (price, volume) in enumerate(zip(whole.price, whole.volume, strict=True))
        if volume > 0
    ]
    area = found.levels.area
    levels = {"poc": area.poc, "vah": area.vah, "val": area.val, "share": found.levels.share}
    return answer(
        request,
        rows,
        ("price", "volume", *parts),
        instrument=instrument,
        row_size=whole.row_size,
        levels={**levels, "volume": whole.total},
        coverage=found.coverage,
        lacking_hours=found.lacking_hours,
    )


@router.get("/levels", response_model=Levels)
@router.get("/levels.csv", include_in_schema=False)
def levels(
    request: Request, instrument: InstrumentName, start: Start, end: End, limit: Limit = USUAL_ROWS
) -> Response:
    """Levels of the days that begin within [start, end), with intervals; what is naked at the end."""
    settings = settings_of(request)
    check_known("instrument", instrument, list(settings.catalog.instruments))
    window = window_of(start, end)
    with reading(request) as connection:
        found = connection.execute(
            f"SELECT {', '.join(_LEVELS)} FROM volume_profile WHERE base = %s"  # noqa: S608  # constant names
            " AND day >= %s AND day < %s ORDER BY day LIMIT %s",
            [instrument, window.start, window.end, limit + 1],
        ).fetchall()
        naked = level_queries.naked_pocs(connection, instrument, window.end)
    rows: list[dict[str, Any]] = [
        {name: number(value) for name, value in zip(_LEVELS, row, strict=True)} for row in found
    ]
    kept, following = page_of(rows, limit, "day")
    after = None if following is None else {"start": f"{following}T00:00:00Z"}
    told = [{"day": str(one.day), "poc": one.price} for one in naked]
    return answer(request, kept, _LEVELS, after=after, instrument=instrument, naked=told)
