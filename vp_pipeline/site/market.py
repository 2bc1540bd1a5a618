"""The market page: one instrument over one window, its whole state in the address.

Here belongs what the page says and which views are kept for the next reader. The state is in
`market_state`, what is stored in `market_data`.
"""

import threading
import time
from collections import OrderedDict
from datetime import UTC, datetime, timedelta
from typing import Any

from fastapi import APIRouter, HTTPException, Request, Response

from vp_pipeline.analytics.timeframes import MINUTES
from vp_pipeline.settings import Settings
from vp_pipeline.site import bar_queries, market_data, market_state
from vp_pipeline.site.database import reading
from vp_pipeline.site.market_data import View
from vp_pipeline.site.market_state import CHARTS, MOST_BARS, PERIODS, PLACEMENTS, RULES, State
from vp_pipeline.site.pages import duration, json_script, moment, page, settings_of
from vp_pipeline.storage.connection import Connection
from vp_pipeline.windows import MINUTE

router = APIRouter(include_in_schema=False)

STALE = 30 * MINUTE
_KEPT = 32
# Reasons of missing minutes may change while no volume does.
_KEPT_SECONDS = 60.0


class Views:
    """Views that were asked for, until their instrument changes."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[State, int], tuple[float, View]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, connection: Connection, settings: Settings, state: State) -> View | None:
        """What the state shows now.

        Raises:
            StateError: as `market_data.view`.
        """
        key = (state, bar_queries.change_number(connection, state.instrument))
        with self._lock:
            made, found = self._kept.get(key, (0.0, None))
        if found is not None and time.monotonic() - made < _KEPT_SECONDS:
            return found
        found = market_data.view(connection, settings, state)
        if found is not None:
            with self._lock:
                self._kept[key] = (time.monotonic(), found)
                self._kept.move_to_end(key)
                while len(self._kept) > _KEPT:
                    self._kept.popitem(last=False)
        return found


@router.api_route("/", methods=["GET", "HEAD"])
def market(request: Request) -> Response:
    """The page; without an instrument that of the first in the markets file."""
    settings = settings_of(request)
    known = settings.catalog.instruments
    if not known:
        return page(request, "market_empty.html", state=None, source=settings.source)
    state = state_of(request)
    found = view_of(request, state)
    common: dict[str, Any] = {"state": state, "instruments": list(known), "periods": list(PERIODS)}
    if found is None:
        return page(request, "market_empty.html", **common, source=settings.source)
    words, warn = freshness(settings, found.stored.end, datetime.now(UTC))
    return page(
        request,
        "market.html",
        **common,
        view=found,
        figure=json_script(found.figure_json()),
        last=found.window.end - MINUTE,
        freshness=words,
        stale=warn,
        follows=state.dates is None and settings.source != "replay",
        lead=known[state.instrument].lead,
        venues=[one.name for one in settings.catalog.markets_of(state.instrument)],
        timeframes=_timeframes(found),
        placements=PLACEMENTS,
        rules=RULES,
        charts=CHARTS,
    )


def state_of(request: Request) -> State:
    """The state that the address asks for.

    Raises:
        HTTPException: it cannot be, with the words why.
    """
    try:
        return market_state.read(settings_of(request).catalog, request.query_params.multi_items())
    except market_state.UnknownError as error:
        raise HTTPException(404, str(error)) from error
    except market_state.StateError as error:
        raise HTTPException(422, str(error)) from error


def view_of(request: Request, state: State) -> View | None:
    """What the state shows now; None if nothing of its instrument is stored.

    Raises:
        HTTPException: the timeframe or the placement does not go with the window.
    """
    settings = settings_of(request)
    kept: Views = request.app.state.views
    try:
        with reading(request) as connection:
            return kept.get(connection, settings, state)
    except market_state.StateError as error:
        raise HTTPException(422, str(error)) from error


def _timeframes(found: View) -> list[str]:
    """Those that have few enough candles in the window."""
    minutes = found.window.count(MINUTE)
    return [name for name, length in MINUTES.items() if minutes <= length * MOST_BARS]


def freshness(settings: Settings, end: datetime, now: datetime) -> tuple[str, bool]:
    """How old the newest minute is, and whether that is a matter to warn about."""
    newest = f"last minute {end - MINUTE:%H:%M} UTC"
    if settings.source == "replay":
        recorded = settings.recorded_minutes()
        until = f" The recording ends at {moment(recorded.end)}." if recorded else ""
        return f"Recorded data: the {newest} of {end - MINUTE:%Y-%m-%d} stays the last.{until}", False
    age = max(now - end, timedelta())
    if age <= STALE:
        return f"{newest[0].upper()}{newest[1:]}, closed {duration(age)} ago", False
    return f"Last minute {moment(end - MINUTE)}, closed {duration(age)} ago: nothing has come in since", True
