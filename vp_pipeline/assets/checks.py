"""Asset checks of candles and aggregate: each says what is wrong, where, and how much.

Here belongs which checks there are and how their findings are told in Dagster. What counts as wrong is in
`analytics.candle_checks` and `analytics.venues`. One check covers all markets: a check a market would
leave a hundred rows in Dagster's storage at every tick.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

import pandas as pd
from dagster import (
    AssetCheckKey,
    AssetCheckResult,
    AssetCheckSeverity,
    AssetCheckSpec,
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
from vp_pipeline.assets.intake import Answers
from vp_pipeline.storage import candles, ledger, rows
from vp_pipeline.storage.connection import Connection
from vp_pipeline.storage.tables import QUOTE_RATE, VENUE_VERDICT
from vp_pipeline.windows import DAY, Window

STALE = timedelta(minutes=30)

_COVERAGE = {
    "markets_answer": "Every market could be fetched in this run; if not, the reason of each.",
    "completeness": "No minute of the last 24 hours is unknown.",
    "staleness": "The newest final candle of every market is at most 30 minutes old, by exchange time.",
}
_AGGREGATE = {
    "ohlc_sanity": "Low <= open, close <= high; no negative volume; in the last 24 hours.",
    "regular_holes": "No market lacks minutes at a regular distance, as an error of paging makes them.",
    "price_deviation": "No market's price is more than 2 % off the median of all, in US dollars.",
    "unit_agreement": "Volume x price agrees with the exchange's own turnover. A market that does not agree"
    " is left out of the sum.",
    "duplicate_feeds": "No two markets have the same candles. The second of two is left out of the sum.",
    "dead_markets": "Every market trades. One that stands still for a day is left out of the sum.",
}
_VERDICTS = {"unit_agreement": "units", "duplicate_feeds": "duplicate", "dead_markets": "dead"}
_DOWN = {"markets_answer", "staleness", "unit_agreement"}


def of_coverage(key: AssetKey) -> list[AssetCheckSpec]:
    """Checks of the coverage, over all markets."""
    return [AssetCheckSpec(name, asset=key, description=text) for name, text in _COVERAGE.items()]


def of_aggregate(key: AssetKey) -> list[AssetCheckSpec]:
    """Checks of one instrument's aggregate and the candles behind it."""
    return [AssetCheckSpec(name, asset=key, description=text) for name, text in _AGGREGATE.items()]


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
    counts = ledger.counts(connection, Window(now - DAY, now), list(asked))
    holes = [
        f"{names[number]}: {minutes} minutes of the last 24 hours are unknown"
        for number, minutes in zip(counts["market_id"], counts["unknown"], strict=True)
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
