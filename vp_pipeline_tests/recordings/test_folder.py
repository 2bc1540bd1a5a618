"""What a folder of recorded files is read as, and what is said about a file that cannot be used."""

import gzip
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from vp_pipeline.recordings.folder import Recording, RecordingError, scan, spot_files

HEADER = "open_time_ms,open,high,low,close,volume"
MINUTE = 1678320000000  # 2023-03-09
GOOD = [f"{MINUTE},10,12,9,11,0.5", f"{MINUTE + 60_000},11,11,11,11,0.25"]

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a file of the recording: `write("minute/kraken_BTC-USD.csv", HEADER, *rows)`."""

    def make(name: str, *lines: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        content = "".join(f"{line}\n" for line in lines).encode()
        path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
        return path

    return make


def frames_of(recording: Recording) -> list[pd.DataFrame]:
    return [series.frame for series in recording.spot] + [series.frame for series in recording.klines]


def test_spot_minutes_are_read(write: Write, tmp_path: Path) -> None:
    write("minute_march/coinbase_BTC-EUR.csv.gz", HEADER, *GOOD)
    (series,) = scan(tmp_path).spot
    assert (series.exchange, series.base, series.quote) == ("coinbaseexchange", "BTC", "EUR")
    assert series.start == datetime(2023, 3, 9, tzinfo=UTC)
    assert series.end == datetime(2023, 3, 9, 0, 2, tzinfo=UTC)
    assert series.frame["volume"].tolist() == [0.5, 0.25]
    assert str(series.frame["open_time"].dtype) == "datetime64[ms, UTC]"
    assert series.frame["trades"].isna().all()


def test_an_exchange_that_has_ended_is_read_too(write: Write, tmp_path: Path) -> None:
    write("minute/ftx_BTC-USD.csv", HEADER, *GOOD)
    (series,) = scan(tmp_path).spot
    assert (series.exchange, len(series.frame)) == ("ftx", 2)


def test_spot_files_are_found_without_being_read(write: Write, tmp_path: Path) -> None:
    path = write("minute/ftx_BTC-USD.csv", "not a candle file at all")
    write("daily/BTCUSDT.csv", "nor this")
    write("ftx_BTC-USDT.csv", "not in a folder for minutes")
    (file,) = spot_files(tmp_path)
    assert (file.exchange, file.base, file.quote, file.path) == ("ftx", "BTC", "USD", path)
    with pytest.raises(RecordingError, match="'open_time' is missing"):
        file.read()


def test_names_of_optional_columns_vary(write: Write, tmp_path: Path) -> None:
    row = f"{GOOD[0]},7,0.2,5.5"
    write("minute/binance_BTC-USDT.csv", f"{HEADER},trades,taker_buy_base,quote_volume", row)
    write("usdm_1m_a/BTCUSDT.csv", f"{HEADER},count,taker_buy_volume,quote_volume", row)
    long_names = "trades,taker_buy_base_asset_volume,quote_asset_volume"
    write("usdm_1m_a/ETHUSDT.csv", f"{HEADER},{long_names}", row)
    frames = frames_of(scan(tmp_path))
    assert len(frames) == 3
    for frame in frames:
        assert frame[["trades", "taker_buy_volume", "quote_volume"]].iloc[0].tolist() == [7, 0.2, 5.5]


@pytest.mark.parametrize(
    "opened", ["2020-12-31 00:00:00+00:00", "2020-12-31", "1609372800000", "1609372800000000"]
)
def test_open_times_may_be_iso_milliseconds_or_microseconds(
    opened: str, write: Write, tmp_path: Path
) -> None:
    write("daily_x/BTCUSDT.csv", HEADER.replace("_ms", ""), f"{opened},10,12,9,11,0.5")
    (series,) = scan(tmp_path).klines
    assert (series.symbol, series.interval) == ("BTCUSDT", "1d")
    assert (series.base, series.quote) == ("BTC", "USDT")
    assert series.start == datetime(2020, 12, 31, tzinfo=UTC)
    assert series.end == datetime(2021, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("text", ["0.00039906", "1e-8", "0.1", "2.5869590499999995", "123456.78901234567"])
def test_numbers_are_the_nearest_doubles(text: str, write: Write, tmp_path: Path) -> None:
    write("minute/kraken_BTC-USD.csv", HEADER, f"{MINUTE},10,12,9,11,{text}")
    (series,) = scan(tmp_path).spot
    assert series.frame["volume"].iloc[0] == float(text)


def test_other_files_are_listed_but_not_read(write: Write, tmp_path: Path) -> None:
    write("minute/kraken_BTC-USD.csv", HEADER, *GOOD)
    others = [
        write("README.md", "text"),
        write("minute/notes.txt", "text"),
        write("kraken_trades/trades.csv", "not,read").parent,
        write("usdm_7m/BTCUSDT.csv", "not,read").parent,
    ]
    assert set(scan(tmp_path).ignored) == set(others)


def test_a_market_may_span_files_that_do_not_overlap(write: Write, tmp_path: Path) -> None:
    write("minute_1/kraken_BTC-USD.csv", HEADER, GOOD[0])
    write("minute_2/kraken_BTC-USD.csv", HEADER, GOOD[1])
    assert len(scan(tmp_path).spot) == 2
    write("minute_3/kraken_BTC-USD.csv", HEADER, GOOD[1])
    with pytest.raises(RecordingError, match="overlap"):
        scan(tmp_path)


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        (f"{MINUTE + 60_000},10,12,9,,0.5", "close is .*not a number"),
        (f"{MINUTE + 60_000},10,12,9,eleven,0.5", "close is 'eleven', not a number"),
        (f"{MINUTE + 60_000},10,12,9,11,nan", "volume is .*not a number"),
        (f"{MINUTE + 60_000},10,12,9,11,inf", "volume is .*not a number"),
        (f"{MINUTE + 60_000},10,12,9,11,-0.5", "negative"),
        (f"{MINUTE + 60_000},10,9,12,11,0.5", "low is above the high"),
        (f"{MINUTE + 60_000},0,12,0,11,0.5", "not above zero"),
        (f"{MINUTE},10,12,9,11,0.5", "repeats"),
        (f"{MINUTE - 60_000},10,12,9,11,0.5", "sort the file"),
        (f"{MINUTE + 61_000},10,12,9,11,0.5", "multiple of 1 minutes"),
        ("", "not a whole number"),
        ("soon,10,12,9,11,0.5", "neither Unix time nor ISO 8601"),
    ],
)
def test_an_unusable_row_is_named_by_its_line(row: str, problem: str, write: Write, tmp_path: Path) -> None:
    path = write("minute/kraken_BTC-USD.csv", HEADER, GOOD[0], row, f"{MINUTE + 120_000},10,12,9,11,1")
    with pytest.raises(RecordingError, match=problem) as caught:
        scan(tmp_path)
    assert (caught.value.path, caught.value.line) == (path, 2 if row.startswith("soon") else 3)


@pytest.mark.parametrize(
    ("name", "lines", "problem"),
    [
        ("minute/kraken_BTC-USD.csv", ["open_time_ms,open,high,low,close", *GOOD], "'volume' is missing"),
        ("minute/kraken_BTC-USD.csv", [f"{HEADER},trades,count", f"{GOOD[0]},1,1"], "both mean 'trades'"),
        ("minute/kraken_BTC-USD.csv", [HEADER], "no candle"),
        ("minute/kraken_BTC-USD.csv", [], "is empty"),
        ("minute/kraken_BTC-USD.csv", [HEADER, "1,2", "1,2,3,4,5,6,7,8"], "not a table"),
        ("daily/BTCDOGE.csv", [HEADER, *GOOD], "must end in its quote"),
        ("README.md", ["text"], "no recorded candles; expected minute"),
    ],
)
def test_an_unusable_file_is_explained(
    name: str, lines: list[str], problem: str, write: Write, tmp_path: Path
) -> None:
    write(name, *lines)
    with pytest.raises(RecordingError, match=problem):
        scan(tmp_path)


def test_a_damaged_or_mislabelled_gzip_is_explained(write: Write, tmp_path: Path) -> None:
    rows = [f"{MINUTE + n * 60_000},{10 + n},{20 + n},1,{10 + n},0.{n}" for n in range(500)]
    whole = write("minute/kraken_BTC-USD.csv.gz", HEADER, *rows)
    content = whole.read_bytes()
    whole.write_bytes(content[: len(content) // 2])
    with pytest.raises(RecordingError, match="damaged"):
        scan(tmp_path)
    whole.write_text("plain text")
    with pytest.raises(RecordingError, match="damaged"):
        scan(tmp_path)
    whole.unlink()
    whole.with_suffix("").write_bytes(content)
    with pytest.raises(RecordingError, match=r"must end in \.gz"):
        scan(tmp_path)


def test_links_out_of_the_folder_are_refused(write: Write, tmp_path: Path) -> None:
    outside = write("outside/kraken_BTC-USD.csv", HEADER, *GOOD)
    inside = write("recording/minute/binance_BTC-USDT.csv", HEADER, *GOOD).parent
    link = inside / "kraken_BTC-USD.csv"
    link.symlink_to(outside)
    with pytest.raises(RecordingError, match="leads out of"):
        scan(tmp_path / "recording")
    link.unlink()
    (tmp_path / "recording" / "minute_2").symlink_to(outside.parent)
    with pytest.raises(RecordingError, match="leads out of"):
        scan(tmp_path / "recording")


def test_a_missing_folder_is_explained(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="does not exist"):
        scan(tmp_path / "nowhere")


def test_every_recorded_series_is_read(recorded_data: Path) -> None:
    recording = scan(recorded_data)
    folder = recorded_data / "minute_2023-03-09_12"
    assert {series.path for series in recording.spot} >= set(folder.iterdir())
    for frame in frames_of(recording):
        values = frame[["open", "high", "low", "close", "volume"]].to_numpy()
        assert np.isfinite(values).all()
    intervals = {series.path.parent.name: series.interval for series in recording.klines}
    assert set(intervals.values()) == {"1d", "5m", "1m"}
    assert recorded_data / "README.md" in recording.ignored
