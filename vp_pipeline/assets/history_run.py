"""One month of history: what was loaded, and made anew of it, told to Dagster.

Here belongs what a run of the assets in `history` does and says. Where candles come from is in `history_spot`
and `history_klines`.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime

from dagster import (
    AssetExecutionContext,
    AssetKey,
    AssetMaterialization,
    AssetObservation,
    MaterializeResult,
)

from vp_pipeline.assets import aggregate_run, hour_profiles_run
from vp_pipeline.assets.history import COVERAGE_KEY, Event, bars_key, market_key
from vp_pipeline.assets.history_klines import LoadedBars, load_bars
from vp_pipeline.assets.history_load import Loaded
from vp_pipeline.assets.history_spot import SpotHistory
from vp_pipeline.assets.keys import MONTH_FORMAT
from vp_pipeline.assets.outcomes import table_text, tell_outcome
from vp_pipeline.assets.partitions import window_of
from vp_pipeline.catalog import Klines, Market
from vp_pipeline.recordings.folder import RecordingError
from vp_pipeline.settings import Settings
from vp_pipeline.storage import stale
from vp_pipeline.storage.connection import transaction
from vp_pipeline.windows import DAY, HOUR, Window, ceil, hours_of, union

_GOES_ON = "See the reason of each; another run goes on from here."


def load_minutes(
    context: AssetExecutionContext,
    settings: Settings,
    database_url: str,
    markets: Mapping[AssetKey, Market],
) -> Iterator[Event | MaterializeResult[None]]:
    """Load the selected ones of these markets, an event for each.

    Raises:
        Failure: of every market something stays unknown.
    """
    month = window_of(context)
    chosen = [market for key, market in markets.items() if key in context.selected_asset_keys]
    history = SpotHistory(settings, database_url)
    loads = history.load(chosen, month)
    for load in loads:
        yield _market_event(load, month)
    _name_strangers(context, history)
    _explain(context, loads)
    if COVERAGE_KEY in context.selected_asset_keys:
        totals = {
            name: sum(getattr(load, name) for load in loads)
            for name in ("got", "empty", "unknown", "unfetchable")
        }
        yield MaterializeResult(asset_key=COVERAGE_KEY, metadata={**totals, "markets": len(loads)})


def load_series(
    context: AssetExecutionContext,
    settings: Settings,
    database_url: str,
    series_of: Mapping[AssetKey, Klines],
) -> Iterator[Event]:
    """Load the selected ones of these series, an event for each.

    Raises:
        Failure: no series could be loaded.
    """
    month = window_of(context)
    chosen = [series for key, series in series_of.items() if key in context.selected_asset_keys]
    loads = load_bars(settings, database_url, chosen, month)
    for load in loads:
        yield _bars_event(settings, load, month)
    failed = [load for load in loads if load.problems]
    lines = [f"{load.series.symbol}: {load.stored} bars, {load.new} new" for load in loads]
    lines += [problem for load in failed for problem in load.problems]
    tell_outcome(
        context,
        "series loaded",
        "\n".join(lines),
        count=len(loads),
        failed={f"{load.series.symbol} {load.series.interval}": "; ".join(load.problems) for load in failed},
        if_none=f"No series could be loaded. {_GOES_ON}",
        again=False,
    )


def make_aggregates(
    context: AssetExecutionContext, settings: Settings, database_url: str, bases: Mapping[AssetKey, str]
) -> Iterator[AssetMaterialization]:
    """Make anew what the month's new candles change, of the selected bases in this order."""
    month = window_of(context)
    for key, base in bases.items():
        if key not in context.selected_asset_keys:
            continue
        with transaction(database_url) as connection:
            hours = [hour for hour in stale.pending(connection, stale.AGGREGATE, base) if hour in month]
        # A venue is judged by the day before: a changed candle matters a day longer.
        touched = union(Window(hour, hour + HOUR + DAY) for hour in hours)
        changed = [
            hour
            for window in touched
            for hour in aggregate_run.recompute(database_url, settings, base, _past(window))
        ]
        yield AssetMaterialization(
            key,
            partition=month.start.strftime(MONTH_FORMAT),
            metadata={"hours_with_new_candles": len(hours), "changed_hours": len(changed)},
        )
    # When all are made: the rates that one instrument gives count for the others.
    for base in bases.values():
        _make_profiles(settings, database_url, base, month)


def _name_strangers(context: AssetExecutionContext, history: SpotHistory) -> None:
    """Say of files of markets that nobody keeps that they are not loaded."""
    try:
        names = [f"{file.path}: {file.exchange} {file.base}/{file.quote}" for file in history.strangers()]
    except RecordingError:
        return  # the problem of every market, told with them
    if names:
        context.log.warning("not in the markets file, so not loaded:\n" + "\n".join(names))


def _market_event(load: Loaded, month: Window) -> Event:
    metadata: dict[str, int | str] = {
        "rows": load.got,
        "new": load.new,
        "revised": load.revised,
        "exchange_empty": load.empty,
        "unfetchable": load.unfetchable,
        "unknown": load.unknown,
    }
    if load.rows_from:
        metadata["sources"] = ", ".join(f"{source} {rows}" for source, rows in load.rows_from.items())
    if load.reasons:
        metadata["reasons"] = "; ".join(load.reasons)
    if load.problems:
        metadata["problems"] = "; ".join(load.problems)
    kind = AssetObservation if load.unknown else AssetMaterialization
    return kind(market_key(load.market), partition=month.start.strftime(MONTH_FORMAT), metadata=metadata)


def _explain(context: AssetExecutionContext, loads: Sequence[Loaded]) -> None:
    """One log message with a line a market; a failure if no market came to an end."""
    names = ("market", "rows", "new", "revised", "empty", "unfetchable", "unknown", "why")
    rows = []
    for load in loads:
        numbers = (load.got, load.new, load.revised, load.empty, load.unfetchable, load.unknown)
        rows.append((load.market.name, *map(str, numbers), _why(load)))
    tell_outcome(
        context,
        "markets loaded",
        table_text(names, rows),
        count=len(loads),
        failed={load.market.name: _why(load) for load in loads if load.unknown},
        if_none=f"No market could be loaded whole. {_GOES_ON}",
        again=False,
        warn=any(load.problems for load in loads),
    )


def _why(load: Loaded) -> str:
    return "; ".join([*load.problems, *load.reasons])


def _bars_event(settings: Settings, load: LoadedBars, month: Window) -> Event:
    metadata: dict[str, int | str] = {
        "rows": load.stored,
        "new": load.new,
        "revised": load.revised,
        "bars_missing": load.missing,
    }
    if load.problems:
        metadata["problems"] = "; ".join(load.problems)
    kind = AssetObservation if load.problems else AssetMaterialization
    key = bars_key(settings, load.series)
    return kind(key, partition=month.start.strftime(MONTH_FORMAT), metadata=metadata)


def _make_profiles(settings: Settings, database_url: str, base: str, month: Window) -> None:
    """Volume by price of the hours up to a day after the month that what came has changed."""
    known = Window(month.start, month.end + DAY)
    with transaction(database_url) as connection:
        hours = [hour for hour in stale.pending(connection, stale.PROFILE_HOURS, base) if hour in known]
    for window in union(hours_of(hours)):
        hour_profiles_run.recompute(database_url, settings, base, window)


def _past(window: Window) -> Window:
    """The hours of the window that have begun."""
    return Window(window.start, max(window.start, min(window.end, ceil(datetime.now(UTC), HOUR))))
