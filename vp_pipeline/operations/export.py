"""Candles of an instrument or a market, read block by block and condensed to a timeframe.

Here belongs what is exported; how it is written to a file is in `export_files`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

import pandas as pd

from vp_pipeline.analytics import timeframes
from vp_pipeline.operations.errors import ExportError
from vp_pipeline.operations.place import Place
from vp_pipeline.settings import LABELS, Source
from vp_pipeline.storage import candles, rows
from vp_pipeline.storage.tables import AGGREGATE, CANDLE
from vp_pipeline.windows import MINUTE, Window

# Whole candles of every timeframe, and few enough minutes for a small machine.
BLOCK = timedelta(weeks=2)
_MARKET_COLUMNS = tuple(name for name in CANDLE.columns if name not in ("market_id", "provisional"))
_INSTRUMENT_COLUMNS = tuple(name for name in AGGREGATE.columns if name != "base")


@dataclass(frozen=True)
class Series:
    """What to export: an instrument's aggregate (`market_id` None) or one market's final candles."""

    name: str
    market_id: int | None = None

    def extent(self, place: Place) -> Window | None:
        """From the first stored minute to the end of the last, None if there is none."""
        if self.market_id is None:
            query = "SELECT min(open_time), max(open_time) FROM aggregate WHERE base = %s"
        else:
            query = (
                "SELECT min(open_time), max(open_time) FROM candle WHERE market_id = %s AND NOT provisional"
            )
        row = place.connection.execute(query, [self.market_id or self.name]).fetchone()
        return None if row is None or row[0] is None else Window(row[0], row[1] + MINUTE)

    def read(self, place: Place, window: Window) -> pd.DataFrame:
        """The minutes of a window."""
        if self.market_id is None:
            return rows.read(place.connection, AGGREGATE, {"base": self.name}, window, _INSTRUMENT_COLUMNS)
        return candles.read(place.connection, [self.market_id], window, _MARKET_COLUMNS)


def instrument(place: Place, base: str) -> Series:
    """The aggregate of an instrument.

    Raises:
        ExportError: the database has no such instrument.
    """
    found = [str(row[0]) for row in place.connection.execute(_BASES)]
    if base not in found:
        raise ExportError(
            f"there is no aggregate of {base}: there is one of {', '.join(found) or 'nothing yet'}"
        )
    return Series(base)


# Steps from base to base by the index instead of looking at every row.
_BASES = (
    "WITH RECURSIVE step AS ((SELECT base FROM aggregate ORDER BY base LIMIT 1) UNION ALL"
    " SELECT (SELECT base FROM aggregate WHERE base > step.base ORDER BY base LIMIT 1)"
    " FROM step WHERE step.base IS NOT NULL) SELECT base FROM step WHERE base IS NOT NULL"
)


def market(place: Place, name: str) -> Series:
    """The final candles of a market, named as `binance BTC/USDT`.

    Raises:
        ExportError: the database has no such market.
    """
    known = place.connection.execute("SELECT exchange || ' ' || symbol, market_id FROM market ORDER BY 1")
    numbers = {str(found): int(number) for found, number in known}
    if name not in numbers:
        listed = ", ".join(numbers) or "none yet"
        raise ExportError(
            f"there is no market {name!r}: name one as 'exchange BASE/QUOTE'; stored are {listed}"
        )
    return Series(name, numbers[name])


def blocks(place: Place, series: Series, window: Window, timeframe: str) -> Iterator[pd.DataFrame]:
    """Candles of the timeframe within the window, a block at a time, with the column `source`.

    Minutes outside of the window do not count, so that its first and last candle may be incomplete.
    Columns are those of the table; of longer candles those of `timeframes.resample`.

    Raises:
        ExportError: nothing is stored within the window.
    """
    extent = series.extent(place)
    inside = window if extent is None else window.intersect(extent)
    if extent is None or not inside:
        stored = "nothing" if extent is None else f"{extent}"
        raise ExportError(f"{series.name} has no candles from {window}: stored is {stored}")
    said = source_word(place.source)
    found = False
    for part in _parts(inside):
        minutes = series.read(place, part)
        if minutes.empty:
            continue
        found = True
        frame = minutes if timeframe == "1m" else timeframes.resample(minutes, timeframe)
        yield frame.assign(source=pd.Series([said] * len(frame), index=frame.index, dtype="str"))
    if not found:
        raise ExportError(f"{series.name} has no candles from {window}: stored is {extent}, with a gap there")


def source_word(source: Source) -> str:
    """What the column `source` says: live, SIMULATED DATA or RECORDED DATA."""
    return LABELS[source] or source


def _parts(window: Window) -> Iterator[Window]:
    """Blocks whose borders are those of weeks, and so of all timeframes."""
    first = timeframes.floor(pd.Timestamp(window.start), "1w").to_pydatetime()
    for part in Window(first, window.end).split(BLOCK):
        yield part.intersect(window)
