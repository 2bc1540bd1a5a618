"""What reads input from outside, and what it may say of it: all but the errors named here is a mistake.

Here belong the readers, sound inputs to start from, and what must hold of a result. How an input is spoiled
is in `mutate`; the answers of exchanges are in `answers`, the API in `site/test_api_fuzz`.
"""

import gzip
import io
import os
import random
import re
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from unittest import mock

import numpy as np
import pandas as pd

from vp_pipeline.catalog import SHIPPED, CatalogError, load_catalog
from vp_pipeline.exchanges.archive_file import ArchiveFile, BadArchiveError, month_of
from vp_pipeline.exchanges.archive_file import read as read_archive
from vp_pipeline.own_data import candle_file
from vp_pipeline.own_data.errors import DataFileError
from vp_pipeline.own_data.prices_file import read_closes
from vp_pipeline.own_data.returns_file import read_returns
from vp_pipeline.own_data.trade_file import read_trades
from vp_pipeline.recordings.candle_file import RecordingError, read_candles
from vp_pipeline.recordings.folder import scan
from vp_pipeline.recordings.intervals import MINUTE_MS
from vp_pipeline.settings import SettingsError, load_settings
from vp_pipeline_tests.fuzz.mutate import spoiled

_LONGEST_MESSAGE = 20_000
_MONTH = ArchiveFile("BTCUSDT", "1m", month_of(datetime(2025, 1, 5, tzinfo=UTC)))
_FUTURES = ArchiveFile("LINKUSDT", "1m", month_of(datetime(2023, 2, 5, tzinfo=UTC)), futures=True)


@dataclass(frozen=True)
class Target:
    """`run` reads an input: True if it was accepted, False if it was refused in words."""

    name: str
    run: Callable[[bytes], bool]
    seeds: tuple[bytes, ...]
    tokens: tuple[bytes, ...] = ()

    def spoiled(self, number: int) -> bytes:
        """The input of this number: one of the seeds with a few things wrong."""
        chance = random.Random(number)
        return spoiled(chance.choice(self.seeds), chance, self.tokens)


def said_clearly(error: Exception, what: str = "") -> None:
    """A refusal is a sentence for a person: short, not a piece of a program, and it names `what`.

    Raises:
        AssertionError: it is not.
    """
    text = str(error)
    assert text.strip(), f"{type(error).__name__} says nothing"
    assert len(text) < _LONGEST_MESSAGE, f"{len(text)} characters: {text[:300]}"
    assert "Traceback" not in text
    assert what in text, f"the message does not name the file: {text}"
    assert not re.search(r"<\w+ object at 0x|<class '", text), text[:300]


def _of_file(read: Callable[[Path], object], refusal: type[Exception], name: str) -> Callable[[bytes], bool]:
    def run(data: bytes) -> bool:
        with tempfile.TemporaryDirectory(prefix="vp-fuzz-") as folder:
            path = Path(folder) / name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(data)
            try:
                result = read(path)
            except refusal as error:
                said_clearly(error, folder)
                return False
        if isinstance(result, pd.DataFrame):
            _is_sound(result)
        return True

    return run


def _is_sound(frame: pd.DataFrame) -> None:
    """Whatever was accepted can be counted with."""
    times = frame["open_time"] if "open_time" in frame else frame.index.to_series()
    if isinstance(times.dtype, pd.DatetimeTZDtype):
        assert times.is_monotonic_increasing
        assert times.is_unique
    for name in frame.columns.intersection(["open", "high", "low", "close", "price", "volume"]):
        values = frame[name].to_numpy(dtype=np.float64)
        assert np.isfinite(values).all(), name
        assert (values >= 0).all(), name
    if {"low", "high"} <= set(frame.columns):
        assert (frame["low"] <= frame["high"]).all()


def _gzipped(run: Callable[[bytes], bool]) -> Callable[[bytes], bool]:
    return lambda data: run(gzip.compress(data, compresslevel=1))


def _environment(data: bytes) -> bool:
    """Lines NAME=VALUE in front of a sound environment."""
    pairs = dict(line.split("=", 1) for line in os.fsdecode(data).split("\n") if "=" in line)
    sound = {name: value for name, value in pairs.items() if name and "\0" not in name + value}
    if any(name.upper().startswith("VP_MARKETS_FILE") for name in sound):
        sound = {name: value for name, value in sound.items() if "MARKETS_FILE" not in name.upper()}
    with mock.patch.dict(os.environ, {"VP_DATABASE_URL": "postgresql://x", **sound}, clear=True):
        try:
            load_settings()
        except (SettingsError, CatalogError) as error:
            said_clearly(error)
            return False
    return True


def _archive(file: ArchiveFile) -> Callable[[bytes], bool]:
    def run(data: bytes) -> bool:
        try:
            _is_sound(read_archive(file, data))
        except BadArchiveError as error:
            said_clearly(error)
            return False
        return True

    return run


def _zipped(file: ArchiveFile, table: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"{file.name}.csv", table)
    return packed.getvalue()


def _table(file: ArchiveFile) -> Callable[[bytes], bool]:
    read = _archive(file)
    return lambda table: read(_zipped(file, table))


def _own_candles(path: Path) -> pd.DataFrame:
    return candle_file.read_candles(path, ("open_time", "open", "high", "low", "close", "volume"), "the test")


def _scan(path: Path) -> None:
    scan(path.parent.parent)


_HEADER = b"open_time,open,high,low,close,volume,quote_volume,trades,taker_buy_volume\n"
_CANDLES = _HEADER + b"".join(
    b"%d,100.5,102,99.25,101,12.5,1250.5,7,3.5\n" % (1_678_320_000_000 + 60_000 * row) for row in range(6)
)
_ISO = b"open_time,open,high,low,close,volume\n" + b"".join(
    b"2024-01-31T13:%02d:00Z,1,2,0.5,1.5,10\n" % row for row in range(6)
)
_TRADES = b"id,timestamp,side,price,amount\n" + b"".join(
    b"%d,170017%d,buy,36500.1,0.25\n" % (row, row) for row in range(6)
)
_RETURNS = b"date,strategy,benchmark\n" + b"".join(
    b"2024-01-%02d,0.0%d,-0.01\n" % (day, day % 9) for day in range(1, 9)
)
_CLOSES = b"date,BTC,ETH\n" + b"".join(b"2024-01-%02d,%d,20\n" % (day, day) for day in range(1, 9))
_SETTINGS = (
    b"VP_SOURCE=sandbox\nVP_EXCHANGE_URL=http://127.0.0.1:1\nVP_HOURLY_START=2026-01-01T00:00:00Z\n"
    b"VP_REFETCH_MINUTES=5\nVP_HEAL_SECONDS=120\nVP_HISTORY_START=2021-01-01\nVP_ALERT_WARNINGS=true\n"
)
_SPOT_ROW = b"%d,1.5,2,1,1.75,10,%d,15,3,5,7.5,0\n"


def _rows(opens: int, factor: int, step: int = 60_000) -> bytes:
    times = (opens + step * row for row in range(4))
    return b"".join(_SPOT_ROW % (time * factor, (time + step) * factor - 1) for time in times)


_SPOT_TABLE = _rows(1_735_689_600_000, 1000)
_FUTURES_TABLE = (
    b"open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,"
    b"taker_buy_quote_volume,ignore\n" + _rows(1_675_209_600_000, 1)
)
_MARKETS = b"""[instruments.BTC]
row_size = 10
lead = "kraken BTC/USD"

[[markets]]
exchange = "kraken"
symbol = "BTC/USD"

[[klines]]
symbol = "BTCUSDT"
interval = "5m"

[strategies]
symbols = ["BTCUSDT", "ETHUSDT"]
start = 2021-01-01

[strategies.variants.equal_weight]
benchmark = "BTCUSDT"
"""
_WORDS = (*_HEADER.strip().split(b","), b"date", b"count", b"source", b"open_time_ms")

TARGETS = (
    Target(
        "markets file",
        _of_file(load_catalog, CatalogError, "markets.toml"),
        (SHIPPED.read_bytes(), _MARKETS),
        (b"[[markets]]", b"[instruments.BTC]", b"lead", b"strategies", b"[[", b"a.b.c", b"2024-01-01"),
    ),
    Target(
        "environment", _environment, (_SETTINGS,), (b"VP_HOME=", b"VP_LOG_DAYS=", b"VP_SITE_URL=", b"http://")
    ),
    Target(
        "candles of one's own",
        _of_file(_own_candles, DataFileError, "candles.csv"),
        (_CANDLES, _ISO),
        _WORDS,
    ),
    Target(
        "candles of one's own, gzipped",
        _gzipped(_of_file(_own_candles, DataFileError, "candles.csv.gz")),
        (_CANDLES,),
        _WORDS,
    ),
    Target("a gzip file", _of_file(_own_candles, DataFileError, "c.csv.gz"), (gzip.compress(_CANDLES),)),
    Target(
        "trades", _of_file(read_trades, DataFileError, "trades.csv"), (_TRADES,), (b"price", b"qty", b"id")
    ),
    Target("returns", _of_file(read_returns, DataFileError, "returns.csv"), (_RETURNS,), (b"date", b"5%")),
    Target("closes", _of_file(read_closes, DataFileError, "closes.csv"), (_CLOSES,), (b"date", b"day")),
    Target(
        "a recorded file",
        _of_file(lambda path: read_candles(path, MINUTE_MS), RecordingError, "candles.csv"),
        (_CANDLES, _ISO),
        _WORDS,
    ),
    Target(
        "a replay folder",
        _of_file(_scan, RecordingError, "minute/kraken_BTC-USD.csv"),
        (_CANDLES,),
        _WORDS,
    ),
    Target("a zip of the archive", _archive(_MONTH), (_zipped(_MONTH, _SPOT_TABLE),)),
    Target("a table of the archive", _table(_MONTH), (_SPOT_TABLE,)),
    Target("a futures table", _table(_FUTURES), (_FUTURES_TABLE,), (b"open_time", b"count")),
)
