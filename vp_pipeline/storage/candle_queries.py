"""The queries that bring rows of the table `candle` as packed columns.

Here belongs which rows a query asks for and how many at a time; what is made of them is for `candles`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from psycopg import sql

from vp_pipeline.storage import packed
from vp_pipeline.storage.candle_changes import KNOWN, VALUES, sorting_key
from vp_pipeline.storage.connection import Connection
from vp_pipeline.storage.tables import CANDLE, PgType
from vp_pipeline.windows import DAY, MINUTE, Window

# So many rows come by one query: 3 MB. Of more, each query brings a part of one market that stays in the
# processor's cache.
_AT_ONCE = 45_000
_PART = 10 * DAY

Segment = tuple[int, datetime, datetime]
"""Number of a market, and a window's start and end."""

FINAL = sql.SQL("NOT provisional")
ANY = sql.SQL("true")

_FROM = sql.SQL("FROM candle WHERE market_id = ANY(%s) AND open_time >= %s AND open_time < %s AND {}")


@dataclass(frozen=True)
class Wanted:
    """Columns of the rows of which `which` holds; `kinds` are their types, the key's among them.

    No query is prepared: a plan for any market and time would look into every partition.
    """

    connection: Connection
    kinds: Mapping[str, PgType]
    which: sql.Composable

    @classmethod
    def named(
        cls, connection: Connection, names: Iterable[str] = (), which: sql.Composable = FINAL
    ) -> "Wanted":
        """The table's columns of these names and those of its key, of final rows if not told otherwise."""
        kinds = {name: CANDLE.columns[name] for name in dict.fromkeys([*CANDLE.key, *names])}
        return cls(connection, kinds, which)

    def of_window(self, numbers: Sequence[int], window: Window) -> packed.Arrays:
        """Rows of some markets within a window, by market and time."""
        if len(numbers) * window.count(MINUTE) <= _AT_ONCE:
            return self._block(numbers, window)
        return self._long(numbers, window)

    def of_segments(self, segments: Sequence[Segment]) -> packed.Arrays:
        """Rows of all segments, in no certain order, by one query."""
        if not segments:
            return packed.empty(self.kinds)
        # Markets by stretch of time: those of a tick share one, and each scan is planned by itself.
        shared: dict[tuple[datetime, datetime], list[int]] = {}
        for number, start, end in segments:
            shared.setdefault((start, end), []).append(number)
        # Numbers and not a join: the planner sees at once which partitions count.
        columns = sql.SQL(", ").join(map(sql.Identifier, self.kinds))
        scan = sql.SQL("SELECT {} {}").format(columns, _FROM.format(self.which))
        query = sql.SQL("SELECT {} FROM ({}) AS candle").format(
            packed.select_list(self.kinds, VALUES[KNOWN:]), sql.SQL(" UNION ALL ").join([scan] * len(shared))
        )
        arguments = [value for (start, end), numbers in shared.items() for value in (numbers, start, end)]
        return self._packed(query, arguments, self.kinds)

    def _block(self, numbers: Sequence[int], window: Window) -> packed.Arrays:
        """Rows of the window in order, by one query."""
        sent = {name: kind for name, kind in self.kinds.items() if len(numbers) != 1 or name != "market_id"}
        query = sql.SQL("SELECT {} {}").format(
            packed.select_list(sent, VALUES[KNOWN:]), _FROM.format(self.which)
        )
        found = self._packed(query, [list(numbers), window.start, window.end], sent)
        if len(numbers) == 1:
            found["market_id"] = np.full(len(found["open_time"]), numbers[0], dtype=np.int16)
        return ordered(found)

    def _long(self, numbers: Sequence[int], window: Window) -> packed.Arrays:
        """The same for many rows: a part at a time, each put in its place at once."""
        extents = {number: extent_of(self.connection, number, window) for number in numbers}
        most = sum(extent.count(MINUTE) for extent in extents.values())
        # Memory that no row fills is never touched, so that the system does not have to find it.
        whole = {
            name: np.empty(most, dtype=values.dtype) for name, values in packed.empty(self.kinds).items()
        }
        reached = 0
        for number, extent in extents.items():
            for part in extent.split(_PART):
                block = self._block([number], part)
                start, reached = reached, reached + len(block["open_time"])
                for name, values in block.items():
                    whole[name][start:reached] = values
        return {name: values[:reached] for name, values in whole.items()}

    def _packed(
        self, query: sql.Composed, arguments: Sequence[object], kinds: Mapping[str, PgType]
    ) -> packed.Arrays:
        row = self.connection.execute(query, arguments, binary=True, prepare=False).fetchone()
        return packed.unpack(row or (), kinds)


def hulls_of(windows: Sequence[tuple[int, Window]]) -> list[Segment]:
    """The windows with those joined that overlap or are neighbours."""
    hulls: list[Segment] = []
    for number, window in sorted(windows, key=lambda one: (one[0], one[1].start)):
        last = hulls[-1] if hulls else None
        if last is not None and last[0] == number and window.start <= last[2]:
            hulls[-1] = (number, last[1], max(last[2], window.end))
        else:
            hulls.append((number, window.start, window.end))
    return hulls


def ordered(found: packed.Arrays) -> packed.Arrays:
    """The rows by market and time."""
    market, minute = found["market_id"], found["open_time"].astype("datetime64[m]").astype(np.int64)
    key = sorting_key(market, minute)
    if (key[1:] > key[:-1]).all():
        return found
    order = np.argsort(key)
    return {name: values[order] for name, values in found.items()}


def extent_of(connection: Connection, number: int, window: Window) -> Window:
    """The part of the window from the first stored candle to the last."""
    row = connection.execute(
        "SELECT min(open_time), max(open_time) FROM candle"
        " WHERE market_id = %s AND open_time >= %s AND open_time < %s",
        [number, window.start, window.end],
        prepare=False,
    ).fetchone()
    if row is None or row[0] is None:
        return Window(window.start, window.start)
    return Window(row[0], row[1] + MINUTE)
