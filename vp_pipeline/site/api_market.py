"""For programs: instruments, markets, candles and minutes.

Here belong those answers, from the same queries as the pages. Their form is in `answers`; profiles and
levels are in `api_profile`.
"""

from datetime import UTC, datetime
from typing import Annotated

import pandas as pd
from fastapi import APIRouter, HTTPException, Query, Request, Response

from vp_pipeline.analytics.timeframes import MINUTES, floor, resample
from vp_pipeline.site import bar_queries, status_queries
from vp_pipeline.site.answers import PROBLEMS, answer, number, page_of
from vp_pipeline.site.api_models import (
    Candle,
    Candles,
    Instrument,
    Instruments,
    Latest,
    Market,
    Markets,
    Minute,
    Minutes,
    ProvisionalMinute,
)
from vp_pipeline.site.database import reading
from vp_pipeline.site.live import told_of
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
from vp_pipeline.storage import candles, latest
from vp_pipeline.windows import MINUTE, Window

router = APIRouter(prefix="/api/v1", responses=PROBLEMS, tags=["market"])

_CANDLE = tuple(Candle.model_fields)
_MINUTE = tuple(Minute.model_fields)


@router.get("/instruments", response_model=Instruments)
@router.get("/instruments.csv", include_in_schema=False)
def instruments(request: Request) -> Response:
    """What is aggregated, from when to when, and which market leads."""
    settings = settings_of(request)
    rows = []
    with reading(request) as connection:
        for name, one in settings.catalog.instruments.items():
            stored = bar_queries.extent(connection, name)
            rows.append(
                {
                    "instrument": name,
                    "row_size": one.row_size,
                    "lead": one.lead,
                    "markets": len(settings.catalog.markets_of(name)),
                    "first_minute": stored and stored.start,
                    "last_minute": stored and stored.end - MINUTE,
                    "change": bar_queries.change_number(connection, name),
                }
            )
    return answer(request, rows, tuple(Instrument.model_fields))


@router.get("/markets", response_model=Markets)
@router.get("/markets.csv", include_in_schema=False)
@router.get("/status", response_model=Markets)
@router.get("/status.csv", include_in_schema=False)
def markets(request: Request) -> Response:
    """Every market: last minute, how long ago it closed, how much of the last day is there, why not all."""
    settings = settings_of(request)
    now = settings.catalog.time_of(datetime.now(UTC))
    with reading(request) as connection:
        window = status_queries.last_day(connection)
        found = status_queries.market_statuses(connection, settings.catalog.markets, window)
    rows = [
        {
            "market": one.name,
            "state": "retired" if one.retired else "live",
            "last_minute": one.last_minute,
            "lag_seconds": None if (lag := one.lag(now)) is None else int(lag.total_seconds()),
            "rows": one.rows,
            "expected_24h": one.expected,
            "got_24h": one.got,
            "empty_24h": one.empty,
            "reason": one.reason,
        }
        for one in found
    ]
    columns = tuple(Market.model_fields)
    return answer(request, rows, columns, source=settings.source, label=settings.label)


@router.get("/candles", response_model=Candles)
@router.get("/candles.csv", include_in_schema=False)
def candle_list(
    request: Request,
    start: Start,
    end: End,
    instrument: Annotated[str | None, Query(description="Of /api/v1/instruments.", examples=["BTC"])] = None,
    market: Annotated[str | None, Query(description="Of /api/v1/markets, instead of an instrument.")] = None,
    timeframe: Annotated[str, Query(description=f"One of {', '.join(MINUTES)}.", examples=["1h"])] = "1h",
    limit: Limit = USUAL_ROWS,
) -> Response:
    """Candles of [start, end), at most `limit`; `complete` is false where minutes are not there."""
    settings = settings_of(request)
    if timeframe not in MINUTES:
        raise HTTPException(422, f"timeframe: there is no {timeframe!r}. There are: {', '.join(MINUTES)}.")
    if (instrument is None) == (market is None):
        raise HTTPException(422, "instrument: name an instrument or a market, one of the two.")
    window = window_of(start, end)
    # Where a candle begins, so that none is cut in two by the end of a page.
    reach = window.start + (limit + 1) * MINUTES[timeframe] * MINUTE
    reach = min(window.end, floor(pd.Timestamp(reach), timeframe).to_pydatetime())
    asked = Window(window.start, reach)
    if asked.count(MINUTE) > MOST_ROWS * 60 and MINUTES[timeframe] < 60:
        raise HTTPException(422, "limit: so many minutes are not read at once: choose a smaller limit.")
    with reading(request) as connection:
        if instrument is not None:
            check_known("instrument", instrument, list(settings.catalog.instruments))
            frame = bar_queries.bars(connection, instrument, asked, timeframe)
        else:
            check_known("market", str(market), [one.name for one in settings.catalog.markets])
            if asked.count(MINUTE) > MOST_ROWS * 60:
                raise HTTPException(
                    422, "limit: so many minutes are not read at once: choose a smaller limit."
                )
            numbers = bar_queries.market_number(connection, str(market))
            columns = ["open_time", "open", "high", "low", "close", "volume"]
            frame = resample(candles.read(connection, numbers, asked, columns), timeframe)
    rows = [
        {name: number(value) for name, value in row.items()}
        for row in frame[list(_CANDLE)].to_dict("records")
    ]
    for row in rows:
        row["open_time"] = row["open_time"].to_pydatetime()
    kept, following = page_of([{str(k): v for k, v in row.items()} for row in rows], limit, "open_time")
    if following is None and reach < window.end:
        following = reach
    after = None if following is None else {"start": _stamp(following)}
    return answer(request, kept, _CANDLE, after=after, series=instrument or market, timeframe=timeframe)


@router.get("/aggregate", response_model=Minutes)
@router.get("/aggregate.csv", include_in_schema=False)
def aggregate(
    request: Request, instrument: InstrumentName, start: Start, end: End, limit: Limit = USUAL_ROWS
) -> Response:
    """The minutes of [start, end) as they are stored, at most `limit`; prices are as the lead traded."""
    check_known("instrument", instrument, list(settings_of(request).catalog.instruments))
    window = window_of(start, end)
    with reading(request) as connection:
        found = bar_queries.stored_minutes(connection, instrument, window, limit + 1)
    rows = [{name: number(value) for name, value in zip(_MINUTE, row, strict=True)} for row in found]
    kept, following = page_of(rows, limit, "open_time")
    after = None if following is None else {"start": _stamp(following)}
    return answer(request, kept, _MINUTE, after=after, instrument=instrument)


@router.get("/latest", response_model=Latest)
@router.get("/latest.csv", include_in_schema=False)
def latest_minutes(request: Request, instrument: InstrumentName) -> Response:
    """Minutes after the last candle, of the lead market alone: provisional, in US dollars, soon replaced.

    `read_at` is when the lead was last asked, null if never; `late_seconds` later that is overdue.
    """
    settings = settings_of(request)
    check_known("instrument", instrument, list(settings.catalog.instruments))
    with reading(request) as connection:
        found = latest.read(connection, instrument)
    nothing = latest.Latest(settings.catalog.instruments[instrument].lead, None, "not asked yet", ())
    told = told_of(found or nothing, settings)
    return answer(
        request, told.pop("minutes"), tuple(ProvisionalMinute.model_fields), instrument=instrument, **told
    )


def _stamp(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")
