"""One fetch of bars: every series asked, what came stored, and told to Dagster.

Here belongs which windows a run asks for and what Dagster is told of them; how bars are stored is in
`storage.klines`.
"""

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

from dagster import (
    AssetExecutionContext,
    AssetKey,
    AssetMaterialization,
    PartitionsDefinition,
)

from vp_pipeline.assets import clocks
from vp_pipeline.assets.outcomes import tell_outcome
from vp_pipeline.assets.partitions import hour_key, window_of
from vp_pipeline.catalog import INTERVAL_MINUTES, Interval, Klines
from vp_pipeline.exchanges.errors import FetchError
from vp_pipeline.exchanges.frames import GRACE, Fetched
from vp_pipeline.exchanges.futures import EXCHANGE, FuturesClient
from vp_pipeline.settings import Settings
from vp_pipeline.storage import klines
from vp_pipeline.storage.connection import Connection, transaction
from vp_pipeline.windows import DAY, HOUR, MINUTE, Window, floor, union

Outcome = Fetched | FetchError

# One address shares one request budget: more threads would only wait for it.
THREADS = 4
# Older gaps are for `vp backfill --klines`, which has them from the archive.
HEALED = 30 * DAY
# Of a gap so many are stored or missed as a whole: five pages.
BARS_AT_ONCE = 5000


def run(
    context: AssetExecutionContext,
    settings: Settings,
    database_url: str,
    series_of: Mapping[AssetKey, Klines],
    hours: PartitionsDefinition[str],
) -> Iterator[AssetMaterialization]:
    """Fetch what the run selected of these series, an event for each hour that has a partition.

    Raises:
        Failure: no series could be fetched.
    """
    window = window_of(context)
    clocks.turn_clock(settings, window.end + GRACE)
    selected = {key: series for key, series in series_of.items() if key in context.selected_asset_keys}
    first = hours.get_first_partition_key() or ""
    lines: list[str] = []
    failed: dict[str, str] = {}
    for key, outcomes in _ask(settings, database_url, selected, window).items():
        series = selected[key]
        answers = [outcome for outcome in outcomes if isinstance(outcome, Fetched)]
        with transaction(database_url) as connection:
            told = _keep(connection, series, answers, window)
        for hour, rows in told.items():
            if hour_key(hour.start) >= first:
                metadata = {"rows": rows, "bars_missing": max(0, hour.count(_bar(series.interval)) - rows)}
                yield AssetMaterialization(key, partition=hour_key(hour.start), metadata=metadata)
        bars, again = (sum(len(answer.frame) for answer in part) for part in (answers[:1], answers[1:]))
        errors = [str(outcome) for outcome in outcomes if not isinstance(outcome, Fetched)]
        if not answers:
            failed[series.symbol] = errors[0]
        lines += [f"{series.symbol}: {bars} bars, and {again} where some were missing", *errors]
    tell_outcome(
        context,
        "series fetched",
        "\n".join(lines),
        count=len(selected),
        failed=failed,
        if_none="No series could be fetched. See the reason of each.",
        again=True,
    )


def _bar(interval: Interval) -> timedelta:
    return timedelta(minutes=INTERVAL_MINUTES[interval])


def _ask(
    settings: Settings, database_url: str, selected: Mapping[AssetKey, Klines], window: Window
) -> dict[AssetKey, list[Outcome]]:
    """Outcomes of each series' windows in their order, up to the first that fails or finds no time left."""
    healing = settings.source != "replay" and window.end > clocks.now(settings)
    with transaction(database_url) as connection:
        wanted = {
            key: _wanted(connection, settings, series, window, healing) for key, series in selected.items()
        }
    host, cache = settings.exchange_host(EXCHANGE), settings.listings_folder
    until = time.monotonic() + settings.heal_seconds

    def ask(key: AssetKey) -> list[Outcome]:
        series = selected[key]
        outcomes: list[Outcome] = []
        try:
            client = FuturesClient(host, cache=cache)
            for part in wanted[key]:
                if outcomes and time.monotonic() >= until:
                    break
                outcomes.append(client.fetch(series.symbol, series.interval, _bar(series.interval), part))
        except FetchError as error:
            outcomes.append(error)
        return outcomes

    with ThreadPoolExecutor(THREADS) as pool:
        return dict(zip(selected, pool.map(ask, selected), strict=True))


def _wanted(
    connection: Connection, settings: Settings, series: Klines, window: Window, healing: bool
) -> list[Window]:
    """The run's window, of a recording what it holds of that; when healing also what lacks bars before it.

    For bars that are longer than an hour it begins with the last whole bar before it. Each begins with the
    last minutes before it, which were young when they were fetched. Only a run that reaches the present
    heals. In a replay each hour is made as at its own time.
    """
    scope, bar = klines.scope_of(series.symbol, series.interval), _bar(series.interval)
    own = window
    if series.recorded is not None:
        own = window.intersect(series.recorded.hours) or window
    elif bar > HOUR:  # a bar that closes within the window has opened before it
        own = Window(floor(window.start, bar) - bar, window.end)
    oldest = klines.first(connection, scope) if healing else None
    if oldest is None or oldest >= window.start:
        return [own]
    before = Window(max(oldest, window.start - HEALED), window.start)
    gaps = klines.gaps(connection, scope, before, bar)
    young = max(bar, settings.refetch_minutes * MINUTE)
    pieces = [piece for gap in gaps for piece in gap.split(BARS_AT_ONCE * bar)]
    return [Window(max(before.start, part.start - young), part.end) for part in (own, *pieces)]


def _keep(
    connection: Connection, series: Klines, answers: Sequence[Fetched], window: Window
) -> dict[Window, int]:
    """Store what was answered; how many bars are stored of the run's hours, and of others with new ones."""
    scope = klines.scope_of(series.symbol, series.interval)
    hours: list[Window] = []
    for answer in answers:
        done = klines.store(connection, scope, answer.frame, answer.answered)
        hours += answer.answered.intersect(window).split(HOUR)
        hours += [Window(hour, hour + HOUR) for hour in done.hours if hour not in window]
    counts: Counter[datetime] = Counter()
    for part in union(hours):
        counts.update(klines.opens(connection, scope, part).dt.floor(HOUR))
    return {hour: counts[hour.start] for hour in hours}
