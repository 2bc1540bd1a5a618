"""What came of the main job: a table of assets, and the addresses of everything.

Here belong the numbers shown; they are counted in Postgres, not taken from the runs' word.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from vp_pipeline.runtime.dagster_api import AssetState, DagsterApi, RunResult
from vp_pipeline.runtime.main_job import Stage
from vp_pipeline.settings import Settings
from vp_pipeline.storage import artifacts, rows
from vp_pipeline.storage.rows import Connection

_COUNTS = {
    "candles": "SELECT 'candles/' || exchange || '/' || lower(replace(symbol, '/', '_')), sum(got)::bigint,"
    " sum(greatest(expected - got, 0))::bigint FROM coverage JOIN market USING (market_id) GROUP BY 1",
    "coverage": "SELECT 'coverage', count(*), null FROM coverage HAVING count(*) > 0",
    "aggregate": "SELECT 'aggregate/' || lower(base), count(*), (extract(epoch FROM max(open_time) - min(open_time))"
    " / 60 + 1 - count(*))::bigint FROM aggregate GROUP BY 1",
    "volume_profile": "SELECT 'volume_profile/' || lower(base), count(*), null FROM volume_profile GROUP BY 1",
    "klines": "SELECT symbol || ' ' || interval, count(*), null FROM kline GROUP BY 1",
    "session_volatility": "SELECT 'session_volatility', count(*), null FROM session_volatility HAVING count(*) > 0",
    "daily_returns": "SELECT 'daily_returns', count(*), null FROM daily_return HAVING count(*) > 0",
    "strategies": "SELECT 'strategies', count(*), null FROM strategy_return HAVING count(*) > 0",
}


@dataclass(frozen=True)
class StageResult:
    """A stage and how its run ended."""

    stage: Stage
    run: RunResult


def show(
    console: Console,
    settings: Settings,
    dagster: DagsterApi,
    results: Sequence[StageResult],
    seconds: float,
) -> list[str]:
    """Print table and addresses; the assets that were never materialized."""
    assets = dagster.assets()
    with rows.transaction(settings.database_url.get_secret_value()) as connection:
        counts = _counts(connection, settings)
        documents = artifacts.listing(connection)
    sheets = {document.name for document in documents}
    table = Table("asset", "rows", "minutes missing", "seconds", title="Materialized", title_justify="left")
    for column in table.columns[1:]:
        column.justify = "right"
    took = _seconds_by_job(results)
    for job in dict.fromkeys(map(_job_of, sorted(assets, key=_order))):
        for asset in sorted((a for a in assets if _job_of(a) == job), key=_order):
            name = "/".join(asset.path)
            count, missing = counts.get(name, (1 if name in sheets else None, None))
            told = [f"{value:,}" if value is not None else "" for value in (count, missing)]
            table.add_row(name if asset.materialized else f"[red]{name} (not materialized)[/]", *told, "")
        table.add_row(f"[dim]{job} in all[/]", "", "", f"{took.get(job, 0):.1f}", end_section=True)
    console.print()
    console.print(table)
    console.print(f"\nDagster  {settings.dagster_url}\nSite     {settings.site_url}\nArtifacts")
    for document in documents:
        console.print(f"  {settings.artifact_url(document.name, document.partition)}", soft_wrap=True)
    console.print(f"\n{len(assets)} assets, {len(documents)} artifacts in {seconds:.0f} s")
    return ["/".join(asset.path) for asset in assets if not asset.materialized]


def _counts(connection: Connection, settings: Settings) -> dict[str, tuple[int | None, int | None]]:
    counts = {
        name: (count, missing)
        for statement in _COUNTS.values()
        for name, count, missing in connection.execute(statement.encode()).fetchall()
    }
    for series in settings.catalog.klines:
        stored = counts.pop(f"{series.symbol} {series.interval}", None)
        if stored is not None:
            counts[f"klines/{settings.catalog.kline_key(series)}"] = stored
    return counts


def _job_of(asset: AssetState) -> str:
    """The part of the main job that makes the asset, as the seconds are known for each."""
    return {"candles": "tick", "aggregate": "tick", "klines": "klines"}.get(
        asset.path[0],
        "tick"
        if asset.path[0] == "coverage"
        else asset.path[0]
        if asset.path[0] == "volume_profile"
        else "reports",
    )


def _order(asset: AssetState) -> tuple[int, tuple[str, ...]]:
    order = (
        "candles",
        "coverage",
        "aggregate",
        "volume_profile",
        "klines",
        "session_volatility",
        "daily_returns",
    )
    return (order.index(asset.path[0]) if asset.path[0] in order else len(order)), asset.path


def _seconds_by_job(results: Sequence[StageResult]) -> dict[str, float]:
    took: dict[str, float] = {}
    for result in results:
        job = result.stage.job
        name = "klines" if job.startswith("klines") else "volume_profile" if job == "volume_profiles" else job
        took[name] = took.get(name, 0) + result.run.seconds
    return took
