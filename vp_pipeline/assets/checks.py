"""Asset checks of candles and aggregate: each says what is wrong, where, and how much.

Here belongs how their findings are told in Dagster. Which checks there are is in `check_specs`, what counts
as wrong in `analytics.candle_checks` and `analytics.venues`.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

import pandas as pd
from dagster import (
    AssetCheckKey,
    AssetCheckResult,
    AssetCheckSeverity,
    AssetExecutionContext,
    AssetKey,
    MetadataValue,
)

from vp_pipeline.analytics.aggregate import Venue
from vp_pipeline.analytics.candle_checks import (
    check_deviation,
    check_holes,
    check_sanity,
    check_staleness,
)
from vp_pipeline.assets.intake import SO_FAR_NONE, Answers
from vp_pipeline.storage import candles, ledger, rows
from vp_pipeline.storage.connection import Connection
from vp_pipeline.storage.tables import QUOTE_RATE, VENUE_VERDICT
from vp_pipeline.windows import DAY, MINUTE, Window

STALE = timedelta(minutes=30)

_VERDICTS = {"unit_agreement": "units", "duplicate_feeds": "duplicate", "dead_markets": "dead"}
_DOWN = {"markets_answer", "staleness", "unit_agreement"}


def judge_coverage(
    context: AssetExecutionContext,
    key: AssetKey,
    connection: Connection,
    asked: Mapping[int, Answers],
    now: datetime,
) -> Iterator[AssetCheckResult]:
    """Results of the coverage's checks, about the markets that were asked."""
    names = {number: answer.market.name for number, answer in asked.items()}
    failed = [f"{a.market.name}: {a.failure.reason}" for a in asked.values() if a.failure is not None]
    runs = ledger.runs(connection, list(asked), Window(now - DAY, now))
    unknown = {number: sum(_minutes_unknown(run, now) for run in runs[number]) for number in asked}
    holes = [
        f"{names[number]}: {minutes} minutes of the last 24 hours are unknown"
        for number, minutes in unknown.items()
        if minutes
    ]
    newest = candles.newest(connection, list(asked))
    venues = [
        (Venue(number, name, ""), pd.Timestamp(newest[number]) if number in newest else None)
        for number, name in names.items()
    ]
    stale = map(str, check_staleness(venues, pd.Timestamp(now), pd.Timedelta(STALE)))
    found = {"markets_answer": failed, "completeness": holes, "staleness": list(stale)}
    yield from _results(context, key, found, len(asked))


def _minutes_unknown(run: ledger.Run, now: datetime) -> int:
    """Minutes of a run that are unknown; a market may be quiet for as long as it is not stale."""
    if run.state != "unknown":
        return 0
    end = min(run.end, now - STALE) if run.reason == SO_FAR_NONE else run.end
    return max(0, (end - run.start) // MINUTE)


def judge_aggregate(
    context: AssetExecutionContext,
    key: AssetKey,
    connection: Connection,
    base: str,
    venues: Sequence[Venue],
    end: datetime,
) -> Iterator[AssetCheckResult]:
    """Results of an aggregate's checks, about the 24 hours that end with the run's window."""
    day = Window(end - DAY, end)
    frame = candles.read(connection, [venue.number for venue in venues], day)
    rates = rows.read(connection, QUOTE_RATE, {}, day)
    verdicts = rows.read(connection, VENUE_VERDICT, {"base": base}, day)
    # The newest hour's verdict is the one that holds.
    verdicts = verdicts[verdicts["hour"] == verdicts["hour"].max()]
    names = {venue.number: venue.name for venue in venues}
    found = {
        "ohlc_sanity": list(map(str, check_sanity(frame, venues))),
        "regular_holes": list(map(str, check_holes(frame, venues))),
        "price_deviation": list(map(str, check_deviation(frame, venues, rates))),
    }
    for check, verdict in _VERDICTS.items():
        own = verdicts[verdicts["verdict"] == verdict]
        found[check] = [
            f"{names[number]}: {reason}"
            for number, reason in zip(own["market_id"], own["reason"], strict=True)
        ]
    yield from _results(context, key, found, len(venues))


def _results(
    context: AssetExecutionContext, key: AssetKey, found: Mapping[str, list[str]], markets: int
) -> Iterator[AssetCheckResult]:
    """One result for each check that the run selected."""
    for name, findings in found.items():
        if AssetCheckKey(key, name) not in context.selected_asset_check_keys:
            continue
        listed = "\n".join(f"- {finding}" for finding in findings) or "nothing found"
        yield AssetCheckResult(
            asset_key=key,
            check_name=name,
            passed=not findings,
            severity=AssetCheckSeverity.ERROR if name in _DOWN else AssetCheckSeverity.WARN,
            description=findings[0] if findings else None,
            metadata={
                "findings": MetadataValue.md(listed),
                "found": len(findings),
                "markets": markets,
            },
        )
