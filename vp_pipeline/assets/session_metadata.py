"""What the materializations of sessions report: key numbers and small tables.

Here belongs how it is written; the numbers come from `analytics`.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from dagster import MetadataValue

from vp_pipeline.analytics.session_report import SessionReport


def figures(reports: Mapping[str, SessionReport]) -> dict[str, Any]:
    """Key numbers of the materialization."""
    whole = reports["all"]
    figures: dict[str, Any] = {
        f"daily volatility {span}, %": round(report.table.volatility_pct("1d"), 4)
        for span, report in reports.items()
    }
    figures |= {
        "bars": whole.table.bars,
        "returns_over_missing_bars": whole.table.gap_returns,
        "filled_bars": whole.table.filled,
        "outliers": whole.table.outliers,
    }
    for by in ("weekday", "session"):
        groups = whole.group(by)
        names = groups.loc[groups["differs"], by].tolist()
        figures[f"{by}s that differ"] = MetadataValue.text(", ".join(names) or "none found")
    return figures


def preview(report: SessionReport) -> str:
    """A small table of the sessions."""
    lines = ["| session | 1 hour, % | interval | share of the day |", "|---|---:|---:|---:|"]
    for row in report.group("session").to_dict("records"):
        mark = " *" if row["differs"] else ""
        lines.append(
            f"| {row['session']}{mark} | {_known(row['volatility_pct'], '.3f')} |"
            f" {_known(row['volatility_low'], '.3f')} to {_known(row['volatility_high'], '.3f')} |"
            f" {_known(row['daily_share'], '.1%')} |"
        )
    return "\n".join([*lines, "", "\\* differs from the rest"])


def common(counts: pd.DataFrame) -> str:
    """Which bars each symbol has, as a small table."""
    lines = ["| symbol | bars | common | not in all | lacks |", "|---|---:|---:|---:|---:|"]
    lines += [
        f"| {row['symbol']} | {row['bars']:,} | {row['common']:,} | {row['not_in_all']:,} |"
        f" {row['lacks']:,} |"
        for row in counts.to_dict("records")
    ]
    return "\n".join(lines)


def _known(value: float, form: str) -> str:
    return format(value, form) if np.isfinite(value) else "-"
