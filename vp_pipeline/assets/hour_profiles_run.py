"""One making of the hours' profiles: the run's hours, and those that have changed since.

Here belongs which hours are made anew; how, and what is added up, is in `storage.profiles`. Not only a run's
own hours are: whoever changes a candle, a quote's rate or who counts marks the hour.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from functools import partial

from dagster import AssetExecutionContext, AssetKey, AssetMaterialization

from vp_pipeline.assets.hour_profiles import profile_hours_key
from vp_pipeline.assets.partitions import hour_key, window_of
from vp_pipeline.settings import Settings
from vp_pipeline.storage import profiles, stale
from vp_pipeline.storage.connection import Connection, in_transaction, transaction
from vp_pipeline.storage.markets import market_ids
from vp_pipeline.storage.profile_rows import TOTAL, read
from vp_pipeline.windows import DAY, HOUR, Window, floor, hours_of, midnight, union

# What is made at once, which bounds the memory.
CHUNK = 7 * DAY
# Changed hours that one run makes anew besides its own; the next goes on.
PENDING_AT_ONCE = 7 * 24


def recompute(database_url: str, settings: Settings, base: str, window: Window) -> list[datetime]:
    """Make the window's hours anew from what is stored; those that this changed.

    They are marked for the daily profiles, and with them the stored days later in their weeks, whose
    "week so far" they are part of.
    """
    changed = []
    for part in window.split(CHUNK):
        changed += in_transaction(database_url, partial(_recompute, settings, base, part))
    return changed


def _recompute(settings: Settings, base: str, window: Window, connection: Connection) -> list[datetime]:
    lost = profiles.set_row_size(connection, base, settings.catalog.instruments[base].row_size)
    stale.mark(connection, stale.PROFILE_HOURS, base, lost)
    # Before anything is read: a mark that comes later stays for the next run.
    stale.clear(connection, stale.PROFILE_HOURS, base, [hour.start for hour in window.split(HOUR)])
    made = profiles.make(connection, base, quotes_of(connection, settings, base), window)
    stale.mark(connection, stale.VOLUME_PROFILE, base, [*made, *_later_days(connection, base, made)])
    return made


def _later_days(connection: Connection, base: str, hours: Iterable[datetime]) -> list[datetime]:
    """Midnights of the stored days that come after one of the hours in its week."""
    days = {floor(hour, DAY) for hour in hours}
    later = {day + n * DAY for day in days for n in range(1, 7 - day.weekday())}
    found = connection.execute(
        "SELECT day FROM volume_profile WHERE base = %s AND day = ANY(%s::date[])",
        [base, sorted(day.date() for day in later)],
    )
    return [midnight(day) for (day,) in found]


def quotes_of(connection: Connection, settings: Settings, base: str) -> dict[int, str]:
    """Quote currency of each market of the base, the retired ones too, by number."""
    markets = settings.catalog.markets_of(base)
    numbers = market_ids(connection, [(market.exchange, market.symbol) for market in markets])
    return {numbers[market.exchange, market.symbol]: market.quote for market in markets}


def made(
    context: AssetExecutionContext, database_url: str, settings: Settings
) -> Iterator[AssetMaterialization]:
    """Make the hours of the run's window and those that wait, of the instruments that the run selected."""
    window = window_of(context)
    for base in settings.catalog.instruments:
        key = profile_hours_key(base)
        if key not in context.selected_asset_keys:
            continue
        with transaction(database_url) as connection:
            pending = stale.pending(connection, stale.PROFILE_HOURS, base, PENDING_AT_ONCE)
        for span in union([window, *hours_of(pending)]):
            recompute(database_url, settings, base, span)
        with transaction(database_url) as connection:
            yield from _materializations(connection, key, base, window)


def _materializations(
    connection: Connection, key: AssetKey, base: str, window: Window
) -> Iterator[AssetMaterialization]:
    """One event for each hour of the window that has volume."""
    size = profiles.row_size(connection, base)
    if size is None:
        return
    of_hour: dict[datetime, dict[str, float | int]] = {}
    for row in read(connection, base, "hour", window, size, total=None):
        told = of_hour.setdefault(row.start, {"volume": 0.0, "venues": 0, "left_out": 0})
        if row.market_id != TOTAL:
            told["venues" if row.included else "left_out"] += 1
            continue
        told["volume"] = row.part.rows.total
        told["rows"] = len(row.part.volume)
        told["taker_share"] = row.part.delta.taker_share
        if row.part.unpriced:
            told["volume_without_a_price"] = row.part.unpriced
    for hour, told in of_hour.items():
        if told["venues"]:
            yield AssetMaterialization(key, partition=hour_key(hour), metadata=told)
