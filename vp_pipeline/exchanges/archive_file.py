"""Files of Binance's archive: their paths, and what is accepted as one.

Here belong names and reading; fetching is in `archive`. A file comes from outside: nothing of it is believed
but what its place in the archive says that it holds.
"""

import io
import lzma
import zipfile
import zlib
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import pandas as pd

from vp_pipeline.exchanges.frames import CANDLE_COLUMNS, GRACE, BadCandlesError, frame_of
from vp_pipeline.windows import DAY, Window, to_ms

KLINE_COLUMNS = (*CANDLE_COLUMNS, "trades")
BARS = {
    "1m": timedelta(minutes=1),
    "5m": timedelta(minutes=5),
    "15m": timedelta(minutes=15),
    "1h": timedelta(hours=1),
    "1d": timedelta(days=1),
}
# A month of minutes takes 3 MB, and 6 MB unpacked.
LARGEST_TABLE = 64 * 1024 * 1024

_COLUMNS = (
    *("open_time", "open", "high", "low", "close", "volume", "close_time", "quote_volume", "trades"),
    *("taker_buy_volume", "taker_buy_quote_volume", "ignore"),
)
_MICROSECONDS_FROM = 10**14  # as milliseconds this would be the year 5138
_ENCRYPTED = 0x1
# What zipfile raises over damaged files, ValueError for offsets and names that cannot be.
_NOT_A_ZIP = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    NotImplementedError,
    OSError,
    ValueError,
)


class BadArchiveError(ValueError):
    """The bytes are not the file that their place in the archive says; the message says why."""


@dataclass(frozen=True)
class ArchiveFile:
    """The file of one series that holds the bars of `window`, a month or a day.

    `symbol` is the exchange's own, such as BTCUSDT.
    """

    symbol: str
    interval: str
    window: Window
    futures: bool = False

    @property
    def name(self) -> str:
        """The name without the ending."""
        form = "%Y-%m-%d" if self.window.count(DAY) == 1 else "%Y-%m"
        return f"{self.symbol}-{self.interval}-{self.window.start.strftime(form)}"

    @property
    def path(self) -> str:
        """The path below the archive's host."""
        every = "daily" if self.window.count(DAY) == 1 else "monthly"
        folder = "futures/um" if self.futures else "spot"
        return f"data/{folder}/{every}/klines/{self.symbol}/{self.interval}/{self.name}.zip"

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of its frame."""
        return KLINE_COLUMNS if self.futures else CANDLE_COLUMNS


def month_of(moment: datetime) -> Window:
    """The calendar month that holds a moment."""
    start = moment.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return Window(start, (start + 31 * DAY).replace(day=1))


def read(file: ArchiveFile, content: bytes) -> pd.DataFrame:
    """The bars of a zip file, with `file.columns`; what the file leaves empty is NaN.

    Header or none and milliseconds or microseconds are told from the table itself.

    Raises:
        BadArchiveError: it is no zip file, holds anything but the one table, is too large, or the table is
            not made of this series' bars.
    """
    table = _table(file, content)
    first = table[: table.find(b"\n")].decode("ascii", errors="replace").strip()
    cells = first.split(",")
    if len(cells) != len(_COLUMNS):
        raise BadArchiveError(f"the table has {len(cells)} columns, not {len(_COLUMNS)}: {first[:80]!r}")
    header = not cells[0].isdecimal()
    if header and cells[0] != _COLUMNS[0]:
        raise BadArchiveError(f"the table begins neither with a header nor with a time: {first[:80]!r}")
    try:
        raw = pd.read_csv(
            io.BytesIO(table),
            names=list(_COLUMNS),
            header=None,
            skiprows=int(header),
            usecols=list(file.columns),
            dtype=np.float64,
        )
    except (ValueError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise BadArchiveError(f"the table is not made of numbers: {error}") from error
    values = raw[list(file.columns)].to_numpy(dtype=np.float64)
    if not len(values):
        raise BadArchiveError("the table is empty")
    if values[0, 0] >= _MICROSECONDS_FROM:
        values[:, 0] /= 1000
    opens = values[:, 0]
    strange = ~((opens >= to_ms(file.window.start)) & (opens < to_ms(file.window.end)))
    if strange.any():
        raise BadArchiveError(f"a row opens at {opens[strange][0]:.15g}, outside of {file.window}")
    try:
        return frame_of(
            list(values), file.window, BARS[file.interval], file.window.end + GRACE, columns=file.columns
        )
    except BadCandlesError as error:
        raise BadArchiveError(str(error)) from error


def _table(file: ArchiveFile, content: bytes) -> bytes:
    """The one member, which must have the file's own name."""
    expected = f"{file.name}.csv"
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = archive.infolist()
            if len(members) != 1 or members[0].filename != expected:
                names = ", ".join(repr(member.filename[:80]) for member in members[:3]) or "nothing"
                raise BadArchiveError(f"it must hold {expected} alone, but holds {names}")
            member = members[0]
            if member.flag_bits & _ENCRYPTED:
                raise BadArchiveError(f"{expected} is encrypted")
            if member.file_size > LARGEST_TABLE:
                raise BadArchiveError(f"{expected} unpacks to {member.file_size} bytes, more than is sound")
            with archive.open(member) as unpacked:
                table = unpacked.read(LARGEST_TABLE + 1)
    except BadArchiveError:
        raise
    except _NOT_A_ZIP as error:
        raise BadArchiveError(f"it is not a whole zip file ({error})") from error
    if len(table) != member.file_size:
        raise BadArchiveError(f"{expected} does not have the size that it says")
    return table
