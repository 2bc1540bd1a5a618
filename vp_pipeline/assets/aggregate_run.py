"""One making of the aggregate: the run's hours, and those whose candles have changed since.

Here belongs which hours are made anew, from which markets and with which lead; the arithmetic is in
`analytics.aggregate`. Not only a run's own hours are: whoever changes a candle marks its hour, so that
what was healed, revised or loaded later is in the sum by the next run.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from functools import partial

import numpy as np
import pandas as pd
from dagster import AssetCheckResult, AssetExecutionContext, AssetKey, AssetMaterialization

from vp_pipeline.analytics.aggregate import Venue
from vp_pipeline.analytics.aggregate import aggregate as add_up
from vp_pipeline.analytics.quote_rates import quote_rates
from vp_pipeline.assets import aggregate_basis, checks, hour_profiles_run
from vp_pipeline.assets.aggregate import aggregate_key, rates_base
from vp_pipeline.assets.partitions import hour_key, window_of
from vp_pipeline.catalog import Catalog
from vp_pipeline.settings import Settings
from vp_pipeline.storage import candles, ledger, rows, stale
from vp_pipeline.storage.changes import replace_changed
from vp_pipeline.storage.connection import Connection, in_transaction, transaction
from vp_pipeline.storage.markets import market_ids
from vp_pipeline.storage.tables import AGGREGATE, QUOTE_RATE, VENUE_VERDICT
from vp_pipeline.windows import DAY, HOUR, Window, ceil, hours_of, union

# A venue is judged by the day that ends with the hour: so long does a changed candle matter.
LOOKBACK = DAY
# What is computed at once, which bounds the memory.
CHUNK = 7 * DAY
NO_LEAD = -1
# Changed hours that one run makes anew besides its own; the next goes on.
PENDING_AT_ONCE = 7 * 24


def recompute(database_url: str, settings: Settings, base: str, window: Window) -> list[datetime]:
    """Make the window's aggregate anew from the stored candles; the hours in which that changed a row.

    Those hours, and those whose candles or venues changed, are marked for the volume profiles. Hours whose
    candles changed stay marked if the window does not hold the following 23, too.
    """
    changed: set[datetime] = set()
    for part in _parts(window):
        changed.update(in_transaction(database_url, partial(_recompute, settings.catalog, base, part)))
    return sorted(changed)


def catch_up(database_url: str, settings: Settings, base: str, window: Window) -> list[datetime]:
    """Make the window's aggregate, and that of hours which changed before; the hours with another row."""
    with transaction(database_url) as connection:
        aggregate_basis.mark_changed(connection, settings.catalog, base)
        spans = _spans(connection, settings.catalog, base, window)
    return [hour for span in spans for hour in recompute(database_url, settings, base, span)]


def run(
    context: AssetExecutionContext, settings: Settings, database_url: str, bases: Mapping[AssetKey, str]
) -> Iterator[AssetMaterialization | AssetCheckResult]:
    """Make what the run selected of these bases, with an event an hour, then the profiles of the hours."""
    catalog = settings.catalog
    window = window_of(context)
    for key, base in bases.items():
        if key not in context.selected_asset_keys:
            continue
        changed = catch_up(database_url, settings, base, window)
        with transaction(database_url) as connection:
            told = union([window, *hours_of(changed)])
            for span in told:
                yield from _materializations(connection, catalog, base, span)
            venues = _venues(connection, catalog, base)
            yield from checks.judge_aggregate(context, key, connection, base, venues, window.end)
    yield from hour_profiles_run.made(context, database_url, settings)


def _parts(window: Window) -> Iterator[Window]:
    """The window in chunks that overlap, so that every hour is in one with those that follow it: its mark
    goes in the transaction that makes them all.
    """
    start = end = window.start
    while end < window.end:
        end = min(start + CHUNK, window.end)
        yield Window(start, end)
        start += CHUNK - LOOKBACK


def _recompute(catalog: Catalog, base: str, window: Window, connection: Connection) -> list[datetime]:
    stale.make_alone(connection, base, window)
    venues = _venues(connection, catalog, base)
    reached = _reached(connection, venues, window.end)
    last = ceil(reached, HOUR)
    whole = [h.start for h in window.split(HOUR) if min(h.start + LOOKBACK, last) <= window.end]
    # Before the candles are read: a mark that comes later stays for the next run.
    touched = stale.clear(connection, stale.AGGREGATE, base, whole)
    known = Window(window.start - LOOKBACK, window.end)
    venues = _known(connection, venues, known)
    names = {venue.name: venue.number for venue in venues}
    lead = names.get(catalog.instruments[base].lead, NO_LEAD)
    frame = candles.read(connection, [v.number for v in venues], known)
    if base == rates_base(catalog):
        # No further than anything is known: a rate is no forecast.
        rates = quote_rates(frame, venues, pd.Timestamp(min(window.end, reached)))
        inside = rates["open_time"] >= pd.Timestamp(window.start)
        revalued = replace_changed(connection, QUOTE_RATE, rates[inside], {}, window)
        for other in catalog.instruments:
            stale.mark(connection, stale.PROFILE_HOURS, other, revalued)
            if other != base:
                stale.mark(connection, stale.AGGREGATE, other, revalued)
    else:
        rates = rows.read(connection, QUOTE_RATE, {}, known)
    result = add_up(frame, venues, lead, pd.Timestamp(window.start), pd.Timestamp(window.end), rates)
    touched += replace_changed(connection, VENUE_VERDICT, result.verdicts, {"base": base}, window)
    changed = replace_changed(connection, AGGREGATE, result.minutes, {"base": base}, window)
    stale.mark(connection, stale.PROFILE_HOURS, base, [*touched, *changed])
    stale.mark(connection, stale.VOLUME_PROFILE, base, changed)
    return changed


def _venues(connection: Connection, catalog: Catalog, base: str) -> list[Venue]:
    """All markets of the base, the retired with the day of their end."""
    markets = catalog.markets_of(base)
    numbers = market_ids(connection, [(m.exchange, m.symbol) for m in markets])
    return [Venue(numbers[m.exchange, m.symbol], m.name, m.quote, _end(m.retired)) for m in markets]


def _known(connection: Connection, venues: list[Venue], window: Window) -> list[Venue]:
    """The same with the stretches in which anything is known of them."""
    known = ledger.known(connection, [venue.number for venue in venues], window)
    return [
        replace(
            venue,
            known=tuple((_utc(start), _utc(end)) for start, end in known[venue.number]),
        )
        for venue in venues
    ]


def _utc(moment: datetime) -> np.datetime64:
    return np.datetime64(moment.astimezone(UTC).replace(tzinfo=None), "us")


def _end(retired: date | None) -> pd.Timestamp | None:
    return None if retired is None else pd.Timestamp(retired, tz="UTC")


def _spans(connection: Connection, catalog: Catalog, base: str, window: Window) -> list[Window]:
    """The run's window and every hour that a changed candle may have touched, as far as candles go."""
    pending = stale.pending(connection, stale.AGGREGATE, base, PENDING_AT_ONCE)
    last = ceil(_reached(connection, _venues(connection, catalog, base), window.end), HOUR)
    touched = [Window(hour, max(hour + HOUR, min(hour + LOOKBACK, last))) for hour in pending]
    return union([window, *touched])


def _reached(connection: Connection, venues: list[Venue], otherwise: datetime) -> datetime:
    """Up to where anything is known of any of the venues."""
    ends = ledger.frontier(connection, [venue.number for venue in venues]).values()
    return max(ends, default=otherwise)


def _materializations(
    connection: Connection, catalog: Catalog, base: str, window: Window
) -> Iterator[AssetMaterialization]:
    """One event for each hour of the window that has rows."""
    query = (
        "SELECT date_trunc('hour', open_time, 'UTC') AS hour, count(*), sum(volume), sum(quote_volume_usd),"
        " count(*) FILTER (WHERE price_market IS DISTINCT FROM %s), min(markets),"
        " string_agg(DISTINCT nullif(left_out, ''), '; ') FROM aggregate"
        " WHERE base = %s AND open_time >= %s AND open_time < %s GROUP BY 1 ORDER BY 1"
    )
    lead = catalog.instruments[base].lead
    for hour, minutes, volume, dollars, led_by_others, fewest, left_out in connection.execute(
        query, [lead, base, window.start, window.end]
    ):
        metadata = {
            "rows": minutes,
            "volume": volume,
            "volume_usd": dollars,
            "minutes_without_lead": led_by_others,
            "fewest_markets": fewest,
            "left_out": left_out,
        }
        yield AssetMaterialization(
            aggregate_key(base),
            partition=hour_key(hour),
            metadata={name: value for name, value in metadata.items() if value is not None},
        )
