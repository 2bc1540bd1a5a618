"""A tearsheet for each strategy, from what is stored of it.

Here belongs which assets there are; what goes into the document and what its materialization says is in
`tearsheet_run`.
"""

from collections.abc import Mapping
from typing import Any

from dagster import AssetExecutionContext, AssetIn, AssetKey, AssetsDefinition, ResourceParam, asset

from vp_pipeline.analytics.strategy import Strategy
from vp_pipeline.catalog import Strategies as Chosen
from vp_pipeline.settings import Settings
from vp_pipeline.storage.frame_types import DATA_FRAME
from vp_pipeline.storage.io_manager import PostgresIOManager


def tearsheet_key(strategy: str) -> AssetKey:
    """tearsheets/<strategy>."""
    return AssetKey(["tearsheets", strategy])


def build_tearsheets(
    settings: Settings,
    chosen: Chosen,
    variants: Mapping[str, Strategy],
    strategies: AssetKey,
    returns: AssetKey,
    group: str,
) -> list[AssetsDefinition]:
    """One asset for each variant, of the results in `strategies` and the history in `returns`."""

    def build(name: str, strategy: Strategy) -> AssetsDefinition:
        key = tearsheet_key(name)

        @asset(
            key=key,
            ins={
                "results": AssetIn(strategies, dagster_type=DATA_FRAME),
                "daily": AssetIn(returns, dagster_type=DATA_FRAME),
            },
            group_name=group,
            kinds={"quantstats", "html"},
            description=f"{strategy.title} against {strategy.benchmark}: what it earned after costs, how much"
            f" that proves, and quantstats' report. {strategy.description}",
        )
        def tearsheet(
            context: AssetExecutionContext,
            results: Any,
            daily: Any,
            postgres: ResourceParam[PostgresIOManager],
        ) -> None:
            from vp_pipeline.assets import tearsheet_run

            sheet = tearsheet_run.Sheet(settings, chosen, name, strategy, results, daily, postgres)
            context.add_output_metadata(sheet.published(context, key))

        return tearsheet

    return [build(name, strategy) for name, strategy in variants.items()]
