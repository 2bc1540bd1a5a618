"""Volatility by weekday and trading session, over all stored bars of every series.

Here belongs which bars go in; the table is computed in `analytics.sessions`.
"""

from datetime import timedelta

import pandas as pd
from dagster import (
    AssetExecutionContext,
    AssetKey,
    AssetsDefinition,
    Failure,
    MetadataValue,
    ResourceParam,
    asset,
)

from vp_pipeline.assets.artifacts import publish
from vp_pipeline.assets.klines import GROUP, klines_key
from vp_pipeline.catalog import INTERVAL_MINUTES
from vp_pipeline.settings import Settings
from vp_pipeline.storage import rows
from vp_pipeline.storage.connection import transaction
from vp_pipeline.storage.io_manager import PostgresIOManager, stored_as
from vp_pipeline.storage.tables import KLINE, SESSION_VOLATILITY

KEY = AssetKey("session_volatility")


def build_session_volatility(settings: Settings) -> AssetsDefinition:
    """One table, and one report, of all series."""
    catalog = settings.catalog

    @asset(
        key=KEY,
        deps=[klines_key(settings, series) for series in catalog.klines],
        group_name=GROUP,
        kinds={"pandas", "plotly", "postgres"},
        description="Volatility, volume, taker share and volume per trade of each USD-M perpetual"
        " by weekday and trading session, over all stored bars.",
        metadata=stored_as(SESSION_VOLATILITY),
    )
    def session_volatility(
        context: AssetExecutionContext, postgres: ResourceParam[PostgresIOManager]
    ) -> pd.DataFrame:
        from vp_pipeline.analytics.bar_returns import returns_pct
        from vp_pipeline.analytics.session_report import session_report
        from vp_pipeline.figures.page import render_page
        from vp_pipeline.figures.sessions import session_sections

        frames, sections, summary, without = [], [], {}, []
        for series in catalog.klines:
            bar = timedelta(minutes=INTERVAL_MINUTES[series.interval])
            with transaction(postgres.database_url) as connection:
                bars = rows.read(
                    connection, KLINE, {"symbol": series.symbol, "interval": series.interval}
                ).astype({"trades": "float64"})
            if len(bars) < 2:
                without.append(series.symbol)
                continue
            report = session_report(returns_pct(bars, pd.Timedelta(bar)))
            table = report.table
            stored = table.to_frame().query("grouping != 'quarter'").assign(symbol=series.symbol)
            frames.append(stored.assign(interval=series.interval)[list(SESSION_VOLATILITY.columns)])
            sections += session_sections(series.symbol, report)
            summary[f"{series.symbol} daily volatility, %"] = round(table.volatility_pct("1d"), 4)
        if not frames:
            raise Failure("No series has two stored bars: materialize klines/* first.")
        if without:
            context.log.warning(f"left out, no bars stored: {', '.join(without)}")
        document = render_page(
            "Volatility by weekday and session",
            "All times UTC, volatility in percent",
            settings.label,
            sections,
        )
        context.add_output_metadata(
            {
                **publish(context, settings, KEY, document),
                **summary,
                "series": len(frames),
                "left_out": MetadataValue.text(", ".join(without) or "none"),
            }
        )
        return pd.concat(frames, ignore_index=True)

    return session_volatility
