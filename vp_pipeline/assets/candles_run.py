"""One fetch of minute candles: every market asked, what came stored, and told to Dagster.

Here belongs what a run of `candles` does: for each market and hour an event with rows and reasons. Which
windows are asked for is in `healing`, what the answers leave in Postgres in `intake`.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence

import pandas as pd
from dagster import (
    AssetCheckResult,
    AssetExecutionContext,
    AssetKey,
    AssetMaterialization,
    MaterializeResult,
    PartitionsDefinition,
)

from vp_pipeline.assets import checks, clocks, healing, intake
from vp_pipeline.assets.candles import COVERAGE_KEY, candles_key
from vp_pipeline.assets.intake import Answers
from vp_pipeline.assets.outcomes import table_text, tell_outcome
from vp_pipeline.assets.partitions import hour_key, window_of
from vp_pipeline.catalog import Market
from vp_pipeline.exchanges import pace, spot
from vp_pipeline.exchanges.frames import GRACE
from vp_pipeline.settings import Settings
from vp_pipeline.storage import ledger
from vp_pipeline.storage.candles import Stored
from vp_pipeline.storage.connection import Connection, transaction
from vp_pipeline.storage.markets import market_ids
from vp_pipeline.windows import HOUR, Window, union


def run(
    context: AssetExecutionContext,
    settings: Settings,
    database_url: str,
    markets: Mapping[AssetKey, Market],
    hours: PartitionsDefinition[str],
) -> Iterator[AssetMaterialization | MaterializeResult[None] | AssetCheckResult]:
    """Fetch what the run selected of these markets, an event for each hour that has a partition."""
    window = window_of(context)
    clocks.turn_clock(settings, window.end + GRACE)
    selected = [market for key, market in markets.items() if key in context.selected_asset_keys]
    asked = _ask(settings, database_url, selected, window)
    # The ledger speaks of no minute that has not begun here: where few exchanges answer, one whose
    # clock is ahead would have it say that minutes to come have no candle.
    now = min(intake.exchange_time(asked.values()), clocks.now(settings))
    with transaction(database_url) as connection:
        stored = intake.keep(connection, asked, now, final=settings.source == "replay")
        told = _hours(connection, stored, window)
    first = hours.get_first_partition_key() or ""
    for number, answer in asked.items():
        if answer.failure is None:
            yield from _materializations(answer.market, told[told["market_id"] == number], first)
    _explain(context, asked, told, stored, window)
    if COVERAGE_KEY in context.selected_asset_keys:
        with transaction(database_url) as connection:
            minutes = ledger.counts(connection, window)[["empty", "unknown", "unfetchable"]].sum()
            metadata = {f"minutes_{state}": int(count) for state, count in minutes.items()}
            yield MaterializeResult(asset_key=COVERAGE_KEY, metadata=metadata)
            yield from checks.judge_coverage(context, COVERAGE_KEY, connection, asked, now)


def _ask(
    settings: Settings, database_url: str, markets: list[Market], window: Window
) -> Mapping[int, Answers]:
    """Ask every exchange for its markets' windows; what came, by market number."""
    with transaction(database_url) as connection:
        ids = market_ids(connection, [(m.exchange, m.symbol) for m in markets])
        numbers = {ids[market.exchange, market.symbol]: market for market in markets}
        plan = healing.plan(connection, numbers, window, clocks.now(settings), settings)
    wanted = {(m.exchange, m.symbol): plan[number] for number, m in numbers.items()}
    hosts = {market.exchange: settings.exchange_host(market.exchange) for market in markets}
    cache = settings.listings_folder
    recorded = settings.source == "replay"

    async def ask() -> Mapping[spot.Market, Sequence[intake.Outcome]]:
        async with pace.shared(settings.broker, patient=False) as line:
            seconds = settings.heal_seconds
            return await spot.fetch_all(wanted, hosts, cache, seconds=seconds, recorded=recorded, pace=line)

    outcomes = asyncio.run(ask())
    return {
        number: Answers(market, plan[number], outcomes[market.exchange, market.symbol])
        for number, market in numbers.items()
    }


def _hours(connection: Connection, stored: Mapping[int, Stored], window: Window) -> pd.DataFrame:
    """What is known of the run's hours, and of the hours that its answers have changed elsewhere."""
    changed = {number: set(done.changed_hours) for number, done in stored.items()}
    touched = union([window, *(Window(h, h + HOUR) for hours in changed.values() for h in hours)])
    frame = pd.concat([ledger.by_hour(connection, part) for part in touched], ignore_index=True)
    own = (frame["hour"] >= window.start) & (frame["hour"] < window.end)
    elsewhere = [
        hour in changed.get(number, ())
        for number, hour in zip(frame["market_id"], frame["hour"], strict=True)
    ]
    return frame[own | pd.Series(elsewhere, index=frame.index, dtype=bool)]


def _materializations(market: Market, hours: pd.DataFrame, first: str) -> Iterator[AssetMaterialization]:
    """One event for each of the hours that has a partition: from `first` on."""
    for row in hours.to_dict("records"):
        metadata = {
            "rows": row["got"],
            "minutes_missing": row["empty"] + row["unknown"] + row["unfetchable"],
            "minutes_unknown": row["unknown"],
        }
        reason = {"reason": row["reason"]} if row["reason"] else {}
        partition = hour_key(row["hour"])
        if partition >= first:
            yield AssetMaterialization(
                candles_key(market), partition=partition, metadata={**metadata, **reason}
            )


def _explain(
    context: AssetExecutionContext,
    asked: Mapping[int, Answers],
    told: pd.DataFrame,
    stored: Mapping[int, Stored],
    window: Window,
) -> None:
    """One log message with a line a market; a failure if no market at all could be fetched."""
    names = ("market", "rows", "none", "unknown", "lost", "new", "revised", "healed", "why")
    rows = []
    own = told[(told["hour"] >= window.start) & (told["hour"] < window.end)]
    for number, answer in asked.items():
        hours = own[own["market_id"] == number]
        counts = [str(int(hours[state].sum())) for state in ("got", "empty", "unknown", "unfetchable")]
        done = stored.get(number)
        news = [str(done.inserted + done.finalized), str(done.revised)] if done else ["", ""]
        healed = str(sum(len(fetched.frame) for fetched in list(answer.fetched)[1:]))
        why = "; ".join(dict.fromkeys(reason for reason in hours["reason"] if reason))
        rows.append((answer.market.name, *counts, *news, healed, why))
    tell_outcome(
        context,
        "markets fetched",
        table_text(names, rows),
        count=len(asked),
        failed={one.market.name: one.failure.reason for one in asked.values() if one.failure is not None},
        if_none="No market could be fetched. See the reason of each; `vp doctor` names what is reachable.",
        again=True,
    )
