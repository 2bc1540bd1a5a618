"""All strategies on one history: weights, results, figures, and the test for looking ahead.

Here belongs what a run of `strategies` computes, stores and publishes; each figure is defined in `analytics`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
from dagster import AssetCheckResult, AssetCheckSeverity, AssetExecutionContext, Failure, Output

from vp_pipeline.analytics.assessment import Assessment, assess
from vp_pipeline.analytics.backtest import Backtest, backtest
from vp_pipeline.analytics.errors import NotEnoughData
from vp_pipeline.analytics.history import FIELDS, History
from vp_pipeline.analytics.look_ahead import LookAhead, look_ahead
from vp_pipeline.analytics.sharpe_significance import Trials
from vp_pipeline.analytics.strategy import Strategy
from vp_pipeline.assets.artifacts import links, publish
from vp_pipeline.assets.strategies import STRATEGIES_KEY, check_name
from vp_pipeline.catalog import Strategies as Chosen
from vp_pipeline.figures.league import league_page
from vp_pipeline.settings import Settings
from vp_pipeline.storage import artifacts
from vp_pipeline.storage.connection import transaction
from vp_pipeline.storage.tables import STRATEGY_NET, STRATEGY_RETURN, STRATEGY_SUMMARY, STRATEGY_WEIGHT

CSV = "text/csv; charset=utf-8"
LOOK_DAYS = 150
"""Days, at random, on which each strategy is tested for looking ahead; the same ones at every run."""


@dataclass(frozen=True, eq=False)
class Result:
    """One strategy; `benchmark` are the returns of its benchmark, after costs if that is a strategy."""

    strategy: Strategy
    tested: Backtest
    looked: LookAhead
    benchmark: pd.Series
    found: Assessment

    @property
    def looks_ahead(self) -> bool:
        """By its own word, or by test."""
        return self.strategy.looks_ahead or self.looked.found


def run(
    context: AssetExecutionContext,
    settings: Settings,
    chosen: Chosen,
    known: Mapping[str, Strategy],
    returns: pd.DataFrame,
) -> Iterator[Output[dict[str, pd.DataFrame]] | AssetCheckResult]:
    """The frames of all strategies on these rows of `daily_return`, and a check of each.

    Raises:
        Failure: there are too few days, or a strategy or its parameters cannot be used.
    """
    try:
        results = results_of(history_of_rows(returns), known, chosen)
    except NotEnoughData as error:
        raise Failure(f"{error}: start the history of [strategies] earlier.") from error
    except ValueError as error:
        raise Failure(f"{error}. Correct the strategy or its parameters.") from error
    frames = frames_of(results)
    yield Output(frames, metadata=_published(context, settings, frames))
    for name, one in results.items():
        yield _check(name, one)


def history_of_rows(daily: pd.DataFrame) -> History:
    """The history in the rows of `daily_return`; where a recording lacks bars, of returns alone."""
    returns = daily.pivot(index="day", columns="symbol", values="return")
    bars = {name: daily.pivot(index="day", columns="symbol", values=name) for name in FIELDS}
    if any(bars[name].isna().to_numpy()[returns.notna().to_numpy()].any() for name in FIELDS):
        return History.of_returns(returns)
    return History.of_bars(returns, bars)


def results_of(history: History, variants: Mapping[str, Strategy], chosen: Chosen) -> dict[str, Result]:
    """Every variant's result; the Sharpe ratios of all are those that were tried.

    Raises:
        NotEnoughData: fewer than two days.
        ValueError: of which variant weights or results cannot be had.
    """
    costs = {symbol: chosen.cost_bps(symbol) for symbol in map(str, history.returns.columns)}
    tested = {name: _backtest(name, one, history, costs) for name, one in variants.items()}
    trials = Trials.among([one.net for one in tested.values()], chosen.trials)
    split = None if chosen.out_of_sample is None else pd.Timestamp(chosen.out_of_sample)
    results = {}
    for name, one in variants.items():
        looked = look_ahead(one.weights, history, days=LOOK_DAYS)
        benchmark = benchmark_of(one, {key: each.net for key, each in tested.items()}, history.returns)
        found = assess(
            tested[name],
            benchmark,
            trials,
            looks_ahead=one.looks_ahead or looked.found,
            split=split,
        )
        results[name] = Result(one, tested[name], looked, benchmark, found)
    return results


def benchmark_of(
    strategy: Strategy, by_strategy: Mapping[str, pd.Series], by_symbol: pd.DataFrame
) -> pd.Series:
    """Its benchmark's returns, named; a symbol's are without costs: it is bought once."""
    name = strategy.benchmark
    return (by_strategy[name] if name in by_strategy else by_symbol[name]).rename(name)


def look_ahead_said(strategy: Strategy, days: int) -> str:
    """The verdict of the test as a sentence; the days are those whose weights used the future."""
    if days and strategy.looks_ahead:
        return "It looks ahead, as published: its weights use days to come, so nobody could have held them."
    if days:
        return f"It looks ahead, and does not say so: the weights of {days} days used days to come."
    if strategy.looks_ahead:
        return "It says that it looks ahead, though no weight changed when the days to come did."
    return "It does not look ahead: no weight changed when the days to come did."


def frames_of(results: Mapping[str, Result]) -> dict[str, pd.DataFrame]:
    """The rows of the four tables."""
    earned, kept, held = [], [], []
    for name, one in results.items():
        tested = one.tested
        days = pd.DataFrame({"strategy": name, "day": tested.gross.index})
        earned.append(days.assign(**{"return": tested.gross.to_numpy()}))
        kept.append(
            days.assign(
                net=tested.net.to_numpy(), turnover=tested.turnover.to_numpy(), cost=tested.costs.to_numpy()
            )
        )
        long = tested.weights.reset_index(names="day").melt("day", var_name="symbol", value_name="weight")
        held.append(long.dropna().assign(strategy=name))
    return {
        STRATEGY_RETURN.name: pd.concat(earned, ignore_index=True),
        STRATEGY_NET.name: pd.concat(kept, ignore_index=True),
        STRATEGY_WEIGHT.name: pd.concat(held, ignore_index=True),
        STRATEGY_SUMMARY.name: pd.DataFrame([summary(name, one) for name, one in results.items()]),
    }


def summary(name: str, one: Result) -> dict[str, Any]:
    """The row of `strategy_summary`."""
    found, bounds = one.found, one.found.intervals
    return {
        "strategy": name,
        "title": one.strategy.title,
        "description": one.strategy.description,
        "parameters": ", ".join(f"{key} = {value}" for key, value in one.strategy.given.items()),
        "benchmark": one.strategy.benchmark,
        "looks_ahead": one.looks_ahead,
        "days_looked_ahead": len(one.looked.days),
        "evidence": found.evidence.level,
        "days": found.days,
        "first_day": found.first,
        "last_day": found.last,
        "cagr": found.net.cagr,
        "cagr_low": bounds.cagr[0],
        "cagr_high": bounds.cagr[1],
        "cagr_gross": found.gross.cagr,
        "volatility": found.net.volatility,
        "sharpe": found.net.sharpe,
        "sharpe_low": bounds.sharpe[0],
        "sharpe_high": bounds.sharpe[1],
        "sharpe_gross": found.gross.sharpe,
        "sortino": found.net.sortino,
        "max_drawdown": found.net.max_drawdown,
        "max_drawdown_low": bounds.max_drawdown[0],
        "max_drawdown_high": bounds.max_drawdown[1],
        "psr": found.psr,
        "dsr": found.dsr,
        "trials": found.trials,
        "turnover": found.turnover,
        "exposure": found.exposure,
        "costs": found.costs,
        "break_even_bps": found.break_even_bps,
        "out_of_sample_from": found.out_of_sample.first,
        "in_sample_sharpe": found.in_sample.sharpe,
        "out_of_sample_sharpe": found.out_of_sample.sharpe,
        "excess_cagr": found.comparison.excess_cagr,
    }


def _backtest(name: str, strategy: Strategy, history: History, costs: Mapping[str, float]) -> Backtest:
    try:
        return backtest(strategy.weights(history), history.returns, costs)
    except ValueError as error:
        raise ValueError(f"strategy {name}: {error}") from error


def _check(name: str, one: Result) -> AssetCheckResult:
    """Fails what peeks: as an error, or as a warning where the strategy says so of itself."""
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
    context: AssetExecutionContext, settings: Settings, frames: Mapping[str, pd.DataFrame]
) -> dict[str, Any]:
    """Keeps the league table and the CSV files; metadata that link to them."""
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
