"""Daily returns and the strategies on them.

Here belongs what is fetched, stored and published; what is computed of the returns is in `strategy_run`,
documents of single strategies in `tearsheets`.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from dagster import (
    AssetCheckResult,
    AssetCheckSeverity,
    AssetCheckSpec,
    AssetExecutionContext,
    AssetIn,
    AssetKey,
    AssetsDefinition,
    Failure,
    Output,
    asset,
)

from vp_pipeline.analytics.errors import NotEnoughData
from vp_pipeline.analytics.strategy import Strategy
from vp_pipeline.assets.artifacts import links, publish
from vp_pipeline.assets.clocks import now, turn_clock
from vp_pipeline.assets.tearsheets import build_tearsheets
from vp_pipeline.assets.variants import variants
from vp_pipeline.catalog import Strategies as Chosen
from vp_pipeline.settings import Settings
from vp_pipeline.storage import artifacts
from vp_pipeline.storage.connection import transaction
from vp_pipeline.storage.frame_types import DATA_FRAME, DATA_FRAMES
from vp_pipeline.storage.io_manager import stored_as
from vp_pipeline.storage.tables import (
    DAILY_RETURN,
    STRATEGY_NET,
    STRATEGY_RETURN,
    STRATEGY_SUMMARY,
    STRATEGY_WEIGHT,
)
from vp_pipeline.windows import DAY, Window, floor

if TYPE_CHECKING:
    import pandas as pd

    from vp_pipeline.assets.strategy_run import Result

GROUP = "strategies"
RETURNS_KEY = AssetKey("daily_returns")
STRATEGIES_KEY = AssetKey("strategies")
CSV = "text/csv; charset=utf-8"


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
        import pandas as pd

        from vp_pipeline.analytics.strategies import daily_returns as returns_of
        from vp_pipeline.exchanges.errors import FetchError
        from vp_pipeline.exchanges.frames import GRACE
        from vp_pipeline.exchanges.futures import EXCHANGE, FuturesClient

        client = FuturesClient(settings.exchange_host(EXCHANGE))
        window = _history(chosen, settings)
        turn_clock(settings, window.end + GRACE)
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
                        **{name: bars[name] for name in ("close", "high", "low", "volume")},
                        "return": returns_of(bars["open"], bars["close"]),
                    }
                )
            )
            context.log.info(f"{symbol}: {len(bars)} days to {bars['open_time'].iloc[-1]:%Y-%m-%d}")
        return pd.concat(frames, ignore_index=True)

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

        try:
            results = strategy_run.run(strategy_run.history_of_rows(returns), known, chosen)
        except NotEnoughData as error:
            raise Failure(f"{error}: start the history of [strategies] earlier.") from error
        except ValueError as error:
            raise Failure(f"{error}. Correct the strategy or its parameters.") from error
        frames = strategy_run.frames(results)
        yield Output(frames, metadata=_published(context, settings, frames))
        for name, one in results.items():
            yield _check(name, one)

    return strategies


def _check(name: str, one: "Result") -> AssetCheckResult:
    """Fails what peeks: as an error, or as a warning where the strategy says so of itself."""
    from vp_pipeline.assets.strategy_run import look_ahead_said

    peeks = one.looked.found
    return AssetCheckResult(
        check_name=check_name(name),
        passed=not peeks,
        severity=AssetCheckSeverity.WARN if one.strategy.looks_ahead else AssetCheckSeverity.ERROR,
        description=look_ahead_said(one.strategy, len(one.looked.days)),
        metadata={
            "days_that_looked_ahead": len(one.looked.days),
            "days_tested": one.looked.tested,
            "days": one.looked.rows,
            **({"first": str(one.looked.days[0])[:10]} if peeks else {}),
        },
    )


def _published(
    context: AssetExecutionContext, settings: Settings, frames: "Mapping[str, pd.DataFrame]"
) -> dict[str, Any]:
    """Keeps the league table and the CSV files; metadata that link to them."""
    from vp_pipeline.figures.league import league_page

    summary = frames[STRATEGY_SUMMARY.name]
    wide = {
        column: frame.pivot(index="day", columns="strategy", values=column)[list(summary["strategy"])]
        for column, frame in (("return", frames[STRATEGY_RETURN.name]), ("net", frames[STRATEGY_NET.name]))
    }
    page = league_page(summary, wide["net"], settings.label)
    weights = frames[STRATEGY_WEIGHT.name][["day", "strategy", "symbol", "weight"]]
    files = {
        "strategies/returns_gross": wide["return"].rename_axis("date").reset_index(),
        "strategies/returns_net": wide["net"].rename_axis("date").reset_index(),
        "strategies/weights": weights.rename(columns={"day": "date"}),
        "strategies/league_table": summary,
    }
    metadata = publish(context, settings, STRATEGIES_KEY, page)
    with transaction(settings.database_url.get_secret_value()) as connection:
        for name, frame in files.items():
            # As in `vp export`: data that are not the market's say so in every row.
            said = frame if settings.label is None else frame.assign(source=settings.label)
            text = said.to_csv(index=False)
            kept = artifacts.put(connection, name, "", text, context.run.run_id, media_type=CSV)
            metadata[name.partition("/")[2]] = links(settings, kept)["download"]
    best = summary.loc[~summary["looks_ahead"]].sort_values("dsr", ascending=False)
    return {
        **metadata,
        "variants_tried": int(summary["trials"].iloc[0]),
        "evidence": ", ".join(f"{one.strategy}: {one.evidence}" for one in best.itertuples()),
    }


def _history(chosen: Chosen, settings: Settings) -> Window:
    """From the first day of the configuration (or of the recording) to the last closed day."""
    start = datetime.combine(chosen.start, datetime.min.time(), UTC)
    if chosen.recorded is None:
        return Window(start, floor(now(settings), DAY) + timedelta(days=1))
    return Window(max(start, chosen.recorded.days.start), chosen.recorded.days.end)
