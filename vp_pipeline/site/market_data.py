"""One view of the market: everything that its page and the API say of a window.

Here belongs putting the stored parts together, from one state of the database. What is asked of Postgres
is in the `*_queries` modules, what is drawn in `figures.market`.
"""

import json
from dataclasses import dataclass
from datetime import datetime
from math import isfinite

import numpy as np
import pandas as pd

from vp_pipeline.analytics.errors import NotEnoughData
from vp_pipeline.analytics.price_rows import PriceRows
from vp_pipeline.analytics.value_area import ValueArea, value_area
from vp_pipeline.figures.market import Chart, Figure, market_chart
from vp_pipeline.settings import Settings
from vp_pipeline.site import bar_queries, level_queries, venue_queries
from vp_pipeline.site.level_queries import Day, Missing, Naked
from vp_pipeline.site.market_state import State
from vp_pipeline.storage.connection import Connection
from vp_pipeline.windows import Window


@dataclass(frozen=True, eq=False)
class Levels:
    """All venues together by price, and what is read from it; volumes in the base asset."""

    rows: PriceRows
    area: ValueArea

    @property
    def share(self) -> float:
        """Part of the volume that the value area holds."""
        return self.area.volume / self.rows.total


@dataclass(frozen=True, eq=False)
class View:
    """`lacking_hours` are in no profile; `minutes` are stored, `priced` of them have a price."""

    state: State
    window: Window
    stored: Window
    timeframe: str
    bars: pd.DataFrame
    venues: dict[str, PriceRows]
    levels: Levels | None
    lacking_hours: int
    developing: list[tuple[datetime, float]]
    day: Day | None
    naked: list[Naked]
    missing: list[Missing]
    minutes: int
    priced: int
    close: float | None
    number: int

    @property
    def coverage(self) -> float | None:
        """Part of the minutes asked for, over all its venues, that are stored or that no exchange has."""
        known = sum(one.got + one.empty for one in self.missing)
        asked = known + sum(one.unknown + one.unfetchable for one in self.missing)
        return known / asked if asked else None

    @property
    def shares(self) -> list[tuple[str, float, float]]:
        """Each venue's volume and its part of all, largest first."""
        total = sum(rows.total for rows in self.venues.values())
        found = [(name, rows.total, rows.total / total) for name, rows in self.venues.items() if rows.total]
        return sorted(found, key=lambda one: -one[1])

    def figure(self) -> Figure:
        """The chart for plotly.js."""
        day = self.day
        chart = Chart(
            self.bars,
            self.venues,
            self.levels.area if self.levels else None,
            [(node.price, _node_words(node, day)) for node in day.nodes] if day else [],
            [(one.price, f"naked POC {one.day}") for one in self.naked],
            self.developing,
        )
        return market_chart(chart, line=self.state.chart == "line", base=self.state.instrument)

    def figure_json(self) -> str:
        """The same as JSON."""
        return json.dumps(self.figure(), allow_nan=False, separators=(",", ":"))


def view(connection: Connection, settings: Settings, state: State) -> View | None:
    """What the state shows; None if nothing of its instrument is stored.

    Raises:
        StateError: the timeframe or the placement does not go with the window.
    """
    base = state.instrument
    stored = bar_queries.extent(connection, base)
    if stored is None:
        return None
    number = bar_queries.change_number(connection, base)
    window = state.window(stored)
    timeframe = state.timeframe_of(window)
    state.check_placement(window)
    markets = [market.name for market in settings.catalog.markets_of(base)]
    row_size = settings.catalog.instruments[base].row_size
    venues = venue_queries.venues_of(connection, base, row_size, markets, state.venues)
    by_number, lacking = venue_queries.by_venue(connection, venues, window, state.placement)
    minutes, priced = bar_queries.counted(connection, base, window)
    levels = _levels(by_number, row_size, state)
    return View(
        state=state,
        window=window,
        stored=stored,
        timeframe=timeframe,
        bars=bar_queries.bars(connection, base, window, timeframe),
        venues={venues.names[number]: rows for number, rows in by_number.items()},
        levels=levels,
        lacking_hours=lacking,
        developing=venue_queries.developing_poc(connection, venues, window, all_venues=not state.venues),
        day=level_queries.newest_day(connection, base, window.end),
        naked=level_queries.naked_pocs(connection, base, window.end),
        missing=level_queries.missing(connection, dict(venues.names), window),
        minutes=minutes,
        priced=priced,
        close=bar_queries.newest_close(connection, base, window),
        number=number,
    )


def _levels(by_number: dict[int, PriceRows], row_size: float, state: State) -> Levels | None:
    rows = PriceRows.sum_of([PriceRows(0, row_size, np.zeros(0)), *by_number.values()])
    try:
        return Levels(rows, value_area(rows, rule=state.rule))
    except NotEnoughData:
        return None


def _node_words(node: level_queries.DayNode, day: Day) -> str:
    words = f"{node.kind} volume node of {day.day}: {node.price:,.10g}"
    if node.low is not None and node.high is not None and isfinite(node.low + node.high):
        words += f", {node.low:,.10g} to {node.high:,.10g}"
    return words + (f", {node.share:.0%} of the volume" if node.share is not None else "")
