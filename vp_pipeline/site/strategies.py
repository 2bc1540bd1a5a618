"""The page on strategies: what the tearsheets rest on, as a table.

Here belongs the page; its questions to Postgres are in `strategy_queries`, all figures in `analytics`.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from fastapi import APIRouter, Request, Response

from vp_pipeline.analytics.strategies import STRATEGIES, Performance, performance
from vp_pipeline.site import strategy_queries
from vp_pipeline.site.database import reading
from vp_pipeline.site.documents import path_of
from vp_pipeline.site.pages import figure_json, page
from vp_pipeline.storage import artifacts

router = APIRouter(include_in_schema=False)


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
        returns = strategy_queries.returns(connection)
        net = strategy_queries.net(connection)
        summary = strategy_queries.summary(connection)
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
