"""What a tick asks the exchanges for: its own hours, the last minutes once more, and what is still unknown.

Here belongs the choice of windows. Asking is the exchanges' affair, and what the answers leave behind
that of `intake`.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from vp_pipeline.assets.history_windows import pieces
from vp_pipeline.catalog import Market
from vp_pipeline.exchanges.traits import traits_of
from vp_pipeline.settings import Settings
from vp_pipeline.storage import candles, ledger
from vp_pipeline.storage.connection import Connection
from vp_pipeline.storage.ledger import Finding
from vp_pipeline.storage.markets import follow, followed_since
from vp_pipeline.windows import HOUR, MINUTE, Window

# Bounds what one tick holds in memory; the next goes on where it ended.
HEALED_AT_ONCE = 20_000 * MINUTE
NOT_ASKED = "nobody asked: the platform was not running"

Wanted = dict[int, list[Window]]


def plan(
    connection: Connection, markets: Mapping[int, Market], window: Window, now: datetime, settings: Settings
) -> Wanted:
    """Windows by market number, in the order in which to ask: the run's own first, then gaps, oldest first.

    Only a run that reaches the present heals; one over hours of the past asks for these alone, as does
    every run of a recording, where each hour is made as at its own time.
    """
    plain = {number: [window] for number in markets}
    if settings.source == "replay":
        return plain
    _note_absence(connection, list(markets), window)
    if window.end <= now:
        return plain
    follow(connection, list(markets), window.start)
    begun = followed_since(connection, list(markets))
    again = settings.refetch_minutes * MINUTE
    ends = ledger.frontier(connection, list(markets))
    unknown = ledger.unknown(connection, list(markets))
    seen = candles.following(connection, [(n, gap.end) for n, gaps in unknown.items() for gap in gaps])
    wanted: Wanted = {}
    for number, market in markets.items():
        recent = _recent(window, ends.get(number), again)
        traits = traits_of(market.exchange)
        gaps: list[Window] = []
        for gap in reversed(unknown.get(number, [])):
            start = _with_young(gap, begun[number], again)
            if start >= recent.start:
                continue
            end = _with_later(gap, recent, seen.get((number, gap.end)), now - traits.doubted)
            if recent.start - start <= (HOUR if end > recent.start else again):
                # The end of a quiet market's last hour: by itself it would ask for much of the same.
                recent = Window(start, recent.end)
            else:
                gaps.append(Window(start, end))
        wanted[number] = [recent, *pieces(gaps[::-1], traits.page, HEALED_AT_ONCE)]
    return wanted


def _note_absence(connection: Connection, numbers: Sequence[int], window: Window) -> None:
    """Put on record what passed without anybody asking, of markets that are followed live."""
    followed = followed_since(connection, numbers)
    ends = ledger.frontier(connection, numbers)
    ledger.record(
        connection,
        [
            Finding(number, Window(end, window.start), "unknown", NOT_ASKED)
            for number, end in ends.items()
            if number in followed and followed[number] <= end < window.start
        ],
    )


def _recent(window: Window, known_until: datetime | None, again: timedelta) -> Window:
    """The run's window, begun earlier if the last known minutes are just before it."""
    if known_until is None or known_until < window.start - HOUR:
        return window
    return Window(min(window.start, known_until - again), window.end)


def _with_young(gap: Window, begun: datetime, again: timedelta) -> datetime:
    """Where to begin: the minutes before it were young when they were fetched, and not asked for since."""
    return min(gap.start, max(begun, gap.start - again))


def _with_later(gap: Window, recent: Window, seen: datetime | None, doubted_from: datetime) -> datetime:
    """Where to end: before `recent`, or if the gap is young with the candle `seen` after it, or one that
    `recent` may bring, since no absence after the last candle of an answer is believed.
    """
    if gap.start >= recent.start or gap.end <= doubted_from:
        return min(gap.end, recent.start)
    return recent.end if seen is None else min(recent.end, seen + MINUTE)
