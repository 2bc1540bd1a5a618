"""Daily returns, the strategies on them, and a tearsheet for each.

Here belongs what is fetched, stored and published; weights and returns are computed in
`analytics.strategies`, tearsheets drawn in `figures.tearsheet`.
"""

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
from dagster import (
    AssetExecutionContext,
    AssetIn,
    AssetKey,
    AssetsDefinition,
    Failure,
    MetadataValue,
    asset,
)

from vp_pipeline.analytics.strategies import STRATEGIES, Strategy, performance, strategy_returns
from vp_pipeline.analytics.strategies import daily_returns as returns_of
from vp_pipeline.assets.artifacts import publish
from vp_pipeline.assets.clocks import turn_clock
from vp_pipeline.catalog import Strategies as Chosen
from vp_pipeline.settings import Settings
from vp_pipeline.storage.io_manager import stored_as
from vp_pipeline.storage.tables import DAILY_RETURN, STRATEGY_RETURN, STRATEGY_WEIGHT
from vp_pipeline.windows import DAY, Window, floor

GROUP = "strategies"
RETURNS_KEY = AssetKey("daily_returns")
STRATEGIES_KEY = AssetKey("strategies")


def tearsheet_key(strategy: str) -> AssetKey:
    """tearsheets/<strategy>."""
    return AssetKey(["tearsheets", strategy])


def build_strategies(settings: Settings) -> list[AssetsDefinition]:
    """Returns, strategies and one tearsheet a strategy; nothing if the catalog trades none."""
    chosen = settings.catalog.strategies
    if chosen is None:
        return []
    return [
        _daily_returns(settings, chosen),
        _strategies(),
        *(_tearsheet(settings, name, strategy) for name, strategy in STRATEGIES.items()),
    ]


def _daily_returns(settings: Settings, chosen: Chosen) -> AssetsDefinition:
    @asset(
        key=RETURNS_KEY,
        group_name=GROUP,
        kinds={"binance", "postgres"},
        description=f"Daily close-to-close returns of {', '.join(chosen.symbols)} since {chosen.start},"
        " the first from its open.",
        metadata=stored_as(DAILY_RETURN),
    )
    def daily_returns(context: AssetExecutionContext) -> pd.DataFrame:
        from vp_pipeline.exchanges.errors import FetchError
        from vp_pipeline.exchanges.futures import EXCHANGE, FuturesClient

        client = FuturesClient(settings.exchange_host(EXCHANGE))
        window = _history(chosen)
        turn_clock(settings, window.end)
        frames = []
        for symbol in chosen.symbols:
            try:
                bars = client.fetch(symbol, "1d", DAY, window).frame
            except FetchError as error:
                raise Failure(f"{error}: the stored returns are left as they were.") from error
            if bars.empty:
                raise Failure(
                    f"{symbol}: no daily bars in {window}: correct [strategies] in the markets file."
                )
            frames.append(
                pd.DataFrame(
                    {
                        "symbol": symbol,
                        "day": bars["open_time"].dt.tz_convert(None),
                        "close": bars["close"],
                        "return": returns_of(bars["open"], bars["close"]),
                    }
                )
            )
            context.log.info(f"{symbol}: {len(bars)} days to {bars['open_time'].iloc[-1]:%Y-%m-%d}")
        return pd.concat(frames, ignore_index=True)

    return daily_returns


def _strategies() -> AssetsDefinition:
    @asset(
        key=STRATEGIES_KEY,
        ins={"returns": AssetIn(RETURNS_KEY)},
        group_name=GROUP,
        kinds={"pandas", "postgres"},
        description="Daily weights and returns of every strategy: "
        + "; ".join(s.title for s in STRATEGIES.values())
        + ".",
        metadata=stored_as(STRATEGY_RETURN),
    )
    def strategies(context: AssetExecutionContext, returns: pd.DataFrame) -> dict[str, pd.DataFrame]:
        table = returns.pivot(index="day", columns="symbol", values="return")
        earned, held = [], []
        for name, strategy in STRATEGIES.items():
            weights = strategy.weights(table)
            result = strategy_returns(table, weights)
            earned.append(pd.DataFrame({"strategy": name, "day": result.index, "return": result.to_numpy()}))
            long = weights.reset_index(names="day").melt("day", var_name="symbol", value_name="weight")
            held.append(long.dropna().assign(strategy=name))
            context.add_output_metadata({f"{name} total return": float(np.prod(1 + result.to_numpy()) - 1)})
        return {
            STRATEGY_RETURN.name: pd.concat(earned, ignore_index=True),
            STRATEGY_WEIGHT.name: pd.concat(held, ignore_index=True),
        }

    return strategies


def _tearsheet(settings: Settings, name: str, strategy: Strategy) -> AssetsDefinition:
    key = tearsheet_key(name)

    @asset(
        key=key,
        ins={"results": AssetIn(STRATEGIES_KEY), "returns": AssetIn(RETURNS_KEY)},
        group_name=GROUP,
        kinds={"quantstats", "html"},
        description=f"quantstats' report of {strategy.title} against {strategy.benchmark}. "
        f"{strategy.description}",
    )
    def tearsheet(context: AssetExecutionContext, results: pd.DataFrame, returns: pd.DataFrame) -> None:
        from vp_pipeline.figures.tearsheet import quantstats_html

        by_strategy = results.pivot(index="day", columns="strategy", values="return")
        by_symbol = returns.pivot(index="day", columns="symbol", values="return")
        own = by_strategy[name]
        benchmark = (by_strategy if strategy.benchmark in by_strategy else by_symbol)[strategy.benchmark]
        document = quantstats_html(own, benchmark.rename(strategy.benchmark), _title(settings, strategy))
        figures = performance(own)
        context.add_output_metadata(
            {
                **publish(context, settings, key, document),
                "cagr": figures.cagr,
                "sharpe": figures.sharpe,
                "max_drawdown": figures.max_drawdown,
                "looks_ahead": MetadataValue.bool(strategy.looks_ahead),
            }
        )

    return tearsheet


def _title(settings: Settings, strategy: Strategy) -> str:
    title = f"{strategy.title} (looks ahead)" if strategy.looks_ahead else strategy.title
    return f"{title}: {settings.label}" if settings.label else title


def _history(chosen: Chosen) -> Window:
    """From the first day of the configuration (or of the recording) to the last closed day."""
    start = datetime.combine(chosen.start, datetime.min.time(), UTC)
    if chosen.recorded is None:
        return Window(start, floor(datetime.now(UTC), DAY) + timedelta(days=1))
    return Window(max(start, chosen.recorded.days.start), chosen.recorded.days.end)
