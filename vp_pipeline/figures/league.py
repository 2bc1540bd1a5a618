"""All strategies side by side: the league table.

Here belongs how it is drawn; its rows are those of the summary that is stored.
"""

from typing import Any

import pandas as pd

from vp_pipeline.figures.growth import growth_figure
from vp_pipeline.figures.page import Heading, Section, render_page
from vp_pipeline.figures.verdict import between, decimal, percent


def league_page(summary: pd.DataFrame, net: pd.DataFrame, label: str | None) -> str:
    """A row a strategy, the best deflated Sharpe ratio first and those that look ahead last.

    Args:
        summary: rows of the table `strategy_summary`.
        net: returns after costs, a column a strategy, by day.
        label: as `page.Page` has it.
    """
    ranked = summary.sort_values(["looks_ahead", "dsr"], ascending=[True, False], na_position="last")
    first = ranked.iloc[0]
    sections: list[Section] = [
        league_table(ranked),
        "In brackets: 95 % intervals of a stationary bootstrap. All after costs but for the break-even cost."
        f" The deflated Sharpe ratio (DSR) is over all {first['trials']} variants tried: the best of many"
        " looks good by luck alone. PSR is the probability that the true ratio is above 0. Turnover is what"
        " is bought and sold a day, as a part of the wealth; the break-even cost is in basis points of it."
        " The excess is the growth a year above that of the benchmark.",
        growth_figure(
            net[list(ranked["strategy"])].rename(columns=dict(_titles(ranked))), "Growth of 1 after costs"
        ),
        Heading("What they are"),
        *(_described(one) for _, one in ranked.iterrows()),
    ]
    return render_page(
        "League of strategies",
        f"{first['days']} days, {str(first['first_day'])[:10]} to {str(first['last_day'])[:10]}, 365 a year",
        label,
        sections,
    )


def league_table(ranked: pd.DataFrame) -> pd.DataFrame:
    """The table as text, in the order of the rows."""
    rows = [
        {
            "Strategy": title,
            "Evidence": one["evidence"],
            "CAGR": percent(one["cagr"]),
            "Sharpe": decimal(one["sharpe"])
            + f" ({between((one['sharpe_low'], one['sharpe_high']), decimal)})",
            "PSR": percent(one["psr"]),
            "DSR": percent(one["dsr"]),
            "Out of sample": decimal(one["out_of_sample_sharpe"]),
            "Drawdown": percent(one["max_drawdown"]),
            "Turnover": percent(one["turnover"]),
            "Break-even": decimal(one["break_even_bps"]),
            "Excess": percent(one["excess_cagr"]),
        }
        for (_, title), (_, one) in zip(_titles(ranked), ranked.iterrows(), strict=True)
    ]
    return pd.DataFrame(rows)


def _described(one: "pd.Series[Any]") -> str:
    chosen = f" With {one['parameters']}." if one["parameters"] else ""
    return f"{one['title']}: {one['description']}{chosen} Benchmark: {one['benchmark']}."


def _titles(summary: pd.DataFrame) -> list[tuple[str, str]]:
    return [
        (one["strategy"], f"{one['title']} (looks ahead)" if one["looks_ahead"] else one["title"])
        for _, one in summary.iterrows()
    ]
