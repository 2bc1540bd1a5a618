"""The page on sessions: volatility by weekday and session, as of any day, over any span that is stored.

Here belongs the page; its questions to Postgres are in `session_queries`, all figures in `analytics`.
"""

from collections.abc import Hashable
from datetime import date
from typing import Annotated, Any
from urllib.parse import urlencode

import pandas as pd
from fastapi import APIRouter, HTTPException, Query, Request, Response

from vp_pipeline.analytics.sessions import SESSIONS, WEEKDAYS
from vp_pipeline.site import session_queries
from vp_pipeline.site.database import reading
from vp_pipeline.site.documents import path_of
from vp_pipeline.site.pages import DASH, page, settings_of

router = APIRouter(include_in_schema=False)

SHADES = 6
SESSION_HOURS = {name: f"{start:02}{DASH}{end:02}" for name, (start, end) in SESSIONS.items()}
SPANS = {"30d": "30 days", "90d": "90 days", "1y": "a year", "all": "all days"}
_HORIZONS = {"bar": 0, "1h": 1, "1d": 2}
_QUARTERS = {"quarter": "By quarter of the hour, scaled to one hour"}


@router.api_route("/sessions", methods=["GET", "HEAD"])
def sessions(
    request: Request,
    series: str | None = None,
    span: str = "all",
    day: Annotated[date | None, Query(description="As of the end of this day.")] = None,
) -> Response:
    """The tables of one series, `series` being SYMBOL-interval; the newest day if none is given."""
    with reading(request) as connection:
        # In the order of the markets file; what is stored and no longer in it comes last.
        named = [(one.symbol, one.interval) for one in settings_of(request).catalog.klines]
        found = session_queries.series(connection)
        ordered = [key for key in named if key in found] + [key for key in found if key not in named]
        stored = {"-".join(key): key for key in ordered}
        if not stored:
            return page(request, "sessions.html", series=None)
        chosen = series or next(iter(stored))
        if chosen not in stored:
            raise HTTPException(404, f"There is no series {chosen!r}. There are: {', '.join(stored)}.")
        days = session_queries.days(connection, *stored[chosen], day)
        if days.chosen is None:
            raise HTTPException(
                404, f"There is no table of {day}. There are some from {days.first} to {days.last}."
            )
        there = session_queries.spans(connection, *stored[chosen], days.chosen)
        if span not in there:
            known = ", ".join(name for name in SPANS if name in there)
            raise HTTPException(404, f"There is no span {span!r} on {days.chosen}. There are: {known}.")
        table = session_queries.table(connection, *stored[chosen], days.chosen, span)
        report = session_queries.report(connection, *stored[chosen], days.chosen)

    def address(**changes: object) -> str:
        state = {"series": chosen, "span": span, "day": day, **changes}
        usual = {"span": "all", "day": None}
        return "/sessions?" + urlencode({k: v for k, v in state.items() if v != usual.get(k, "")})

    grouped = {name: _records(group) for name, group in table.groupby("grouping")}
    return page(
        request,
        "sessions.html",
        series=chosen,
        all_series=list(stored),
        spans={name: words for name, words in SPANS.items() if name in there},
        span=span,
        day=day,
        days=days,
        address=address,
        report=report and path_of(report),
        groups=grouped,
        quarters=_QUARTERS,
        grid=_grid(table[table["grouping"] == "weekday_session"]),
        weekdays=WEEKDAYS,
        sessions=SESSION_HOURS,
    )


def _records(table: pd.DataFrame) -> list[dict[Hashable, Any]]:
    """One dict a row, weekdays, sessions and quarters in their usual order."""
    order = {name: place for place, name in enumerate([*WEEKDAYS, *SESSIONS])}
    label = table["weekday"] + table["session"] + table["minute"]
    place = label.map(lambda name: order.get(name, -1))
    made = table.assign(label=label, place=place, longer=table["horizon"].map(_HORIZONS.get))
    return made.sort_values(["place", "label", "longer"]).to_dict("records")


def _grid(table: pd.DataFrame) -> dict[tuple[str, str], tuple[float, int]]:
    """By weekday and session: the volatility, and its shade from 0 to SHADES - 1."""
    value = table["volatility_pct"]
    low, high = value.min(), value.max()
    share = (value - low) / (high - low) if high > low else value * 0
    shade = (share.fillna(0) * (SHADES - 1)).round().astype(int)
    keys = zip(table["weekday"], table["session"], strict=True)
    return dict(zip(keys, zip(value, shade, strict=True), strict=True))
