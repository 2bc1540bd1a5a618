"""For programs: sessions, strategies and artifacts.

Here belong those answers, row by row as they are stored. Their form is in `answers`.
"""

from datetime import UTC, date
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Request, Response
from psycopg import sql

from vp_pipeline.site import session_queries
from vp_pipeline.site.answers import PROBLEMS, answer, number
from vp_pipeline.site.api_models import (
    Artifact,
    Artifacts,
    Sessions,
    Strategies,
    StrategyReturn,
    StrategyReturns,
)
from vp_pipeline.site.database import reading
from vp_pipeline.site.documents import path_of
from vp_pipeline.site.parameters import USUAL_ROWS, Limit, Offset, check_known
from vp_pipeline.storage import artifacts
from vp_pipeline.storage.connection import Connection
from vp_pipeline.storage.tables import SESSION_VOLATILITY, STRATEGY_SUMMARY

router = APIRouter(prefix="/api/v1", responses=PROBLEMS, tags=["reports"])

_RETURNS = tuple(StrategyReturn.model_fields)
_ARTIFACT = tuple(Artifact.model_fields)


@router.get("/sessions", response_model=Sessions)
@router.get("/sessions.csv", include_in_schema=False)
def sessions(
    request: Request,
    symbol: Annotated[str, Query(description="A perpetual.", examples=["BTCUSDT"])],
    interval: Annotated[str, Query(description="Length of its bars.", examples=["5m"])],
    day: Annotated[
        date | None, Query(description="As of the end of this day; the newest if not given.")
    ] = None,
    span: Annotated[str | None, Query(description="Of 30d, 90d, 1y and all; every one if not given.")] = None,
    limit: Limit = USUAL_ROWS,
    offset: Offset = 0,
) -> Response:
    """Volatility, volume and taker share by weekday, session and quarter of the hour, with intervals."""
    with reading(request) as connection:
        stored = session_queries.series(connection)
        if (symbol, interval) not in stored:
            known = ", ".join(map(" ".join, stored)) or "none yet"
            raise HTTPException(404, f"There is no series {symbol!r} {interval!r}. There are: {known}.")
        chosen = session_queries.days(connection, symbol, interval, day).chosen
        spans = [] if chosen is None else session_queries.spans(connection, symbol, interval, chosen)
        if span is not None and chosen is not None and span not in spans:
            raise HTTPException(404, f"There is no span {span!r} then. There are: {', '.join(spans)}.")
        columns = list(SESSION_VOLATILITY.columns)
        query = sql.SQL(
            "SELECT {} FROM session_volatility WHERE symbol = %s AND interval = %s AND day = %s"
            " AND span = ANY(%s) ORDER BY span, grouping, weekday, session, minute, horizon"
            " LIMIT %s OFFSET %s"
        ).format(sql.SQL(", ").join(map(sql.Identifier, columns)))
        wanted = spans if span is None else [span]
        found = connection.execute(query, [symbol, interval, chosen, wanted, limit + 1, offset]).fetchall()
    return _paged(request, [_row(columns, row) for row in found], columns, limit, offset)


@router.get("/strategies", response_model=Strategies)
@router.get("/strategies.csv", include_in_schema=False)
def strategies(request: Request) -> Response:
    """A line of figures for each strategy, after costs unless the name says gross."""
    columns = list(STRATEGY_SUMMARY.columns)
    query = sql.SQL("SELECT {} FROM strategy_summary ORDER BY strategy").format(
        sql.SQL(", ").join(map(sql.Identifier, columns))
    )
    with reading(request) as connection:
        found = connection.execute(query).fetchall()
    return answer(request, [_row(columns, row) for row in found], columns)


@router.get("/strategies/{strategy}", response_model=StrategyReturns)
@router.get("/strategies/{strategy}/returns.csv", include_in_schema=False)
def strategy_returns(
    request: Request,
    strategy: str,
    start: Annotated[date, Query(description="First day.")] = date(1970, 1, 1),
    limit: Limit = USUAL_ROWS,
) -> Response:
    """Daily returns before and after costs, oldest first."""
    with reading(request) as connection:
        check_known("strategy", strategy, _strategies(connection))
        found = connection.execute(
            "SELECT day, return, net, turnover, cost FROM strategy_return LEFT JOIN strategy_net"
            " USING (strategy, day) WHERE strategy = %s AND day >= %s ORDER BY day LIMIT %s",
            [strategy, start, limit + 1],
        ).fetchall()
    rows = [_row(_RETURNS, row) for row in found]
    after = {"start": str(rows[limit]["day"])} if len(rows) > limit else None
    return answer(request, rows[:limit], _RETURNS, after=after, strategy=strategy)


@router.get("/artifacts", response_model=Artifacts)
@router.get("/artifacts.csv", include_in_schema=False)
def artifact_list(
    request: Request,
    search: Annotated[str, Query(max_length=200, description="Part of the name or partition.")] = "",
    limit: Limit = USUAL_ROWS,
    offset: Offset = 0,
) -> Response:
    """Finished documents by name, newest partition first; `size` and `sha256` are those of the download."""
    with reading(request) as connection:
        listed = artifacts.listing(connection)
    found = [one for one in listed if search.lower() in path_of(one).lower()]
    rows = [
        {
            **vars(one),
            "created_at": one.created_at.astimezone(UTC),
            "url": f"/artifacts/{path_of(one)}?download=1",
        }
        for one in found[offset : offset + limit + 1]
    ]
    return _paged(request, rows, _ARTIFACT, limit, offset)


def _strategies(connection: Connection) -> list[str]:
    found = connection.execute("SELECT DISTINCT strategy FROM strategy_return ORDER BY 1")
    return [name for (name,) in found]


def _row(columns: "list[str] | tuple[str, ...]", values: tuple[Any, ...]) -> dict[str, Any]:
    return {name: number(value) for name, value in zip(columns, values, strict=True)}


def _paged(
    request: Request,
    rows: list[dict[str, Any]],
    columns: "list[str] | tuple[str, ...]",
    limit: int,
    offset: int,
) -> Response:
    after = {"offset": str(offset + limit)} if len(rows) > limit else None
    return answer(request, rows[:limit], columns, after=after)
