"""One market's month under way: what came from which source, and what the ledger still misses.

Here belongs what all sources share; their order is in `history_spot`.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from vp_pipeline.assets.intake import SO_FAR_NONE
from vp_pipeline.catalog import Market
from vp_pipeline.storage import ledger
from vp_pipeline.storage.candles import Stored
from vp_pipeline.storage.connection import Connection, transaction
from vp_pipeline.windows import MINUTE, Window, minus

# Final: no other source is asked about such a minute, but about the last the archive and a person's files.
KNOWN = ("got", "exchange-empty")
SETTLED = (*KNOWN, "unfetchable")


@dataclass
class Loaded:
    """What came of one market's month; `window` is the part of it that can be over."""

    market: Market
    number: int
    window: Window
    rows_from: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    new: int = 0
    revised: int = 0
    problems: list[str] = field(default_factory=list)
    got: int = 0
    empty: int = 0
    unknown: int = 0
    unfetchable: int = 0
    reasons: dict[str, int] = field(default_factory=dict)

    def add(self, source: str, stored: Stored) -> None:
        """Count what a source brought."""
        new = stored.inserted + stored.finalized
        if new:
            self.rows_from[source] += new
        self.new += new
        self.revised += stored.revised


def missing(database_url: str, load: Loaded, known: Sequence[str] = SETTLED) -> list[Window]:
    """Windows of which the ledger knows none of these states."""
    with transaction(database_url) as connection:
        runs = ledger.runs(connection, [load.number], load.window)[load.number]
    return minus(load.window, [Window(run.start, run.end) for run in runs if run.state in known])


def count(connection: Connection, load: Loaded) -> None:
    """Fill in what the ledger says of the month."""
    totals: dict[str, int] = defaultdict(int)
    reasons: dict[str, int] = defaultdict(int)
    if load.window:
        for run in ledger.runs(connection, [load.number], load.window)[load.number]:
            minutes = Window(run.start, run.end).count(MINUTE)
            if run.reason == SO_FAR_NONE:
                continue  # the last minutes of a market that may be quiet: ticks ask again
            totals[run.state] += minutes
            if run.state in ("unknown", "unfetchable"):
                reasons[run.reason] += minutes
    load.got, load.empty = totals["got"], totals["exchange-empty"]
    load.unknown, load.unfetchable = totals["unknown"], totals["unfetchable"]
    load.reasons = dict(sorted(reasons.items(), key=lambda item: -item[1]))
