"""The market page: one instrument over one period, counted back from its newest stored minute.

Here belongs what the page says. Its questions to Postgres are in `market_queries`, the profile is
computed in `analytics` and drawn in `figures`, by the same functions as the daily artifacts.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from typing import Any

from fastapi import APIRouter, HTTPException, Request, Response

from vp_pipeline.settings import Settings
from vp_pipeline.site import market_queries
from vp_pipeline.site.database import reading
from vp_pipeline.site.market_profile import profile_of
from vp_pipeline.site.market_queries import Gap, Presence
from vp_pipeline.site.pages import duration, figure_json, moment, page, settings_of
from vp_pipeline.storage.connection import Connection
from vp_pipeline.windows import DAY, HOUR, MINUTE, Window

router = APIRouter(include_in_schema=False)

PERIODS: dict[str, timedelta | None] = {
    "1h": HOUR,
    "2h": 2 * HOUR,
    "4h": 4 * HOUR,
    "12h": 12 * HOUR,
    "24h": DAY,
    "7d": 7 * DAY,
    "30d": 30 * DAY,
    "all": None,
}
DEFAULT_PERIOD = "4h"
MOST_REASONS = 3
STALE = 30 * MINUTE


@dataclass(frozen=True)
class MarketMissing:
    """A market that lacks `minutes` of the period, and why, as the last fetch said."""

    market: str
    minutes: int
    reason: str


@router.api_route("/", methods=["GET", "HEAD"])
def market(request: Request, instrument: str | None = None, period: str = DEFAULT_PERIOD) -> Response:
    """The page; without an instrument that of the first in the markets file."""
    settings = settings_of(request)
    known = settings.catalog.instruments
    chosen = instrument or next(iter(known), None)
    if chosen is not None and chosen not in known:
        raise HTTPException(404, f"There is no instrument {chosen!r}. There are: {', '.join(known)}.")
    if period not in PERIODS:
        raise HTTPException(404, f"There is no period {period!r}. There are: {', '.join(PERIODS)}.")
    values: dict[str, Any] = {"instrument": chosen, "instruments": list(known)}
    values |= {"period": period, "periods": list(PERIODS)}
    with reading(settings) as connection:
        stored = market_queries.extent(connection, chosen) if chosen else None
        if chosen is None or stored is None:
            return page(request, "market_empty.html", **values, source=settings.source)
        shown = _window(stored, PERIODS[period])
        content = _content(connection, chosen, shown, known[chosen].row_size)
    return page(
        request,
        "market.html",
        **values,
        **content,
        freshness=_freshness(settings, stored.end, datetime.now(UTC)),
        lead=known[chosen].lead,
    )


def _window(stored: Window, length: timedelta | None) -> Window:
    return stored if length is None else Window(max(stored.start, stored.end - length), stored.end)


def _content(connection: Connection, base: str, window: Window, row_size: float) -> dict[str, Any]:
    # Plotly is large; a site that nobody looks at need not hold it in memory.
    from vp_pipeline.figures.volume_profile import volume_profile_figure

    profile = profile_of(market_queries.placed_minutes(connection, base, window), row_size)
    presence = market_queries.presence(connection, base, window)
    figure = None
    if profile is not None:
        candles = market_queries.bars(connection, base, window, market_queries.bar_length(window))
        figure = volume_profile_figure(candles, profile.rows, profile.area, None, title="")
    return {
        "first": window.start,
        "last": window.end - MINUTE,
        "close": market_queries.newest_close(connection, base, window),
        "presence": presence,
        "missing": _missing(presence, market_queries.gaps(connection, base, window)),
        "profile": profile,
        "figure": figure and figure_json(figure),
    }


def _missing(presence: Presence, gaps: list[Gap]) -> list[MarketMissing]:
    """Markets with missing minutes, most first; reasons of the same hours from the last fetch."""
    reasons: dict[str, list[str]] = {}
    for gap in filter(attrgetter("reason"), gaps):
        reasons.setdefault(gap.market, []).append(gap.reason)
    found = [
        MarketMissing(market, minutes, _in_words(reasons.get(market, [])))
        for market, minutes in presence.missing.items()
    ]
    return sorted(found, key=lambda one: (-one.minutes, one.market))


def _in_words(reasons: list[str]) -> str:
    more = f" and {len(reasons) - MOST_REASONS} more" if len(reasons) > MOST_REASONS else ""
    return "; ".join(reasons[:MOST_REASONS]) + more if reasons else "no reason recorded"


def _freshness(settings: Settings, end: datetime, now: datetime) -> tuple[str, bool]:
    """How old the newest minute is, and whether that is a matter to warn about."""
    if settings.source == "replay":
        recorded = settings.recorded_minutes()
        until = f" The recording ends at {moment(recorded.end)}." if recorded else ""
        return f"Recorded data: the newest minute stays {moment(end - MINUTE)}.{until}", False
    age = now - end
    if age <= STALE:
        return f"Newest minute closed {duration(max(age, timedelta()))} ago.", False
    return f"Newest minute closed {duration(age)} ago: nothing has come in since.", True
