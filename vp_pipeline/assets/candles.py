"""Raw minute candles: one asset a market, all fetched side by side in one step; and their coverage.

Here belongs which assets there are; what a run does is in `candles_run`. A market that fails leaves no event,
and the others go on. The aggregate depends on `coverage` alone, which every fetch materializes: Dagster skips
a step of which an input is missing.
"""

from collections.abc import Iterator

from dagster import (
    AssetCheckResult,
    AssetExecutionContext,
    AssetKey,
    AssetMaterialization,
    AssetsDefinition,
    AssetSpec,
    BackfillPolicy,
    MaterializeResult,
    PartitionsDefinition,
    ResourceParam,
    multi_asset,
)

from vp_pipeline.assets import check_specs
from vp_pipeline.catalog import Market
from vp_pipeline.settings import Settings
from vp_pipeline.storage.io_manager import PostgresIOManager, stored_as
from vp_pipeline.storage.tables import COVERAGE, MARKET_CANDLE

GROUP = "candles"
COVERAGE_KEY = AssetKey("coverage")


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

    @multi_asset(
        name="candles",
        specs=[*(_spec(key, market) for key, market in markets.items()), _coverage_spec(list(markets))],
        check_specs=check_specs.of_coverage(COVERAGE_KEY),
        can_subset=True,
        partitions_def=hours,
        backfill_policy=BackfillPolicy.single_run(),
    )
    def candles(
        context: AssetExecutionContext, postgres: ResourceParam[PostgresIOManager]
    ) -> Iterator[AssetMaterialization | MaterializeResult[None] | AssetCheckResult]:
        from vp_pipeline.assets import candles_run

        yield from candles_run.run(context, settings, postgres.database_url, markets, hours)

    return candles


def _spec(key: AssetKey, market: Market) -> AssetSpec:
    return AssetSpec(
        key,
        group_name=GROUP,
        kinds={"ccxt", "postgres"},
        skippable=True,
        description=f"Minute candles of {market.name}; volume in {market.base}.",
        metadata=stored_as(MARKET_CANDLE, exchange=market.exchange, symbol=market.symbol),
    )


def _coverage_spec(deps: list[AssetKey]) -> AssetSpec:
    return AssetSpec(
        COVERAGE_KEY,
        deps=deps,
        group_name=GROUP,
        kinds={"postgres"},
        skippable=True,
        description="For each market and minute: is the candle stored, did the exchange say that there is"
        " none, is it not known, or can it no longer be had; and why.",
        metadata=stored_as(COVERAGE),
    )
