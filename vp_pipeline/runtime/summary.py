"""What came of the main job: a table of assets, why minutes are missing, and the addresses of everything.

Here belong the numbers shown; rows and missing minutes are counted in Postgres, not taken from the
runs' word.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from vp_pipeline.assets.keys import PROFILES_JOB, REPORTS_JOB, SESSIONS_JOB, TICK_JOB
from vp_pipeline.runtime.dagster_api import AssetState, DagsterApi, RunResult
from vp_pipeline.runtime.main_job import Stage, incomplete
from vp_pipeline.settings import Settings
from vp_pipeline.storage import artifacts
from vp_pipeline.storage.connection import Connection, transaction

# The first part of an asset's key, in the order shown: the job that makes it, and a query for asset
# name, rows and, where minutes can be missing, how many are.
_PARTS: dict[str, tuple[str, str]] = {
    "candles": (
        TICK_JOB,
        "SELECT concat('candles/', exchange, '/', lower(replace(symbol, '/', '_'))),"
        " coalesce(sum(minutes) FILTER (WHERE state = 'got'), 0)::bigint,"
        " coalesce(sum(minutes) FILTER (WHERE state <> 'got'), 0)::bigint FROM coverage GROUP BY 1",
    ),
    "coverage": (TICK_JOB, "SELECT 'coverage', count(*), NULL FROM coverage"),
    "aggregate": (
        TICK_JOB,
        "SELECT concat('aggregate/', lower(base)), count(*),"
        " (extract(epoch FROM max(open_time) - min(open_time)) / 60 + 1 - count(*))::bigint"
        " FROM aggregate GROUP BY base",
    ),
    "volume_profile": (
        PROFILES_JOB,
        "SELECT concat('volume_profile/', lower(base)), count(*), NULL FROM volume_profile GROUP BY base",
    ),
    "klines": (
        "klines",
        "SELECT concat(symbol, ' ', interval), count(*), NULL FROM kline GROUP BY symbol, interval",
    ),
    "session_volatility": (
        SESSIONS_JOB,
        "SELECT concat(symbol, ' ', interval, ' sessions'), count(*), NULL FROM session_volatility"
        " GROUP BY symbol, interval",
    ),
    "session_comparison": (
        SESSIONS_JOB,
        "SELECT name, count(*), NULL FROM artifact WHERE name LIKE 'session_comparison/%' GROUP BY name",
    ),
    "daily_returns": (REPORTS_JOB, "SELECT 'daily_returns', count(*), NULL FROM daily_return"),
    "strategies": (REPORTS_JOB, "SELECT 'strategies', count(*), NULL FROM strategy_return"),
    "tearsheets": (
        REPORTS_JOB,
        "SELECT name, count(*), NULL FROM artifact WHERE name LIKE 'tearsheets/%' GROUP BY name",
    ),
}

_REASONS = """
SELECT concat(exchange, ' ', symbol),
    CASE state WHEN 'exchange-empty' THEN reason ELSE concat(state, ': ', reason) END,
    sum(minutes)::bigint
FROM coverage WHERE state <> 'got' GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2"""


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
    """Print table, reasons and addresses; what is not there though it should be.

    History is loaded when somebody asks for it: the main job can be complete without.
    """
    assets = sorted((asset for asset in dagster.assets() if asset.path[0] in _PARTS), key=_order)
    with transaction(settings.database_url.get_secret_value()) as connection:
        counts = _counts(connection, settings)
        reasons = connection.execute(_REASONS.encode()).fetchall()
        documents = artifacts.listing(connection)
    console.print()
    console.print(_table(assets, counts, results, _seconds(dagster, assets, results)))
    if reasons:
        console.print("\nWhy minutes are missing")
        console.print(_reasons(reasons))
    console.print(f"\nDagster  {settings.dagster_url}\nSite     {settings.site_url}\nArtifacts")
    for document in documents:
        console.print(f"  {settings.artifact_url(document.name, document.partition)}", soft_wrap=True)
    missing = [f"not materialized: {'/'.join(asset.path)}" for asset in assets if not asset.materialized]
    missing += [f"not asked for yet: {what}" for what in incomplete(settings, dagster)]
    console.print()
    for line in missing:
        console.print(line, style="red", soft_wrap=True)
    there = sum(asset.materialized for asset in assets)
    console.print(f"{there} of {len(assets)} assets and {len(documents)} artifacts after {seconds:.0f} s")
    return missing


def _table(
    assets: Sequence[AssetState],
    counts: Mapping[str, tuple[int, int | None]],
    results: Sequence[StageResult],
    seconds: Mapping[str, float],
) -> Table:
    """A line an asset, and one under each group with the seconds of its runs, starting included."""
    table = Table("asset", "rows", "minutes missing", "seconds")
    for column in table.columns[1:]:
        column.justify = "right"
    for job, group in groupby(assets, key=lambda asset: _PARTS[asset.path[0]][0]):
        for asset in group:
            name = "/".join(asset.path)
            count, missing = counts.get(name, (0, None))
            shown = name if asset.materialized else f"[red]{name}: not materialized[/]"
            took = f"{seconds[name]:.1f}" if name in seconds else ""
            table.add_row(shown, f"{count:,}", "" if missing is None else f"{missing:,}", took)
        own = [result.run.seconds for result in results if result.stage.job.startswith(job)]
        total = f"{sum(own):.1f}" if own else "not run"
        table.add_row(f"[dim]job {job}[/]", "", "", total, end_section=True)
    return table


def _reasons(reasons: Sequence[tuple[str, str, int]]) -> Table:
    table = Table(box=None, show_header=False, padding=(0, 0, 0, 2))
    for market, reason, minutes in reasons:
        table.add_row(escape(market), f"{minutes:,}", escape(reason))
    return table


def _seconds(
    dagster: DagsterApi, assets: Sequence[AssetState], results: Sequence[StageResult]
) -> dict[str, float]:
    """Seconds by asset, of those that are made by a step of their own."""
    took: Counter[str] = Counter()
    for result in results:
        took.update(dagster.step_seconds(result.run.run_id))
    shared = Counter(asset.step for asset in assets)
    return {
        "/".join(asset.path): took[asset.step]
        for asset in assets
        if shared[asset.step] == 1 and asset.step in took
    }


def _counts(connection: Connection, settings: Settings) -> dict[str, tuple[int, int | None]]:
    counts: dict[str, tuple[int, int | None]] = {}
    for _, query in _PARTS.values():
        for name, count, missing in connection.execute(query.encode()).fetchall():
            counts[name] = (count, missing)
    for series in settings.catalog.klines:
        stored = counts.pop(f"{series.symbol} {series.interval}", (0, None))
        counts[f"klines/{settings.catalog.kline_key(series)}"] = stored
        sessions = counts.pop(f"{series.symbol} {series.interval} sessions", (0, None))
        counts[f"session_volatility/{settings.catalog.kline_key(series)}"] = sessions
    return counts


def _order(asset: AssetState) -> tuple[int, tuple[str, ...]]:
    return list(_PARTS).index(asset.path[0]), asset.path
