"""The page of a strategy: what it earned after costs, and how much that proves.

Here belongs which figures and tables stand on it, in which order; quantstats' report is in `tearsheet`, both
in one document in `two_reports`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd
import plotly.graph_objects as go

from vp_pipeline.analytics.assessment import Assessment, Sample, costs_at
from vp_pipeline.analytics.backtest import Backtest
from vp_pipeline.analytics.performance import Performance
from vp_pipeline.analytics.strategy import Strategy
from vp_pipeline.figures import theme
from vp_pipeline.figures.growth import growth_figure
from vp_pipeline.figures.page import Heading, Section, render_page
from vp_pipeline.figures.returns import drawdown_figure, monthly_figure
from vp_pipeline.figures.verdict import DASH, decimal, percent, verdict

MULTIPLES = (0.0, 0.5, 1.0, 2.0, 5.0)


@dataclass(frozen=True, eq=False)
class StrategyPage:
    """All that the page shows. `benchmark` is named; `look_ahead` is a sentence, `found` its verdict."""

    strategy: Strategy
    found: Assessment
    tested: Backtest
    benchmark: pd.Series
    cost_bps: Mapping[str, float]
    look_ahead: str
    label: str | None

    def render(self) -> str:
        """The HTML document, with `page.PLOTLY_INCLUDE` where plotly.js belongs; same page, same bytes."""
        return render_page(self._title(), self._subtitle(), self.label, self._sections())

    def _title(self) -> str:
        return f"{self.strategy.title} (looks ahead)" if self.strategy.looks_ahead else self.strategy.title

    def _subtitle(self) -> str:
        chosen = ", ".join(f"{name} {value}" for name, value in self.strategy.given.items())
        days = f"{self.found.days} days, {_day(self.found.first)} to {_day(self.found.last)}"
        with_ = f" With {chosen}." if chosen else ""
        return f"{self.strategy.description}{with_} {days}, {self.found.periods_per_year:g} a year."

    def _sections(self) -> list[Section]:
        found, tested, name = self.found, self.tested, str(self.benchmark.name)
        net, gross = tested.net.rename("after costs"), tested.gross.rename("before costs")
        lines = pd.concat([net, gross, self.benchmark], axis=1)
        traded = float(tested.turnover.sum())
        assumed = float(tested.costs.sum()) / traded * 1e4 if traded else float("nan")
        split = found.out_of_sample.first
        return [
            verdict(found, name, self.look_ahead, assumed),
            growth_figure(lines, "Growth of 1", None if split is None else pd.Timestamp(split)),  # type: ignore[arg-type]  # a day
            drawdown_figure(lines[["after costs", name]], "Below the peak"),
            Heading("Key figures"),
            _figures_table(found, name),
            f"In brackets: {found.intervals.level:.0%} intervals of a stationary bootstrap,"
            f" {found.intervals.samples} resamples of blocks of {found.intervals.mean_block:.1f} days"
            " on average.",
            Heading("Luck"),
            _luck(found),
            Heading("Costs"),
            _costs_table(tested, found.periods_per_year),
            self._costs_said(),
            Heading("What was held"),
            held_figure(tested.weights, "Mean weight by month"),
            monthly_figure(net, "Return by month, after costs"),
        ]

    def _costs_said(self) -> str:
        each = ", ".join(f"{symbol} {cost:g}" for symbol, cost in self.cost_bps.items())
        return (
            f"Fees and slippage in basis points of what is bought or sold: {each}. Weights use the days"
            " before and are traded at the close before the day they are held. Funding of perpetuals is not"
            " counted."
        )


def held_figure(weights: pd.DataFrame, title: str = "") -> go.Figure:
    """Each symbol's mean weight by month, stacked; what is left of 1 is cash."""
    monthly = weights.fillna(0).groupby(pd.DatetimeIndex(weights.index).to_period("M")).mean()
    months = pd.PeriodIndex(monthly.index).to_timestamp()
    figure = theme.new_figure(title, 260)
    for symbol in monthly:
        figure.add_bar(
            x=months,
            y=monthly[symbol],
            name=str(symbol),
            hovertemplate="%{x|%Y-%m}: %{y:.1%}<extra>" + str(symbol) + "</extra>",
        )
    figure.update_yaxes(tickformat=".0%", title_text="Part of the wealth")
    return figure.update_layout(barmode="relative", bargap=0.05)


def _figures_table(found: Assessment, benchmark: str) -> pd.DataFrame:
    bounds = found.intervals
    columns: dict[str, Performance | None] = {
        "after costs": found.net,
        "before costs": found.gross,
        benchmark: found.benchmark,
        "in sample": found.in_sample.net,
        "out of sample": found.out_of_sample.net,
    }
    rows = {
        label: [DASH if one is None else text(getattr(one, name)) for one in columns.values()]
        for label, name, text in (
            ("CAGR", "cagr", percent),
            ("Volatility", "volatility", percent),
            ("Sharpe ratio", "sharpe", decimal),
            ("Sortino ratio", "sortino", decimal),
            ("Deepest drawdown", "max_drawdown", percent),
        )
    }
    for label, interval, text in (
        ("CAGR", bounds.cagr, percent),
        ("Sharpe ratio", bounds.sharpe, decimal),
        ("Deepest drawdown", bounds.max_drawdown, percent),
    ):
        rows[label][0] += f" ({text(interval[0])} to {text(interval[1])})"
    blank = [""] * (len(columns) - 1)
    fall = found.drawdown
    over = "not over" if fall.recovery is None else f"over {_day(fall.recovery)}"
    rows["Drawdown dates"] = [f"{_day(fall.trough)}, {over}" if fall.depth else DASH, *blank]
    rows["Calmar ratio"] = [decimal(found.calmar), *blank]
    rows["Skew"] = [decimal(found.skew), *blank]
    rows["Kurtosis (normal: 3)"] = [decimal(found.kurtosis), *blank]
    rows["In the market, mean"] = [percent(found.exposure), *blank]
    rows[f"Beta to {benchmark}"] = [decimal(found.comparison.beta), *blank]
    rows["Alpha a year"] = [percent(found.comparison.alpha), *blank]
    rows["Correlation"] = [decimal(found.comparison.correlation), *blank]
    rows["Information ratio"] = [decimal(found.comparison.information_ratio), *blank]
    rows["Days"] = ["", "", "", _span(found.in_sample), _span(found.out_of_sample)]
    table = pd.DataFrame.from_dict(rows, orient="index", columns=list(columns))
    return table.rename_axis("").reset_index()


def _luck(found: Assessment) -> str:
    if found.trials == 1:
        return (
            f"One variant was tried, so that nothing is deflated: the true Sharpe ratio is above 0 with a"
            f" probability of {percent(found.psr)} (probabilistic Sharpe ratio), given skew and fat tails."
        )
    return (
        f"{found.trials} variants were tried. Were they all worth nothing, the best of them would still show"
        f" a Sharpe ratio of about {decimal(found.luck)} a year. The true Sharpe ratio is above 0 with a"
        f" probability of {percent(found.psr)} (probabilistic Sharpe ratio), and above that luck with"
        f" {percent(found.dsr)} (deflated Sharpe ratio). Variants that were tried and not named count too:"
        " whoever tried more has to say so."
    )


def _costs_table(tested: Backtest, periods_per_year: float) -> pd.DataFrame:
    at = costs_at(tested, MULTIPLES, periods_per_year)
    return pd.DataFrame(
        {
            "Costs": ["none" if one == 0 else f"{one:g} times" for one in at["multiple"]],
            "CAGR": [percent(one) for one in at["cagr"]],
            "Sharpe ratio": [decimal(one) for one in at["sharpe"]],
        }
    )


def _span(sample: Sample) -> str:
    return f"{_day(sample.first)} to {_day(sample.last)}" if sample.days else DASH


def _day(day: object) -> str:
    return "the start" if day is None else str(day)[:10]
