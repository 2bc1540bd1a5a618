"""History in months: minutes of spot markets, bars of perpetuals, and the aggregate of what came.

Here belongs which assets there are; what a run does is in `history_run`. A replay has no history: its
recording is loaded whole by its own hours. One step loads all markets of a month, and a market of which
something stays unknown leaves no event, only an observation with the reason.
"""

from collections.abc import Iterator

from dagster import (
    AssetExecutionContext,
    AssetKey,
    AssetMaterialization,
    AssetObservation,
    AssetsDefinition,
    AssetSpec,
    BackfillPolicy,
    MaterializeResult,
    MonthlyPartitionsDefinition,
    ResourceParam,
    multi_asset,
)

from vp_pipeline.assets.keys import MONTH_FORMAT
from vp_pipeline.catalog import Klines, Market
from vp_pipeline.settings import Settings
from vp_pipeline.storage.io_manager import PostgresIOManager, stored_as
from vp_pipeline.storage.tables import AGGREGATE, KLINE, MARKET_CANDLE

GROUP = "history"
COVERAGE_KEY = AssetKey([GROUP, "coverage"])
# One month a run: between two of them the ticks have their turn.
_MONTH_A_RUN = BackfillPolicy.multi_run(1)

Event = AssetMaterialization | AssetObservation


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
    ) -> Iterator[Event | MaterializeResult[None]]:
        from vp_pipeline.assets import history_run

        yield from history_run.load_minutes(context, settings, postgres.database_url, markets)

    return history_minutes


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
        from vp_pipeline.assets import history_run

        yield from history_run.load_series(context, settings, postgres.database_url, series_of)

    return history_bars


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
        from vp_pipeline.assets import history_run

        yield from history_run.make_aggregates(context, settings, postgres.database_url, bases)

    return history_aggregate
