"""Reading and checking one recorded file of candles, whatever its columns are called."""

import gzip
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Times = NDArray[np.int64]
PRICES = ("open", "high", "low", "close")
COLUMNS = (*PRICES, "volume", "quote_volume", "trades", "taker_buy_volume", "taker_buy_quote_volume")
_REQUIRED = (*PRICES, "volume")
_ALIASES = {
    "open_time_ms": "open_time",
    "count": "trades",
    "quote_asset_volume": "quote_volume",
    "taker_buy_base": "taker_buy_volume",
    "taker_buy_base_volume": "taker_buy_volume",
    "taker_buy_base_asset_volume": "taker_buy_volume",
    "taker_buy_quote": "taker_buy_quote_volume",
    "taker_buy_quote_asset_volume": "taker_buy_quote_volume",
}
_MICROSECONDS_FROM = 10**14  # as milliseconds this would be the year 5138
_HEADER_LINES = 1


class RecordingError(Exception):
    """A recorded file cannot be used; the message names the file, the line and the remedy."""

    def __init__(self, path: Path, problem: str, line: int | None = None) -> None:
        where = f"{path}, line {line}" if line else f"{path}"
        super().__init__(f"{where}: {problem}")
        self.path = path
        self.line = line


def read_candles(path: Path, step_ms: int) -> pd.DataFrame:
    """The candles of a CSV file, plain or gzipped, with the columns `open_time` and `COLUMNS`.

    Every number is the double nearest to its text. Raises RecordingError.
    """
    raw = _read(path)
    raw = raw.rename(columns={name: _ALIASES.get(name, name) for name in raw.columns})
    twice = raw.columns[raw.columns.duplicated()]
    if len(twice):
        raise RecordingError(path, f"two columns both mean {twice[0]!r}; remove one")
    for name in ("open_time", *_REQUIRED):
        if name not in raw.columns:
            raise RecordingError(path, f"column {name!r} is missing; the header has {', '.join(raw.columns)}")
    if raw.empty:
        raise RecordingError(path, "there is no candle below the header; remove the file")
    time_ms = _times(path, raw["open_time"])
    frame = pd.DataFrame({name: _numbers(path, raw, name) for name in COLUMNS})
    _check(path, time_ms, frame, step_ms)
    frame.insert(0, "open_time", pd.to_datetime(time_ms, unit="ms", utc=True).astype("datetime64[ms, UTC]"))
    return frame


def _read(path: Path) -> pd.DataFrame:
    try:
        with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as text:
            return pd.read_csv(text, skip_blank_lines=False, low_memory=False)
    except pd.errors.EmptyDataError:
        raise RecordingError(path, "the file is empty; remove it") from None
    except pd.errors.ParserError as error:
        reason = str(error).removeprefix("Error tokenizing data. C error: ").strip()
        raise RecordingError(path, f"this is not a table of comma-separated values: {reason}") from error
    except UnicodeDecodeError as error:
        raise RecordingError(path, "this is not a text file; a compressed one must end in .gz") from error
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise RecordingError(path, f"the gzip file is damaged ({error}); fetch it again") from error


def _numbers(path: Path, raw: pd.DataFrame, name: str) -> Floats:
    if name not in raw.columns:
        return np.full(len(raw), np.nan)
    # A whole number beyond all floats stays an object, over which pandas stumbles.
    cells = raw[name].astype("str") if pd.api.types.is_object_dtype(raw[name]) else raw[name]
    values = pd.to_numeric(cells, errors="coerce").to_numpy(dtype=np.float64)
    # An optional cell may be blank: that value was not recorded.
    wrong = ~np.isfinite(values) if name in _REQUIRED else ~np.isfinite(values) & raw[name].notna().to_numpy()
    bad = np.flatnonzero(wrong)
    if bad.size:
        line = int(bad[0]) + 1 + _HEADER_LINES
        text = raw[name].iloc[bad[0]]
        raise RecordingError(path, f"{name} is {text!r}, not a number; correct or remove the row", line)
    return values


def _times(path: Path, column: "pd.Series[Any]") -> Times:
    if pd.api.types.is_integer_dtype(column):
        values = column.to_numpy(dtype=np.int64)
        return np.asarray(np.where(values >= _MICROSECONDS_FROM, values // 1000, values), dtype=np.int64)
    if pd.api.types.is_float_dtype(column):
        bad = np.flatnonzero(column.isna())
        line = int(bad[0]) + 1 + _HEADER_LINES if bad.size else None
        raise RecordingError(path, "the open time is not a whole number; correct or remove the row", line)
    times = pd.to_datetime(column.astype("str"), utc=True, errors="coerce", format="ISO8601")
    bad = np.flatnonzero(times.isna())
    if bad.size:
        line = int(bad[0]) + 1 + _HEADER_LINES
        text = column.iloc[bad[0]]
        raise RecordingError(path, f"open time {text!r} is neither Unix time nor ISO 8601", line)
    return times.astype("datetime64[ms, UTC]").to_numpy(dtype="datetime64[ms]").astype(np.int64)


def _check(
    path: Path,
    time_ms: Times,
    frame: pd.DataFrame,
    step_ms: int,
) -> None:
    gaps = np.diff(time_ms, prepend=time_ms[0] - step_ms)
    amounts = frame.drop(columns=list(PRICES))
    rules = (
        (time_ms % step_ms != 0, f"the candle does not open on a multiple of {step_ms // 60_000} minutes"),
        (gaps == 0, "the time repeats that of the line before; remove one of the two"),
        (gaps < 0, "the time is before that of the line before; sort the file by time"),
        ((frame[list(PRICES)] <= 0).any(axis=1), "a price is not above zero; remove the row"),
        ((amounts < 0).any(axis=1), "a volume or count is negative; remove the row"),
        (frame["low"] > frame["high"], "the low is above the high; correct the row"),
    )
    for broken, problem in rules:
        rows = np.flatnonzero(broken)
        if rows.size:
            raise RecordingError(path, problem, int(rows[0]) + 1 + _HEADER_LINES)
