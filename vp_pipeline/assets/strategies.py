"""Daily returns and the strategies on them.

Here belongs which assets there are; what their runs do is in `daily_returns_run` and `strategy_run`,
documents of single strategies are in `tearsheets`.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from dagster import (
    AssetCheckResult,
    AssetCheckSpec,
    AssetExecutionContext,
    AssetIn,
    AssetKey,
    AssetsDefinition,
    Output,
    asset,
)

from vp_pipeline.analytics.strategy import Strategy
from vp_pipeline.assets.tearsheets import build_tearsheets
from vp_pipeline.assets.variants import variants
from vp_pipeline.catalog import Strategies as Chosen
from vp_pipeline.settings import Settings
from vp_pipeline.storage.frame_types import DATA_FRAME, DATA_FRAMES
from vp_pipeline.storage.io_manager import stored_as
from vp_pipeline.storage.tables import DAILY_RETURN, STRATEGY_RETURN

GROUP = "strategies"
RETURNS_KEY = AssetKey("daily_returns")
STRATEGIES_KEY = AssetKey("strategies")


def check_name(strategy: str) -> str:
    """no_look_ahead_<strategy>."""
    return f"no_look_ahead_{strategy}"


def build_strategies(settings: Settings) -> list[AssetsDefinition]:
    """Returns, strategies and one tearsheet a strategy; nothing if the catalog trades none."""
    chosen = settings.catalog.strategies
    if chosen is None:
        return []
    known = variants(chosen)
    return [
        _daily_returns(settings, chosen),
        _strategies(settings, chosen, known),
        *build_tearsheets(settings, chosen, known, STRATEGIES_KEY, RETURNS_KEY, GROUP),
    ]


def _daily_returns(settings: Settings, chosen: Chosen) -> AssetsDefinition:
    @asset(
        key=RETURNS_KEY,
        group_name=GROUP,
        kinds={"binance", "postgres"},
        description=f"Daily bars and close-to-close returns of {', '.join(chosen.symbols)} since"
        f" {chosen.start}, the first from its open.",
        metadata=stored_as(DAILY_RETURN),
        dagster_type=DATA_FRAME,
    )
    def daily_returns(context: AssetExecutionContext) -> Any:  # a frame; Dagster would import pandas for it
        from vp_pipeline.assets import daily_returns_run

        return daily_returns_run.fetched(context, settings, chosen)

    return daily_returns


def _strategies(settings: Settings, chosen: Chosen, known: Mapping[str, Strategy]) -> AssetsDefinition:
    @asset(
        key=STRATEGIES_KEY,
        ins={"returns": AssetIn(RETURNS_KEY, dagster_type=DATA_FRAME)},
        group_name=GROUP,
        kinds={"pandas", "postgres"},
        description="Weights, returns before and after costs, and a league table of every strategy: "
        + "; ".join(one.title for one in known.values())
        + ".",
        metadata=stored_as(STRATEGY_RETURN),
        dagster_type=DATA_FRAMES,
        check_specs=[
            AssetCheckSpec(
                check_name(name),
                asset=STRATEGIES_KEY,
                description=f"No weight of {one.title} changes when the days to come do.",
            )
            for name, one in known.items()
        ],
    )
    def strategies(context: AssetExecutionContext, returns: Any) -> Iterator[Output[Any] | AssetCheckResult]:
        from vp_pipeline.assets import strategy_run

        yield from strategy_run.run(context, settings, chosen, known, returns)

    return strategies
