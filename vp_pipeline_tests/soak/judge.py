"""The judgement at the end: what is stored and said of every minute, against the exchanges' own truth.

Here belongs what must hold of the candles, the ledger and the bars. What must hold of everything else in the
database is in `sound`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from vp_pipeline.exchanges.traits import traits_of
from vp_pipeline.storage import candles, klines, ledger, rows
from vp_pipeline.storage.connection import transaction
from vp_pipeline.storage.markets import market_ids
from vp_pipeline.storage.minute_runs import NOT_ASKED_AGAIN, YOUNG
from vp_pipeline.storage.tables import KLINE
from vp_pipeline.windows import MINUTE, Window, from_ms, to_ms
from vp_pipeline_tests.assets.simulated import PRICES
from vp_pipeline_tests.soak.world import PERPETUAL, World

Minutes = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

_MINUTE_MS: Final = 60_000
NEVER: Final = "never asked"


@dataclass
class Verdict:
    """`checked`: closed minutes of all markets; `lost`: those of which what is stored or said is not so.

    `early`: just before unfetchable minutes, with numbers that were revised when nobody could ask any more,
    and the ledger says so.
    """

    checked: int = 0
    unfetchable: int = 0
    early: int = 0
    lost: int = 0
    problems: list[str] = field(default_factory=list)


def judge(world: World, market: str, window: Window, chances: Sequence[datetime] = ()) -> Verdict:
    """Compare every minute of the window; `chances` are the ticks at which nothing kept the market from
    being fetched.
    """
    exchange, symbol = market.split()
    truth = world.truth(market, window)
    with transaction(world.url) as connection:
        number = market_ids(connection, [(exchange, symbol)])[exchange, symbol]
        stored = candles.read(connection, [number], window)
        runs = ledger.runs(connection, [number], window)[number]
    size = window.count(MINUTE)
    first = to_ms(window.start)
    true, kept = np.full((size, len(PRICES)), np.nan), np.full((size, len(PRICES)), np.nan)
    true[(truth.open_time - first) // _MINUTE_MS] = np.column_stack([getattr(truth, n) for n in PRICES])
    minutes = stored["open_time"].to_numpy(dtype="datetime64[ms]").astype(np.int64)
    kept[(minutes - first) // _MINUTE_MS] = stored[PRICES].to_numpy()
    states, reasons = np.full(size, NEVER, dtype=object), np.full(size, "", dtype=object)
    for run in runs:
        part = slice((run.start - window.start) // MINUTE, (run.end - window.start) // MINUTE)
        states[part], reasons[part] = run.state, run.reason

    verdict = Verdict(checked=size)
    equal = ((true == kept) | (np.isnan(true) & np.isnan(kept))).all(axis=1)
    there = ~np.isnan(true[:, 0])
    never = _out_of_reach(exchange, window, chances)
    said_so = np.array([reason.startswith(f"{exchange} serves no minutes before") for reason in reasons])
    away = (states == "unfetchable") & said_so & never & np.isnan(kept[:, 0])
    doubted = np.array([reason.startswith(NOT_ASKED_AGAIN) for reason in reasons])
    early = (states == "got") & doubted & _just_before(away) & there & ~equal
    early &= _out_of_reach(exchange, window, chances, YOUNG)
    verdict.unfetchable, verdict.early = int(away.sum()), int(early.sum())
    right = (equal & (states == np.where(there, "got", "exchange-empty"))) | away | early
    verdict.lost = int((~right).sum())
    kinds: dict[str, list[int]] = {}
    for i in np.flatnonzero(~right).tolist():
        kept_is = "none" if np.isnan(kept[i, 0]) else "the same" if equal[i] else "another"
        said = f"{states[i]} ({reasons[i]})" if reasons[i] else states[i]
        kind = f"{said}, the exchange has {'a' if there[i] else 'no'} candle, {kept_is} is stored"
        kinds.setdefault(kind, []).append(i)
    verdict.problems = [
        f"{market}: {len(where)} minutes from {window.start + where[0] * MINUTE:%Y-%m-%d %H:%M}: {kind}"
        for kind, where in kinds.items()
    ]
    return verdict


def judge_bars(world: World, window: Window) -> Verdict:
    """Compare every minute of the perpetual's bars: one that is not known yet is lost too."""
    truth = world.truth(PERPETUAL, window)
    with transaction(world.url) as connection:
        stored = rows.read(connection, KLINE, klines.scope_of("BTCUSDT", "1m"), window)
    opens = stored["open_time"].to_numpy(dtype="datetime64[ms]").astype(np.int64)
    names = [*PRICES, "quote_volume", "trades", "taker_buy_volume"]
    true = pd.DataFrame({name: getattr(truth, name) for name in names}, index=truth.open_time, dtype=float)
    kept = stored[names].astype(float).set_index(opens)
    every = true.index.union(kept.index)
    wrong = every[(true.reindex(every) != kept.reindex(every)).any(axis=1)]
    verdict = Verdict(checked=window.count(MINUTE), lost=len(wrong))
    if len(wrong):
        first = f"{from_ms(int(wrong[0])):%Y-%m-%d %H:%M}"
        verdict.problems.append(f"{PERPETUAL}: {len(wrong)} bars wrong or missing, the first of {first}")
    return verdict


def _out_of_reach(
    exchange: str, window: Window, chances: Sequence[datetime], age: timedelta = timedelta(0)
) -> Flags:
    """Minutes that no undisturbed tick could have fetched once they were that old."""
    depth = traits_of(exchange).depth
    if depth is None:
        return np.zeros(window.count(MINUTE), dtype=bool)
    reachable = np.zeros(window.count(MINUTE), dtype=bool)
    for moment in chances:
        # A minute at either end: the first is just leaving the exchange's memory, the last has just closed.
        seen = Window(moment - depth + 2 * MINUTE, moment - 2 * MINUTE - age).intersect(window)
        if seen:
            reachable[(seen.start - window.start) // MINUTE : (seen.end - window.start) // MINUTE] = True
    return ~reachable


def _just_before(away: Flags) -> Flags:
    """The minutes, YOUNG at most, before each stretch that is away."""
    near = np.zeros(len(away), dtype=bool)
    for start in np.flatnonzero(away & ~np.append(False, away[:-1])).tolist():
        near[max(0, start - YOUNG // MINUTE) : start] = True
    return near


def longest_unknown(world: World, markets: Sequence[str], now: datetime) -> timedelta:
    """For how long the minute that has waited longest is still not known."""
    names = [(name.split()[0], name.split()[1]) for name in markets]
    with transaction(world.url) as connection:
        numbers = list(market_ids(connection, names).values())
        gaps = ledger.unknown(connection, numbers)
        ends = ledger.frontier(connection, numbers)
    oldest = [*(windows[0].start for windows in gaps.values() if windows), *ends.values()]
    return now - min(oldest, default=now)
