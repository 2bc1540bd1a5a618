"""One making of the session tables: of each symbol as of each day, and of the comparisons.

Here belong which bars go in and what a run leaves behind; everything is computed in `analytics` and drawn in
`figures`. As of a day are the bars that opened until its end, over four spans of days up to it. A comparison
is made of the bars that all symbols of an interval have.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta

import pandas as pd
from dagster import AssetExecutionContext, AssetKey, AssetMaterialization, Failure, MetadataValue

from vp_pipeline.analytics.bar_returns import BarReturns
from vp_pipeline.analytics.common_bars import common_bars
from vp_pipeline.analytics.session_report import SessionReport, session_report
from vp_pipeline.assets import session_metadata
from vp_pipeline.assets.artifacts import publish
from vp_pipeline.assets.keys import DAY_FORMAT
from vp_pipeline.assets.partitions import window_of
from vp_pipeline.assets.session_bars import read_returns
from vp_pipeline.assets.session_healing import outdated
from vp_pipeline.assets.sessions import comparison_key
from vp_pipeline.catalog import Klines
from vp_pipeline.figures.page import Heading, render_page
from vp_pipeline.figures.session_comparison import comparison_sections
from vp_pipeline.figures.sessions import session_sections, windows_section
from vp_pipeline.settings import Settings
from vp_pipeline.storage.connection import transaction
from vp_pipeline.storage.io_manager import Batch, PostgresIOManager
from vp_pipeline.storage.tables import SESSION_VOLATILITY
from vp_pipeline.windows import DAY, Window

SPANS: Mapping[str, timedelta | None] = {
    "30d": timedelta(days=30),
    "90d": timedelta(days=90),
    "1y": timedelta(days=365),
    "all": None,
}
"""Days up to the end of the day; None: all that is stored."""

_SUBTITLE = "All times UTC, volatility in percent"


def run(
    context: AssetExecutionContext,
    settings: Settings,
    postgres: PostgresIOManager,
    series_of: Mapping[AssetKey, Klines],
    compared: Sequence[str],
) -> Iterator[AssetMaterialization]:
    """Make what the run selected, as of each day of its window.

    Raises:
        Failure: no series has bars.
    """
    window = window_of(context)
    wanted = context.selected_asset_keys
    needed = {
        key: series
        for key, series in series_of.items()
        if key in wanted or comparison_key(series.interval) in wanted
    }
    with transaction(postgres.database_url) as connection:
        read = {key: read_returns(connection, series, window.end) for key, series in needed.items()}
        known = {key: returns for key, returns in read.items() if returns is not None}
        again = outdated(connection, settings, series_of, known, window)
    if again:
        context.log.info(f"made again, since bars came or changed later: {', '.join(map(_label, again))}")
    made = 0
    for day, keys in [*again.items(), *((day, known.keys()) for day in window.split(DAY))]:
        for key, returns in known.items():
            until = returns.between(returns.open_time[0], pd.Timestamp(day.end))
            if key in keys & wanted and len(until) > 1:
                made += 1
                yield _materialize(context, settings, postgres, key, series_of[key], day, until)
        touched = {series_of[key].interval for key in keys}
        for interval in compared:
            several = {
                series_of[key].symbol: returns
                for key, returns in known.items()
                if series_of[key].interval == interval
            }
            if interval in touched and comparison_key(interval) in wanted and len(several) > 1:
                yield from _compare(context, settings, interval, day, several)
    without = [series_of[key].symbol for key in read if key not in known]
    if without:
        context.log.warning(f"left out, no bars stored: {', '.join(without)}")
    if not made and wanted & series_of.keys():
        raise Failure("No series has two stored bars: materialize klines/* first.")


def _materialize(
    context: AssetExecutionContext,
    settings: Settings,
    postgres: PostgresIOManager,
    key: AssetKey,
    series: Klines,
    day: Window,
    returns: BarReturns,
) -> AssetMaterialization:
    """Tables of all spans in one transaction, and the report."""
    reports = _of_spans(returns, day)
    label = _label(day)
    stored = pd.concat(
        [
            report.rows.assign(span=span, day=day.start.replace(tzinfo=None))
            for span, report in reports.items()
        ],
        ignore_index=True,
    )
    postgres.write(
        [Batch(SESSION_VOLATILITY, stored, {"symbol": series.symbol, "interval": series.interval}, day)]
    )
    whole = reports["all"]
    document = render_page(
        f"{series.symbol} by weekday and session, as of {label}",
        _SUBTITLE,
        settings.label,
        [*session_sections(series.symbol, whole), Heading("Spans of days"), windows_section(reports)],
    )
    return AssetMaterialization(
        key,
        partition=label,
        metadata={
            **publish(context, settings, key, document, label),
            **session_metadata.figures(reports),
            "preview": MetadataValue.md(session_metadata.preview(whole)),
            "dagster/row_count": len(stored),
        },
    )


def _label(day: Window) -> str:
    """The day's partition."""
    return day.start.strftime(DAY_FORMAT)


def _of_spans(returns: BarReturns, day: Window) -> dict[str, SessionReport]:
    """A report for each span; of a history shorter than a span the same as of all."""
    reports: dict[str, SessionReport] = {}
    whole = session_report(returns)
    for span, length in SPANS.items():
        start = None if length is None else pd.Timestamp(day.end - length)
        if start is None or start <= returns.open_time[0]:
            reports[span] = whole
            continue
        part = returns.between(start, pd.Timestamp(day.end))
        if len(part):
            reports[span] = session_report(part)
    return reports


def _compare(
    context: AssetExecutionContext,
    settings: Settings,
    interval: str,
    day: Window,
    several: Mapping[str, BarReturns],
) -> Iterator[AssetMaterialization]:
    """The comparison of all symbols that have bars by the end of the day, over the shortest history."""
    end = pd.Timestamp(day.end)
    until = {symbol: found.between(found.open_time[0], end) for symbol, found in several.items()}
    common = common_bars({symbol: found for symbol, found in until.items() if len(found)})
    if len(common.returns) < 2 or not common.bars:
        context.log.warning(f"{interval}: no bar in common until {end}, nothing to compare")
        return
    reports = {symbol: session_report(found) for symbol, found in common.returns.items()}
    key, label = comparison_key(interval), _label(day)
    document = render_page(
        f"{len(reports)} symbols by session, as of {label}",
        _SUBTITLE,
        settings.label,
        comparison_sections("all", common, reports),
    )
    yield AssetMaterialization(
        key,
        partition=label,
        metadata={
            **publish(context, settings, key, document, label),
            "symbols": len(reports),
            "common_bars": common.bars,
            **{
                f"{symbol} daily volatility, %": round(report.table.volatility_pct("1d"), 4)
                for symbol, report in reports.items()
            },
            "preview": MetadataValue.md(session_metadata.common(common.counts)),
        },
    )
