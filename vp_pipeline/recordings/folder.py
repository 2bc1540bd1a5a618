"""Reading a folder of recorded candles: which files count, and whether what they hold can be believed.

Any exchange is accepted, one that has ended and one that nobody serves too.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pandas as pd

from vp_pipeline.recordings.candle_file import RecordingError, read_candles
from vp_pipeline.recordings.intervals import INTERVALS_MS, MINUTE_MS

__all__ = ["KlineSeries", "Recording", "RecordingError", "SpotFile", "SpotSeries", "scan", "spot_files"]

_SPOT = "spot"
_SPOT_FOLDER = re.compile(r"minute.*")
_DAILY_FOLDER = re.compile(r"daily.*")
_USDM_FOLDER = re.compile(rf"usdm_({'|'.join(INTERVALS_MS)})(?![0-9a-zA-Z]).*")
_SPOT_FILE = re.compile(r"(?P<exchange>[a-z0-9]+)_(?P<base>[A-Z0-9]+)-(?P<quote>[A-Z0-9]+)\.csv(\.gz)?")
_KLINE_FILE = re.compile(r"(?P<symbol>[A-Z0-9]+)\.csv(\.gz)?")
_ALIASES = {"coinbase": "coinbaseexchange"}
_FUTURES_QUOTES = ("USDT", "USDC", "BUSD", "BTC")


@dataclass(frozen=True)
class SpotFile:
    """A file of one-minute candles of one spot market, by its name alone; `exchange` is a ccxt id."""

    exchange: str
    base: str
    quote: str
    path: Path

    def read(self) -> "SpotSeries":
        """Its candles. Raises RecordingError, naming file, line and remedy."""
        frame = read_candles(self.path, MINUTE_MS)
        return SpotSeries(self.exchange, self.base, self.quote, self.path, frame)


@dataclass(frozen=True)
class SpotSeries:
    """One-minute candles of one spot market, from one file; `exchange` is its ccxt id."""

    exchange: str
    base: str
    quote: str
    path: Path
    frame: pd.DataFrame

    @property
    def start(self) -> datetime:
        """Open of the first candle."""
        return _start(self.frame)

    @property
    def end(self) -> datetime:
        """End of the last candle."""
        return _end(self.frame, "1m")


@dataclass(frozen=True)
class KlineSeries:
    """Klines of one USD-M symbol at one interval, from one file."""

    symbol: str
    base: str
    quote: str
    interval: str
    path: Path
    frame: pd.DataFrame

    @property
    def start(self) -> datetime:
        """Open of the first candle."""
        return _start(self.frame)

    @property
    def end(self) -> datetime:
        """End of the last candle."""
        return _end(self.frame, self.interval)


@dataclass(frozen=True)
class Recording:
    """Everything read from a folder, and the paths in it that were not.

    Frames hold open_time (datetime64[ms, UTC]), open, high, low, close, volume (base), quote_volume,
    trades, taker_buy_volume and taker_buy_quote_volume; NaN where the file has no such column.
    """

    folder: Path
    spot: tuple[SpotSeries, ...]
    klines: tuple[KlineSeries, ...]
    ignored: tuple[Path, ...]


def scan(folder: Path) -> Recording:
    """Read and check every recorded file below `folder`.

    `minute*/<exchange>_<BASE>-<QUOTE>.csv[.gz]` are spot minutes, `daily*/<SYMBOL>.csv[.gz]` USD-M days and
    `usdm_<interval>*/<SYMBOL>.csv[.gz]` USD-M klines. Raises RecordingError, naming file, line and remedy.
    """
    spot: list[SpotSeries] = []
    klines: list[KlineSeries] = []
    ignored: list[Path] = []
    for path, kind in _candidates(folder):
        match _series(path, kind):
            case SpotSeries() as series:
                spot.append(series)
            case KlineSeries() as series:
                klines.append(series)
            case None:
                ignored.append(path)
    if not spot and not klines:
        raise RecordingError(
            folder,
            "no recorded candles; expected minute*/<exchange>_<BASE>-<QUOTE>.csv, daily*/<SYMBOL>.csv "
            "or usdm_<interval>*/<SYMBOL>.csv, each also as .csv.gz",
        )
    _no_overlaps([((item.exchange, item.base, item.quote), item) for item in spot])
    _no_overlaps([((item.symbol, item.interval), item) for item in klines])
    return Recording(folder, tuple(spot), tuple(klines), tuple(ignored))


def spot_files(folder: Path) -> list[SpotFile]:
    """The files of spot minutes below `folder`, none of them read. Raises RecordingError."""
    found = (_spot(path) for path, kind in _candidates(folder) if kind == _SPOT)
    return [file for file in found if file is not None]


def _series(path: Path, kind: str | None) -> SpotSeries | KlineSeries | None:
    """What is recorded in a file; None if it is no recording."""
    if kind == _SPOT:
        found = _spot(path)
        return None if found is None else found.read()
    return None if kind is None else _klines(path, kind)


def _candidates(folder: Path) -> Iterator[tuple[Path, str | None]]:
    """Every entry, with what its place says that it holds: `_SPOT`, an interval of klines, or nothing."""
    if not folder.is_dir():
        raise RecordingError(folder, "this folder does not exist; name one that holds recorded candles")
    for path in _entries(folder, folder):
        kind = _kind(path.name) if path.is_dir() else None
        if kind is None:
            yield path, None
        else:
            yield from ((file, kind) for file in _entries(path, folder))


def _entries(folder: Path, root: Path) -> Iterator[Path]:
    """The entries of a folder in order, none of which may lead out of the recording."""
    for path in sorted(folder.iterdir()):
        if not path.resolve().is_relative_to(root.resolve()):
            raise RecordingError(path, f"it leads out of {root}; put a copy of the file there instead")
        yield path


def _kind(folder_name: str) -> str | None:
    """What a folder's files hold: `_SPOT`, or the interval of its klines; None if it is not of the format."""
    if _SPOT_FOLDER.fullmatch(folder_name):
        return _SPOT
    if _DAILY_FOLDER.fullmatch(folder_name):
        return "1d"
    match = _USDM_FOLDER.fullmatch(folder_name)
    return match.group(1) if match else None


def _spot(file: Path) -> SpotFile | None:
    match = _SPOT_FILE.fullmatch(file.name)
    if match is None or not file.is_file():
        return None
    exchange = _ALIASES.get(match["exchange"], match["exchange"])
    return SpotFile(exchange, match["base"], match["quote"], file)


def _klines(file: Path, interval: str) -> KlineSeries | None:
    match = _KLINE_FILE.fullmatch(file.name)
    if match is None or not file.is_file():
        return None
    symbol = match["symbol"]
    quote = next((quote for quote in _FUTURES_QUOTES if symbol.endswith(quote) and symbol != quote), None)
    if quote is None:
        raise RecordingError(file, f"the symbol must end in its quote, one of {', '.join(_FUTURES_QUOTES)}")
    frame = read_candles(file, INTERVALS_MS[interval])
    return KlineSeries(symbol, symbol.removesuffix(quote), quote, interval, file, frame)


def _no_overlaps(series: list[tuple[tuple[str, ...], SpotSeries | KlineSeries]]) -> None:
    ordered = sorted(series, key=lambda pair: (pair[0], pair[1].start))
    for (name, earlier), (other, later) in pairwise(ordered):
        if name == other and later.start < earlier.end:
            raise RecordingError(
                later.path, f"its times overlap with those of {earlier.path}; keep each minute in one file"
            )


def _start(frame: pd.DataFrame) -> datetime:
    first: datetime = frame["open_time"].iloc[0].to_pydatetime()
    return first


def _end(frame: pd.DataFrame, interval: str) -> datetime:
    last: datetime = frame["open_time"].iloc[-1].to_pydatetime()
    return last + timedelta(milliseconds=INTERVALS_MS[interval])
