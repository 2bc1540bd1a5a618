"""The page on strategies: what the tearsheets rest on, as a table.

Here belongs the page; its questions to Postgres are in `strategy_queries`, all figures in `analytics`.
"""

from fastapi import APIRouter, Request, Response

from vp_pipeline.site import strategy_queries
from vp_pipeline.site.database import reading
from vp_pipeline.site.documents import path_of
from vp_pipeline.site.pages import figure_json, page
from vp_pipeline.storage import artifacts

router = APIRouter(include_in_schema=False)


@router.api_route("/strategies", methods=["GET", "HEAD"])
def strategies(request: Request) -> Response:
    """Figures after costs as they were stored, with their intervals, and growth of every strategy."""
    with reading(request) as connection:
        net = strategy_queries.net(connection)
        summary = strategy_queries.summary(connection)
        sheets = {one.name: path_of(one) for one in artifacts.listing(connection)}
    if summary.empty or len(net) < 2:
        return page(request, "strategies.html", rows=[])
    # Loaded when first needed: plotly's figures take memory that a site nobody looks at need not hold.
    from vp_pipeline.figures.growth import growth_figure

    titles = dict(zip(summary["strategy"], summary["title"], strict=True))
    shown = [name for name in summary["strategy"] if name in net.columns]
    return page(
        request,
        "strategies.html",
        rows=summary.to_dict("records"),
        sheets={name: sheets.get(f"tearsheets/{name}") for name in titles},
        league=sheets.get("tearsheets/league"),
        first=net.index[0],
        last=net.index[-1],
        figure=figure_json(growth_figure(net[shown].rename(columns=titles))),
    )
