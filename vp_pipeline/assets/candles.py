"""Raw minute candles: one asset a market, all fetched side by side in one step; and their coverage.

Here belongs what a fetch leaves behind: rows, coverage, and for each market and hour an event with
rows and reasons. A market that fails leaves no event, and the others go on. The aggregate depends on
`coverage` alone, which every fetch materializes: Dagster skips a step of which an input is missing.
"""

import asyncio
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeAlias

import pandas as pd
from dagster import (
    AssetExecutionContext,
    AssetKey,
    AssetMaterialization,
    AssetsDefinition,
    AssetSpec,
    BackfillPolicy,
    Failure,
    MaterializeResult,
    MetadataValue,
    PartitionsDefinition,
    ResourceParam,
    multi_asset,
)
from rich.console import Console
from rich.table import Table as TextTable

from vp_pipeline.assets.partitions import hour_key, window_of
from vp_pipeline.assets.replay_clock import turn_clock
from vp_pipeline.catalog import Market
from vp_pipeline.exchanges.frames import Fetched
from vp_pipeline.settings import Settings
from vp_pipeline.storage import coverage, rows
from vp_pipeline.storage.connection import transaction
from vp_pipeline.storage.coverage import HourCoverage
from vp_pipeline.storage.io_manager import PostgresIOManager, stored_as
from vp_pipeline.storage.markets import count_by_hour, market_ids
from vp_pipeline.storage.tables import CANDLE, COVERAGE, MARKET_CANDLE
from vp_pipeline.windows import HOUR, MINUTE, Window, floor

GROUP = "candles"
COVERAGE_KEY = AssetKey("coverage")

if TYPE_CHECKING:
    from vp_pipeline.exchanges.errors import FetchError

Outcome: TypeAlias = "Fetched | FetchError"


def candles_key(market: Market) -> AssetKey:
    """candles/<exchange>/<base>_<quote>."""
    return AssetKey(["candles", *market.path])


def retired_specs(settings: Settings) -> list[AssetSpec]:
    """Markets that no longer trade: seen in the lineage, never fetched live."""
    return [
        AssetSpec(
            candles_key(market),
            group_name=GROUP,
            kinds={"postgres"},
            description=f"{market.name}, retired on {market.retired}: no live candles.",
            tags={"retired": ""},
        )
        for market in settings.catalog.markets
        if market.retired is not None
    ]


def build_candles(settings: Settings, hours: PartitionsDefinition[str]) -> AssetsDefinition:
    """The step that fetches every live market's candles."""
    markets = {candles_key(market): market for market in settings.catalog.live_markets()}
    hosts = {market.exchange: settings.exchange_host(market.exchange) for market in markets.values()}

    @multi_asset(
        name="candles",
        specs=[
            *(
                AssetSpec(
                    key,
                    group_name=GROUP,
                    kinds={"ccxt", "postgres"},
                    skippable=True,
                    description=f"Minute candles of {market.name}; volume in {market.base}.",
                    metadata=stored_as(MARKET_CANDLE, exchange=market.exchange, symbol=market.symbol),
                )
                for key, market in markets.items()
            ),
            AssetSpec(
                COVERAGE_KEY,
                deps=list(markets),
                group_name=GROUP,
                kinds={"postgres"},
                skippable=True,
                description="For each market and hour: closed minutes, candles, why the rest are missing.",
                metadata=stored_as(COVERAGE),
            ),
        ],
        can_subset=True,
        partitions_def=hours,
        backfill_policy=BackfillPolicy.single_run(),
    )
    def candles(
        context: AssetExecutionContext, postgres: ResourceParam[PostgresIOManager]
    ) -> Iterator[AssetMaterialization | MaterializeResult[None]]:
        from vp_pipeline.exchanges import spot

        window = window_of(context)
        turn_clock(settings, window.end)
        selected = [market for key, market in markets.items() if key in context.selected_asset_keys]
        wanted = [(market.exchange, market.symbol) for market in selected]
        cache = settings.home / "cache" / "listings"
        fetched = asyncio.run(spot.fetch_all({key: [window] for key in wanted}, hosts, cache))
        outcomes = {key: results[0] for key, results in fetched.items()}
        report = _store(postgres.database_url, selected, outcomes, window)
        for market in selected:
            if isinstance(outcomes[market.exchange, market.symbol], Fetched):
                for hour in report[market.name]:
                    yield _materialization(market, hour)
        _explain(context, selected, outcomes, report)
        if COVERAGE_KEY in context.selected_asset_keys:
            with transaction(postgres.database_url) as connection:
                missing = coverage.minutes_missing(connection, window)
            yield MaterializeResult(asset_key=COVERAGE_KEY, metadata={"minutes_missing": missing})

    return candles


def _store(
    database_url: str, markets: Sequence[Market], outcomes: dict[tuple[str, str], Outcome], window: Window
) -> dict[str, list[HourCoverage]]:
    """Write all candles and their coverage in one transaction; the coverage by market name."""
    now = max(
        (o.exchange_time for o in outcomes.values() if isinstance(o, Fetched)), default=datetime.now(UTC)
    )
    report = {}
    with transaction(database_url) as connection:
        numbers = market_ids(connection, [(m.exchange, m.symbol) for m in markets])
        for market in markets:
            key = (market.exchange, market.symbol)
            outcome = outcomes[key]
            if isinstance(outcome, Fetched):
                final = outcome.frame[~outcome.frame["provisional"]]
                frame = _in_base(final[[name for name in CANDLE.columns if name in final.columns]], market)
                rows.replace(connection, CANDLE, frame, {"market_id": numbers[key]}, outcome.answered)
        counts = count_by_hour(connection, list(numbers.values()), window)
        for market in markets:
            key = (market.exchange, market.symbol)
            stored = {hour: n for (number, hour), n in counts.items() if number == numbers[key]}
            report[market.name] = list(_coverage(numbers[key], outcomes[key], window, stored, now))
        coverage.record(connection, (hour for hours in report.values() for hour in hours))
    return report


def _in_base(frame: pd.DataFrame, market: Market) -> pd.DataFrame:
    """The candles with their volume in the base asset."""
    if market.volume_unit == "base":
        return frame
    return frame.assign(volume=frame["volume"] / frame["close"])


def _coverage(
    number: int, outcome: Outcome, window: Window, stored: dict[datetime, int], now: datetime
) -> Iterator[HourCoverage]:
    """One entry for each hour of the window that has closed minutes."""
    closed = window.intersect(Window(window.start, max(window.start, floor(now, MINUTE))))
    for hour in closed.split(HOUR):
        expected, got = hour.count(MINUTE), stored.get(hour.start, 0)
        answered = isinstance(outcome, Fetched) and hour.start in outcome.answered
        if got >= expected:
            reason = ""
        elif isinstance(outcome, Fetched):
            reason = "the exchange has no candle" if answered else outcome.note
        else:
            reason = outcome.reason
        yield HourCoverage(number, hour.start, expected, got, reason, answered)


def _materialization(market: Market, hour: HourCoverage) -> AssetMaterialization:
    metadata: dict[str, int | str] = {"rows": hour.got, "minutes_missing": hour.missing}
    if hour.reason:
        metadata["reason"] = hour.reason
    return AssetMaterialization(candles_key(market), partition=hour_key(hour.hour), metadata=metadata)


def _explain(
    context: AssetExecutionContext,
    markets: Sequence[Market],
    outcomes: dict[tuple[str, str], Outcome],
    report: dict[str, list[HourCoverage]],
) -> None:
    """One log message with a line a market; a failure if no market at all could be fetched.

    Raises:
        Failure: all markets failed.
    """
    table = TextTable("market", "rows", "missing", "why", box=None)
    failed = {}
    for market in markets:
        outcome, hours = outcomes[market.exchange, market.symbol], report[market.name]
        if not isinstance(outcome, Fetched):
            failed[market.name] = outcome.reason
        got, missing = sum(h.got for h in hours), sum(h.missing for h in hours)
        reasons = dict.fromkeys(h.reason for h in hours if h.reason)
        table.add_row(market.name, str(got), str(missing), "; ".join(reasons))
    console = Console(width=200, color_system=None)
    with console.capture() as capture:
        console.print(table)
    log = context.log.warning if failed else context.log.info
    log(f"{len(markets) - len(failed)} of {len(markets)} markets fetched\n{capture.get()}")
    if failed and len(failed) == len(markets):
        raise Failure(
            "No market could be fetched. See the reason of each; `vp up` names what is reachable.",
            metadata={name: MetadataValue.text(reason) for name, reason in failed.items()},
            allow_retries=True,
        )
