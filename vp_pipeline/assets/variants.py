"""The strategies that the markets file names, ready to be run.

Here belongs the step from the file's names to functions; what they are is in `analytics.strategy`.
"""

from collections.abc import Mapping
from dataclasses import replace

# Importing the modules lists what they hold, in this order.
from vp_pipeline.analytics import published as published
from vp_pipeline.analytics import rules as rules
from vp_pipeline.analytics.strategy import Strategy, StrategyError, configured
from vp_pipeline.catalog import CatalogError, Strategies


def variants(chosen: Strategies) -> Mapping[str, Strategy]:
    """Each variant's strategy, its benchmark one of the variants or symbols.

    Raises:
        CatalogError: a rule or parameter that does not exist.
    """
    return {name: _strategy(chosen, name) for name in chosen.chosen}


def _strategy(chosen: Strategies, name: str) -> Strategy:
    variant = chosen.chosen[name]
    try:
        found = configured(
            variant.rule or name, variant.parameters, title=variant.title, benchmark=variant.benchmark
        )
    except StrategyError as error:
        raise CatalogError(f"[strategies.variants.{name}] of the markets file: {error}") from error
    if found.benchmark in (*chosen.chosen, *chosen.symbols):
        return found
    # A default that this file does not have, as BTCUSDT among other symbols.
    return replace(found, benchmark=chosen.symbols[0])
