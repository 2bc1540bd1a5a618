"""History in months: minutes of spot markets, bars of perpetuals, and the aggregate of what came.

Here belongs what Dagster is told; where candles come from is in `history_spot` and `history_klines`. A replay
has no history: its recording is loaded whole by its own hours. One step loads all markets of a month, and a
market of which something stays unknown leaves no event, only an observation with the reason.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from dagster import (
    AssetExecutionContext,
    AssetKey,
    AssetMaterialization,
    AssetObservation,
    AssetsDefinition,
    AssetSpec,
    BackfillPolicy,
    Failure,
    MaterializeResult,
    MetadataValue,
    MonthlyPartitionsDefinition,
    ResourceParam,
    multi_asset,
)

from vp_pipeline.assets.keys import MONTH_FORMAT
from vp_pipeline.assets.partitions import window_of
from vp_pipeline.catalog import Klines, Market
from vp_pipeline.settings import Settings
from vp_pipeline.storage import stale
from vp_pipeline.storage.connection import transaction
from vp_pipeline.storage.io_manager import PostgresIOManager, stored_as
from vp_pipeline.storage.tables import AGGREGATE, KLINE, MARKET_CANDLE
from vp_pipeline.windows import DAY, HOUR, Window, ceil, union

if TYPE_CHECKING:
    from vp_pipeline.assets.history_klines import LoadedBars
    from vp_pipeline.assets.history_spot import Loaded, SpotHistory

GROUP = "history"
COVERAGE_KEY = AssetKey([GROUP, "coverage"])
# One month a run: between two of them the ticks have their turn.
_MONTH_A_RUN = BackfillPolicy.multi_run(1)

Event = AssetMaterialization | AssetObservation
Results = Iterator[Event | MaterializeResult[None]]


def market_key(market: Market) -> AssetKey:
    """history/<exchange>/<base>_<quote>."""
    return AssetKey([GROUP, *market.path])


def bars_key(settings: Settings, series: Klines) -> AssetKey:
    """history/klines/<symbol>."""
    return AssetKey([GROUP, "klines", settings.catalog.kline_key(series)])


def aggregate_key(base: str) -> AssetKey:
    """history/aggregate/<base>."""
    return AssetKey([GROUP, "aggregate", base.lower()])


def months(settings: Settings) -> MonthlyPartitionsDefinition:
    """From the setting on; the month that is not over is the last."""
    first = settings.history_start.replace(day=1)
    return MonthlyPartitionsDefinition(
        start_date=first.strftime(MONTH_FORMAT), fmt=MONTH_FORMAT, timezone="UTC", end_offset=1
    )


def build_history(settings: Settings) -> list[AssetsDefinition]:
    """The steps of spot minutes and of their aggregate; none in a replay or without markets."""
    if settings.source == "replay" or not settings.catalog.markets:
        return []
    return [_build_spot(settings), _build_aggregate(settings)]


def build_bar_history(settings: Settings) -> list[AssetsDefinition]:
    """The step of USD-M bars; none in a replay or without series."""
    if settings.source == "replay" or not settings.catalog.klines:
        return []
    return [_build_bars(settings)]


def _build_spot(settings: Settings) -> AssetsDefinition:
    markets = {market_key(market): market for market in settings.catalog.markets}

    @multi_asset(
        name="history_minutes",
        specs=[
            *(
                AssetSpec(
                    key,
                    group_name=GROUP,
                    kinds={"postgres"},
                    skippable=True,
                    description=f"Minute candles of {market.name} by the month: from files of one's own,"
                    " the exchange's archive or its API, whichever has them.",
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
                description="How much of a month is known, whichever markets were loaded.",
            ),
        ],
        can_subset=True,
        partitions_def=months(settings),
        backfill_policy=_MONTH_A_RUN,
    )
    def history_minutes(
        context: AssetExecutionContext, postgres: ResourceParam[PostgresIOManager]
    ) -> Results:
        from vp_pipeline.assets.history_spot import SpotHistory

        month = window_of(context)
        chosen = [market for key, market in markets.items() if key in context.selected_asset_keys]
        history = SpotHistory(settings, postgres.database_url)
        loads = history.load(chosen, month)
        for load in loads:
            yield _market_event(load, month)
        _name_strangers(context, history)
        _explain(context, loads)
        if COVERAGE_KEY in context.selected_asset_keys:
            totals = {
                name: sum(getattr(load, name) for load in loads)
                for name in ("got", "empty", "unknown", "unfetchable")
            }
            yield MaterializeResult(asset_key=COVERAGE_KEY, metadata={**totals, "markets": len(loads)})

    return history_minutes


def _name_strangers(context: AssetExecutionContext, history: "SpotHistory") -> None:
    """Say of files of markets that nobody keeps that they are not loaded."""
    from vp_pipeline.recordings.folder import RecordingError

    try:
        names = [f"{file.path}: {file.exchange} {file.base}/{file.quote}" for file in history.strangers()]
    except RecordingError:
        return  # the problem of every market, told with them
    if names:
        context.log.warning("not in the markets file, so not loaded:\n" + "\n".join(names))


def _market_event(load: "Loaded", month: Window) -> Event:
    metadata: dict[str, int | str] = {
        "rows": load.got,
        "new": load.new,
        "revised": load.revised,
        "exchange_empty": load.empty,
        "unfetchable": load.unfetchable,
        "unknown": load.unknown,
    }
    if load.rows_from:
        metadata["sources"] = ", ".join(f"{source} {rows}" for source, rows in load.rows_from.items())
    if load.reasons:
        metadata["reasons"] = "; ".join(load.reasons)
    if load.problems:
        metadata["problems"] = "; ".join(load.problems)
    kind = AssetObservation if load.unknown else AssetMaterialization
    return kind(market_key(load.market), partition=month.start.strftime(MONTH_FORMAT), metadata=metadata)


def _explain(context: AssetExecutionContext, loads: Sequence["Loaded"]) -> None:
    """One log message with a line a market; a failure if no market came to an end.

    Raises:
        Failure: of every market something stays unknown.
    """
    from rich.console import Console
    from rich.table import Table as TextTable

    table = TextTable("market", "rows", "new", "revised", "empty", "unfetchable", "unknown", "why", box=None)
    for load in loads:
        why = "; ".join([*load.problems, *load.reasons])
        numbers = (load.got, load.new, load.revised, load.empty, load.unfetchable, load.unknown)
        table.add_row(load.market.name, *map(str, numbers), why)
    console = Console(width=240, color_system=None)
    with console.capture() as capture:
        console.print(table)
    open_ends = [load for load in loads if load.unknown]
    log = context.log.warning if open_ends or any(load.problems for load in loads) else context.log.info
    log(f"{len(loads) - len(open_ends)} of {len(loads)} markets loaded\n{capture.get()}")
    if open_ends and len(open_ends) == len(loads):
        raise Failure(
            "No market could be loaded whole. See the reason of each; another run goes on from here.",
            metadata={
                load.market.name: MetadataValue.text("; ".join([*load.problems, *load.reasons]))
                for load in open_ends
            },
            allow_retries=False,
        )


def _build_bars(settings: Settings) -> AssetsDefinition:
    series_of = {bars_key(settings, series): series for series in settings.catalog.klines}

    @multi_asset(
        name="history_bars",
        specs=[
            AssetSpec(
                key,
                group_name=GROUP,
                kinds={"binance", "postgres"},
                skippable=True,
                description=f"{series.interval} bars of the USD-M perpetual {series.symbol} by the month,"
                " from the exchange's archive.",
                metadata=stored_as(KLINE, symbol=series.symbol, interval=series.interval),
            )
            for key, series in series_of.items()
        ],
        can_subset=True,
        partitions_def=months(settings),
        backfill_policy=_MONTH_A_RUN,
    )
    def history_bars(
        context: AssetExecutionContext, postgres: ResourceParam[PostgresIOManager]
    ) -> Iterator[Event]:
        from vp_pipeline.assets.history_klines import load_bars

        month = window_of(context)
        chosen = [series for key, series in series_of.items() if key in context.selected_asset_keys]
        loads = load_bars(settings, postgres.database_url, chosen, month)
        for load in loads:
            yield _bars_event(settings, load, month)
        failed = [load for load in loads if load.problems]
        lines = [f"{load.series.symbol}: {load.stored} bars, {load.new} new" for load in loads]
        lines += [problem for load in failed for problem in load.problems]
        log = context.log.warning if failed else context.log.info
        log(f"{len(loads) - len(failed)} of {len(loads)} series loaded\n" + "\n".join(lines))
        if failed and len(failed) == len(loads):
            raise Failure(
                "No series could be loaded. See the reason of each; another run goes on from here.",
                metadata={
                    load.series.symbol: MetadataValue.text("; ".join(load.problems)) for load in failed
                },
                allow_retries=False,
            )

    return history_bars


def _bars_event(settings: Settings, load: "LoadedBars", month: Window) -> Event:
    metadata: dict[str, int | str] = {
        "rows": load.stored,
        "new": load.new,
        "revised": load.revised,
        "bars_missing": load.missing,
    }
    if load.problems:
        metadata["problems"] = "; ".join(load.problems)
    kind = AssetObservation if load.problems else AssetMaterialization
    key = bars_key(settings, load.series)
    return kind(key, partition=month.start.strftime(MONTH_FORMAT), metadata=metadata)


def _build_aggregate(settings: Settings) -> AssetsDefinition:
    from vp_pipeline.assets.aggregate import rates_first

    bases = {aggregate_key(base): base for base in rates_first(settings.catalog)}

    @multi_asset(
        name="history_aggregate",
        specs=[
            AssetSpec(
                key,
                deps=[COVERAGE_KEY],
                group_name=GROUP,
                kinds={"pandas", "postgres"},
                skippable=True,
                description=f"The aggregate of {base}, made anew where a month's history has new candles.",
                metadata=stored_as(AGGREGATE, base=base),
            )
            for key, base in bases.items()
        ],
        can_subset=True,
        partitions_def=months(settings),
        backfill_policy=_MONTH_A_RUN,
    )
    def history_aggregate(
        context: AssetExecutionContext, postgres: ResourceParam[PostgresIOManager]
    ) -> Iterator[AssetMaterialization]:
        from vp_pipeline.assets.aggregate_run import recompute

        month = window_of(context)
        for key, base in bases.items():
            if key not in context.selected_asset_keys:
                continue
            with transaction(postgres.database_url) as connection:
                hours = [hour for hour in stale.pending(connection, stale.AGGREGATE, base) if hour in month]
            # A venue is judged by the day before: a changed candle matters a day longer.
            touched = union(Window(hour, hour + HOUR + DAY) for hour in hours)
            changed = [
                hour
                for window in touched
                for hour in recompute(postgres.database_url, settings, base, _past(window))
            ]
            yield AssetMaterialization(
                key,
                partition=month.start.strftime(MONTH_FORMAT),
                metadata={"hours_with_new_candles": len(hours), "changed_hours": len(changed)},
            )
        # When all are made: the rates that one instrument gives count for the others.
        for base in bases.values():
            _make_profiles(settings, postgres.database_url, base, month)

    return history_aggregate


def _make_profiles(settings: Settings, database_url: str, base: str, month: Window) -> None:
    """Volume by price of the hours up to a day after the month that what came has changed."""
    from vp_pipeline.assets.hour_profiles_run import recompute

    known = Window(month.start, month.end + DAY)
    with transaction(database_url) as connection:
        hours = [hour for hour in stale.pending(connection, stale.PROFILE_HOURS, base) if hour in known]
    for window in union(Window(hour, hour + HOUR) for hour in hours):
        recompute(database_url, settings, base, window)


def _past(window: Window) -> Window:
    """The hours of the window that have begun."""
    return Window(window.start, max(window.start, min(window.end, ceil(datetime.now(UTC), HOUR))))
