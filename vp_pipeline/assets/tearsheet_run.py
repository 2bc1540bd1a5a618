"""One making of a tearsheet.

Here belongs what goes into the document and what its materialization says; the page is drawn in
`figures.strategy_page`, quantstats' report in `figures.tearsheet`.
"""

from dataclasses import replace
from typing import Any

import pandas as pd
from dagster import AssetExecutionContext, AssetKey, MetadataValue

from vp_pipeline.analytics.assessment import Assessment, assess
from vp_pipeline.analytics.backtest import Backtest
from vp_pipeline.analytics.errors import NotEnoughData
from vp_pipeline.analytics.sharpe_significance import Trials
from vp_pipeline.analytics.strategy import Strategy
from vp_pipeline.assets.strategy_run import benchmark_of, look_ahead_said
from vp_pipeline.assets.versions import publish_version
from vp_pipeline.catalog import Strategies as Chosen
from vp_pipeline.figures.preview import preview_markdown
from vp_pipeline.figures.strategy_page import StrategyPage
from vp_pipeline.figures.tearsheet import quantstats_html
from vp_pipeline.figures.two_reports import with_quantstats, without_quantstats
from vp_pipeline.settings import Settings
from vp_pipeline.storage import rows
from vp_pipeline.storage.connection import transaction
from vp_pipeline.storage.io_manager import PostgresIOManager
from vp_pipeline.storage.tables import STRATEGY_NET, STRATEGY_SUMMARY, STRATEGY_WEIGHT


class Sheet:
    """What is stored of one strategy, put together again."""

    def __init__(
        self,
        settings: Settings,
        chosen: Chosen,
        name: str,
        strategy: Strategy,
        results: pd.DataFrame,
        daily: pd.DataFrame,
        postgres: PostgresIOManager,
    ) -> None:
        with transaction(postgres.database_url) as connection:
            weights = rows.read(connection, STRATEGY_WEIGHT, {"strategy": name})
            after = rows.read(connection, STRATEGY_NET, {})
            (summary,) = rows.read(connection, STRATEGY_SUMMARY, {"strategy": name}).to_dict("records")
        table = results.merge(after, on=["strategy", "day"]).pivot(index="day", columns="strategy")
        self._returns = daily.pivot(index="day", columns="symbol", values="return")
        held = weights.pivot(index="day", columns="symbol", values="weight")
        self.tested = Backtest(
            held.reindex(index=table.index, columns=self._returns.columns),
            *(table[column][name] for column in ("return", "turnover", "cost", "net")),
        )
        self.said = look_ahead_said(strategy, int(summary["days_looked_ahead"]))
        self.strategy = replace(strategy, looks_ahead=bool(summary["looks_ahead"]))
        self._name, self._settings, self._chosen, self._results = name, settings, chosen, table
        net = table["net"]
        self.benchmark = benchmark_of(strategy, {one: net[one] for one in net}, self._returns)
        split = None if chosen.out_of_sample is None else pd.Timestamp(chosen.out_of_sample)
        self.found: Assessment = assess(
            self.tested,
            self.benchmark,
            Trials.among([net[one] for one in net], chosen.trials),
            looks_ahead=self.strategy.looks_ahead,
            split=split,
        )

    def published(self, context: AssetExecutionContext, key: AssetKey) -> dict[str, Any]:
        """Keep the document as that of the asset `key`; what its materialization says."""
        kept = publish_version(context, self._settings, key, self._document(context), self._chosen.keep_days)
        return {
            **kept,
            **_figures(self.found),
            "looks_ahead": MetadataValue.bool(self.strategy.looks_ahead),
            "look_ahead_test": self.said,
            "benchmark": self.strategy.benchmark,
            "preview": MetadataValue.md(preview_markdown(self.tested.net, self.benchmark)),
        }

    def _document(self, context: AssetExecutionContext) -> str:
        """Our page and quantstats' report, or the reason why there is none."""
        symbols = [str(symbol) for symbol in self._returns]
        page = StrategyPage(
            self.strategy,
            self.found,
            self.tested,
            self.benchmark,
            {symbol: self._chosen.cost_bps(symbol) for symbol in symbols},
            self.said,
            self._settings.label,
        ).render()
        own, benchmark, said = self._reported()
        try:
            report = quantstats_html(own, benchmark, self._title())
        except NotEnoughData as error:
            context.log.warning(f"tearsheet of {self._name} without quantstats: {error}")
            return without_quantstats(page, f"There is none: {error}.")
        return with_quantstats(page, report, said)

    def _reported(self) -> tuple[pd.Series, pd.Series, str]:
        """What quantstats reports on: before costs where a strategy is kept as published."""
        column = "return" if self.strategy.published else "net"
        table = self._results[column]
        other = benchmark_of(self.strategy, {one: table[one] for one in table}, self._returns).dropna()
        when = "before costs, as published" if self.strategy.published else "after costs"
        said = f"{self.strategy.title} against {other.name}, {when}; 365 days a year."
        return table[self._name].rename(self._name), other, said

    def _title(self) -> str:
        title = f"{self.strategy.title} (looks ahead)" if self.strategy.looks_ahead else self.strategy.title
        return f"{title}: {self._settings.label}" if self._settings.label else title


def _figures(found: Assessment) -> dict[str, Any]:
    low, high = found.intervals.sharpe
    figures = {
        "cagr": found.net.cagr,
        "sharpe": found.net.sharpe,
        "max_drawdown": found.net.max_drawdown,
        "psr": found.psr,
        "dsr": found.dsr,
        "break_even_bps": found.break_even_bps,
    }
    # Dagster's storage has no number for what is not defined.
    defined = {name: value if value == value else "not defined" for name, value in figures.items()}
    return {
        **defined,
        "sharpe_interval": f"{low:.2f} to {high:.2f}",
        "trials": found.trials,
        "evidence": found.evidence.level,
    }
