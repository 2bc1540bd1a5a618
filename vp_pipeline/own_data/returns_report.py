"""What `vp tearsheet` says of a file of returns.

Here belongs its content, as data, as text and as JSON; its HTML is in `returns_page`.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from vp_pipeline.analytics.assessment import Sample, samples
from vp_pipeline.analytics.benchmark import Comparison, compare
from vp_pipeline.analytics.costs import break_even_bps, net_returns
from vp_pipeline.analytics.evidence import Evidence, Findings, evidence
from vp_pipeline.analytics.performance import Performance, performance
from vp_pipeline.own_data.errors import DataFileError
from vp_pipeline.own_data.output import Json, as_json, date_text, object_of
from vp_pipeline.own_data.statistics import (
    Statistics,
    Trials,
    annualisation_notes,
    decimal,
    percent,
    statistics,
    table_rows,
)

FEES_ASSUMPTION = (
    "Returns do not tell what was traded: each row whose return is not 0 is taken as the whole wealth traded"
    " once, and pays the fee once."
)


@dataclass(frozen=True)
class Column:
    """One column of the file, after fees. What the file cannot tell is None.

    `gross` are the figures before fees; `turnover` is a mean a period, under `FEES_ASSUMPTION`.
    """

    statistics: Statistics
    gross: Performance | None
    turnover: float | None
    break_even_bps: float | None
    benchmark: Comparison | None
    in_sample: Sample
    out_of_sample: Sample
    evidence: Evidence


@dataclass(frozen=True)
class ReturnsReport:
    """All columns but the benchmark's; `returns` are theirs after fees, with the benchmark's last if any."""

    path: Path
    columns: Mapping[str, Column]
    returns: pd.DataFrame
    benchmark: str | None
    fees_bps: float
    notes: list[str]


def returns_report(
    path: Path,
    returns: pd.DataFrame,
    benchmark: str | None,
    fees_bps: float,
    periods_per_year: float,
    trials: int | None = None,
) -> ReturnsReport:
    """The report on the columns of a file as `read_returns` gives them.

    Args:
        path: the file, for its name.
        returns: a column for each variant, and the benchmark's.
        benchmark: name of its column, which pays no fees.
        fees_bps: see `FEES_ASSUMPTION`.
        periods_per_year: to annualise with.
        trials: variants tried in all, by default the columns.

    Raises:
        DataFileError: fees that take everything.
    """
    gross = returns.drop(columns=[benchmark] if benchmark else [])
    traded = gross.ne(0).astype(float).where(gross.notna())
    net = pd.DataFrame({name: _net(path, gross[name], traded[name], fees_bps) for name in gross})
    tried = Trials.among([net[name] for name in net], trials)
    columns = {
        str(name): _column(
            net[name].dropna(),
            statistics(net[name].dropna(), periods_per_year, tried),
            gross=performance(gross[name], periods_per_year) if fees_bps else None,
            turnover=float(traded[name].mean()) if fees_bps else None,
            break_even_bps=break_even_bps(gross[name], traded[name]) if fees_bps else None,
            benchmark=returns[benchmark] if benchmark else None,
        )
        for name in net
    }
    shown = net.assign(**{benchmark: returns[benchmark]}) if benchmark else net
    notes = annualisation_notes(pd.DatetimeIndex(returns.index), periods_per_year)
    missing = [f"{name} {int(gross[name].isna().sum())}" for name in gross if gross[name].isna().any()]
    if missing:
        notes.append(f"Rows without a return, before the first or after the last: {', '.join(missing)}.")
    return ReturnsReport(path, columns, shown, benchmark, fees_bps, notes)


def _column(
    net: pd.Series,
    known: Statistics,
    *,
    gross: Performance | None,
    turnover: float | None,
    break_even_bps: float | None,
    benchmark: pd.Series | None,
) -> Column:
    inside, outside = samples(net, None, known.periods_per_year)
    against = None if benchmark is None else compare(net, benchmark, known.periods_per_year)
    found = evidence(
        Findings(
            days=known.n,
            looks_ahead=False,
            sharpe=known.sharpe,
            sharpe_low=known.intervals.sharpe[0],
            psr=known.psr,
            dsr=known.dsr,
            trials=known.trials,
            out_of_sample_sharpe=outside.sharpe,
            excess_cagr=math.nan if against is None else against.excess_cagr,
            benchmark=None if benchmark is None else str(benchmark.name),
        )
    )
    return Column(known, gross, turnover, break_even_bps, against, inside, outside, found)


def _net(path: Path, gross: pd.Series, traded: pd.Series, fees_bps: float) -> pd.Series:
    try:
        return net_returns(gross, traded, fees_bps)
    except ValueError as error:
        raise DataFileError(f"{path}, column {gross.name}: {error}: lower --fees-bps") from error


def json_of(report: ReturnsReport) -> dict[str, Json]:
    """An object a column under `columns`; what a single one says stands at the top as well."""
    columns = {name: _column_json(column) for name, column in report.columns.items()}
    single = next(iter(columns.values())) if len(columns) == 1 else {}
    return {
        "file": report.path.name,
        "fees_bps": report.fees_bps,
        "fees_assumption": FEES_ASSUMPTION if report.fees_bps else None,
        "benchmark_column": report.benchmark,
        "notes": as_json(report.notes),
        **single,
        "columns": columns,
    }


def _column_json(column: Column) -> dict[str, Json]:
    return {
        **object_of(column.statistics),
        "gross": as_json(column.gross),
        "turnover": as_json(column.turnover),
        "break_even_bps": as_json(column.break_even_bps),
        "benchmark": as_json(column.benchmark),
        "in_sample": as_json(column.in_sample),
        "out_of_sample": as_json(column.out_of_sample),
        "evidence": as_json(column.evidence),
    }


def title_of(report: ReturnsReport) -> str:
    """One line about the rows of the file."""
    one = next(iter(report.columns.values())).statistics
    return (
        f"{one.n} rows from {date_text(one.first)} to {date_text(one.last)}, {one.periods_per_year:g} a year"
    )


def remarks(report: ReturnsReport) -> list[str]:
    """What has to be known to read the table."""
    bounds = next(iter(report.columns.values())).statistics.intervals
    said = [
        f"In brackets: {bounds.level:.0%} intervals of a stationary bootstrap,"
        f" {bounds.samples} resamples of blocks of {bounds.mean_block:.1f} rows on average."
    ]
    if report.fees_bps:
        said.append(f"After fees of {report.fees_bps:g} bps. {FEES_ASSUMPTION}")
    return [*said, *report.notes]


def table_of(report: ReturnsReport) -> pd.DataFrame:
    """A row for each statistic, a column of text for each of the file's."""
    return pd.DataFrame({name: _lines(report, column) for name, column in report.columns.items()})


def _lines(report: ReturnsReport, column: Column) -> dict[str, str]:
    lines = {"Evidence of skill": column.evidence.level, **table_rows(column.statistics)}
    lines["Sharpe ratio in, out of sample"] = (
        f"{decimal(column.in_sample.sharpe)}, {decimal(column.out_of_sample.sharpe)}"
    )
    if column.gross is not None:
        lines["CAGR before fees"] = percent(column.gross.cagr)
        lines["Sharpe ratio before fees"] = decimal(column.gross.sharpe)
        even = column.break_even_bps
        lines["Break-even fee (bps)"] = decimal(even) if even is not None else decimal(np.nan)
    if column.benchmark is not None:
        against = column.benchmark
        lines[f"Beta to {report.benchmark}"] = decimal(against.beta)
        lines["Alpha a year"] = percent(against.alpha)
        lines["Correlation"] = decimal(against.correlation)
        lines["Information ratio"] = decimal(against.information_ratio)
        lines["CAGR above the benchmark's"] = percent(against.excess_cagr)
    return lines
