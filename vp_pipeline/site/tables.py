"""The pages on sessions and strategies: what the reports rest on, as tables.

Here belong the pages; their questions to Postgres are in `table_queries`, all figures in `analytics`.
"""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from fastapi import APIRouter, HTTPException, Request, Response

from vp_pipeline.analytics.sessions import SESSIONS, WEEKDAYS
from vp_pipeline.analytics.strategies import STRATEGIES, Performance, performance
from vp_pipeline.site import table_queries
from vp_pipeline.site.database import reading
from vp_pipeline.site.documents import path_of
from vp_pipeline.site.pages import DASH, figure_json, page
from vp_pipeline.storage import artifacts

router = APIRouter(include_in_schema=False)

SHADES = 6
SESSION_HOURS = {name: f"{start:02}{DASH}{end:02}" for name, (start, end) in SESSIONS.items()}


@router.api_route("/sessions", methods=["GET", "HEAD"])
def sessions(request: Request, series: str | None = None) -> Response:
    """Volatility by weekday and session of one series, `series` being SYMBOL-interval."""
    with reading(request) as connection:
        stored = {"-".join(key): key for key in table_queries.session_series(connection)}
        if not stored:
            return page(request, "sessions.html", series=None)
        chosen = series or next(iter(stored))
        if chosen not in stored:
            raise HTTPException(404, f"There is no series {chosen!r}. There are: {', '.join(stored)}.")
        table = table_queries.session_table(connection, *stored[chosen])
        report = table_queries.session_report(connection, *stored[chosen])
    return page(
        request,
        "sessions.html",
        series=chosen,
        all_series=list(stored),
        report=report and path_of(report),
        groups={name: _records(table[table["grouping"] == name]) for name in ("all", "session", "weekday")},
        grid=_grid(table[table["grouping"] == "weekday_session"]),
        weekdays=WEEKDAYS,
        sessions=SESSION_HOURS,
    )


def _records(table: pd.DataFrame) -> list[dict[Hashable, Any]]:
    """One dict a row, weekdays and sessions in their usual order."""
    order = {name: place for place, name in enumerate([*WEEKDAYS, *SESSIONS])}
    label = table["weekday"] + table["session"]
    place = label.map(lambda name: order.get(name, -1))
    return table.assign(label=label, place=place).sort_values("place").to_dict("records")


def _grid(table: pd.DataFrame) -> dict[tuple[str, str], tuple[float, int]]:
    """By weekday and session: the volatility, and its shade from 0 to SHADES - 1."""
    value = table["volatility_pct"]
    low, high = value.min(), value.max()
    share = (value - low) / (high - low) if high > low else value * 0
    shade = (share.fillna(0) * (SHADES - 1)).round().astype(int)
    keys = zip(table["weekday"], table["session"], strict=True)
    return dict(zip(keys, zip(value, shade, strict=True), strict=True))


@dataclass(frozen=True)
class StrategyRow:
    """One strategy's line: returns as fractions; `sheet` is the path of its tearsheet."""

    name: str
    title: str
    looks_ahead: bool
    performance: Performance
    total: float
    sheet: str | None


@router.api_route("/strategies", methods=["GET", "HEAD"])
def strategies(request: Request) -> Response:
    """Key figures and growth of every strategy with stored returns."""
    with reading(request) as connection:
        returns = table_queries.strategy_returns(connection)
        net = table_queries.strategy_net(connection)
        summary = table_queries.strategy_summary(connection)
        sheets = {one.name: path_of(one) for one in artifacts.listing(connection)}
    if len(returns) < 2:
        return page(request, "strategies.html", rows=[])
    # Loaded when first needed: plotly's figures take memory that a site nobody looks at need not hold.
    from vp_pipeline.figures.growth import growth_figure

    if len(summary) and len(net) > 1:
        return _league(request, summary, net, sheets)
    rows = [_strategy_row(name, returns[name].dropna(), sheets) for name in returns.columns]
    titles = {row.name: row.title for row in rows}
    return page(
        request,
        "strategies.html",
        rows=rows,
        first=returns.index[0],
        last=returns.index[-1],
        figure=figure_json(growth_figure(returns.rename(columns=titles))),
    )


def _league(request: Request, summary: pd.DataFrame, net: pd.DataFrame, sheets: dict[str, str]) -> Response:
    """The page of figures after costs, as they were stored with their intervals."""
    from vp_pipeline.figures.growth import growth_figure

    titles = dict(zip(summary["strategy"], summary["title"], strict=True))
    shown = [name for name in summary["strategy"] if name in net.columns]
    return page(
        request,
        "league.html",
        rows=summary.to_dict("records"),
        sheets={name: sheets.get(f"tearsheets/{name}") for name in titles},
        league=sheets.get("tearsheets/league"),
        first=net.index[0],
        last=net.index[-1],
        figure=figure_json(growth_figure(net[shown].rename(columns=titles))),
    )


def _strategy_row(name: str, returns: "pd.Series[float]", sheets: dict[str, str]) -> StrategyRow:
    known = STRATEGIES.get(name)
    return StrategyRow(
        name,
        known.title if known else name,
        known.looks_ahead if known else False,
        performance(returns),
        float(np.prod(1 + returns.to_numpy()) - 1),
        sheets.get(f"tearsheets/{name}"),
    )
