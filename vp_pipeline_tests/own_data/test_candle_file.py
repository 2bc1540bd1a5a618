"""Every way in which a file can be wrong, and what is said of it."""

import gzip
import re
from pathlib import Path
from typing import NoReturn

import numpy as np
import pandas as pd
import pytest

from vp_pipeline.own_data.candle_file import read_candles
from vp_pipeline.own_data.errors import DataFileError
from vp_pipeline_tests.own_data.candle_files import FOUR_HOURS, HEADER, refused, write


def read(path: Path, *required: str) -> pd.DataFrame:
    return read_candles(path, required, "the test")


@pytest.mark.parametrize("name", ["candles.csv", "candles.csv.gz", "candles.csv.GZ"])
def test_a_good_file(tmp_path: Path, name: str) -> None:
    candles = read(write(tmp_path, HEADER, *FOUR_HOURS, name=name), "close")
    assert list(candles) == HEADER.split(",")
    assert str(candles["open_time"].dtype) == "datetime64[us, UTC]"
    assert candles["open_time"].tolist() == list(pd.date_range("2024-01-01", periods=4, freq="h", tz="UTC"))
    assert candles["low"].tolist() == [99, 100, 97, 98]
    assert (candles.dtypes.iloc[1:] == np.float64).all()


def test_names_in_any_case_and_order_with_spaces_and_other_columns(tmp_path: Path) -> None:
    path = write(tmp_path, " Volume , note,CLOSE,Trades,Taker_Buy_Volume", '5 ,"a, b", 101.5,3, 2.5')
    candles = read(path, "close", "volume")
    assert candles.to_dict("list") == {
        "close": [101.5],
        "volume": [5],
        "trades": [3],
        "taker_buy_volume": [2.5],
    }


def test_a_byte_order_mark_windows_line_ends_and_empty_lines_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "candles.csv"
    path.write_bytes(b"\xef\xbb\xbfclose,volume\r\n100,1\r\n101,2\r\n\r\n\r\n")
    assert read(path, "close")["close"].tolist() == [100, 101]


def test_lines_are_counted_in_files_longer_than_a_batch(tmp_path: Path) -> None:
    lines = [f"{100 + i % 7},{i}" for i in range(25_000)]
    candles = read(write(tmp_path, "close,volume", *lines))
    assert candles["volume"].tolist() == list(range(25_000))
    lines[20_123] = "101,x"
    path = write(tmp_path, "close,volume", *lines)
    with pytest.raises(DataFileError, match=re.escape(f"{path}, line 20125: volume is 'x'")):
        read(path)
    lines[20_123] = "0,1"
    path = write(tmp_path, "close,volume", *lines)
    with pytest.raises(DataFileError, match=re.escape(f"{path}, line 20125: close is 0, not positive")):
        read(path)


def test_values_keep_every_digit(tmp_path: Path) -> None:
    digits = ["0.1", "16725.449999999999", "3.0000000000000004", "1e-8", "123456789.987654321"]
    candles = read(write(tmp_path, "close,volume", *(f"{value},1" for value in digits)))
    assert candles["close"].tolist() == [float(value) for value in digits]


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([], " is empty: its first line has to name the columns"),
        ([""], " is empty: its first line has to name the columns"),
        (["close,volume"], " has no candles: add a line for each below the column names"),
        (["close,volume", "", ""], " has no candles"),
        (["open_time;close;volume", "1;2;3"], ", line 1: no column close, volume, which --placement close"),
        (["close", "1"], ", line 1: no column volume, which --placement close needs: add it"),
        (["close,Close ,volume", "1,1,1"], ", line 1: column close is there twice: keep one of them"),
        (["close,volume", "1,2", "3"], ", line 3: 1 values for 2 columns: complete or remove it"),
        (["close,volume", "1,2", "1,2,3"], ", line 3: 3 values for 2 columns: complete or remove it"),
        (["close,volume", "1,2", "", "1,2"], ", line 3: 0 values for 2 columns: complete or remove it"),
        (["close,volume", "1,2", "x,2"], ", line 3: close is 'x', not a number: correct it or remove"),
        (["close,volume", "1,2", "1_0,2"], ", line 3: close is '1_0', not a number"),
        (["close,volume", "1,2", '"1,5",2'], ", line 3: close is '1,5', not a number"),
        (["close,volume", "1,2", "1,"], ", line 3: volume is empty: correct it or remove the line"),
        (["close,volume", "1,2", "nan,2"], ", line 3: close is nan: correct it or remove the line"),
        (["close,volume", "1,2", "1,-inf"], ", line 3: volume is -inf: correct it or remove the line"),
        (["close,volume", "1,2", "1,-2"], ", line 3: volume is -2, negative: correct it or remove the line"),
        (["close,volume", "1,2", "0,2"], ", line 3: close is 0, not positive: correct it or remove"),
        (["close,volume", "1,2", "-1,2"], ", line 3: close is -1, not positive: correct it or remove"),
        (["close,volume", "1,2", '"1"x,2'], ", line 3: not CSV (',' expected after '\"'): check its quotes"),
        (["close,volume", "1,2", '"1,2'], ", line 3: not CSV (unexpected end of data): check its quotes"),
        (
            ["high,low,close,volume", "1,2,1,1"],
            ", line 2: low 2 is above high 1: correct the candle or remove",
        ),
        (["high,low,close,volume", "3,2,4,1"], ", line 2: close 4 is above high 3: correct the candle"),
        (["high,low,close,volume", "3,2,1,1"], ", line 2: close 1 is below low 2: correct the candle"),
        (["open,high,close,volume", "4,3,3,1"], ", line 2: open 4 is above high 3: correct the candle"),
        (["open,low,close,volume", "1,2,3,1"], ", line 2: open 1 is below low 2: correct the candle"),
        (
            ["open_time,close,volume", "2024-01-02,1,1", "2024-01-02,1,1"],
            ", line 3: open_time 2024-01-02 is there twice: keep one of the candles",
        ),
        (
            ["open_time,close,volume", "2024-01-02,1,1", "2024-01-01,1,1"],
            ", line 3: open_time 2024-01-01 is before that of the candle above: sort by it",
        ),
        (
            ["open_time,close,volume", "2024-01-02,1,1", "tomorrow,1,1"],
            ", line 3: open_time is 'tomorrow', neither ISO 8601 nor Unix time: write it as 2024-01-31T13:05",
        ),
        (
            ["open_time,close,volume", "1700000000,1,1", "1700000060000,1,1"],
            ", line 3: open_time 1700000060000 is in milliseconds by its magnitude, the first is in seconds",
        ),
    ],
)
def test_what_is_wrong_is_said_with_its_line(tmp_path: Path, lines: list[str], said: str) -> None:
    path = write(tmp_path, *lines)
    assert refused("profile", path, "--placement", "close").startswith(f"{path}{said}")


def test_lines_are_counted_through_quoted_line_breaks(tmp_path: Path) -> None:
    path = write(tmp_path, "note,close,volume", '"one\ntwo",1,2', "a,x,2")
    with pytest.raises(DataFileError, match=re.escape(f"{path}, line 4: close is 'x'")):
        read(path)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    absent = tmp_path / "absent.csv"
    said = f"cannot read {absent} (No such file or directory): give a file you may read"
    assert refused("profile", absent) == said
    assert refused("profile", tmp_path).startswith(f"cannot read {tmp_path} (Is a directory)")
    latin = tmp_path / "latin.csv"
    latin.write_bytes(b"close,volume\n1,2\n\xe9,2\n")
    zipped = tmp_path / "latin.csv.gz"
    zipped.write_bytes(gzip.compress(latin.read_bytes()))
    assert refused("profile", zipped) == f"{zipped}, line 3: not UTF-8 text: save the file as UTF-8"
    assert refused("profile", latin) == f"{latin}, line 3: not UTF-8 text: save the file as UTF-8"
    plain = tmp_path / "plain.csv.gz"
    plain.write_bytes(b"close,volume\n1,2\n")
    assert refused("profile", plain).startswith(f"{plain} is no complete gzip file")
    whole = write(tmp_path, HEADER, *FOUR_HOURS, name="whole.csv.gz").read_bytes()
    for cut in (len(whole) // 2, len(whole) - 3):
        plain.write_bytes(whole[:cut])
        assert refused("profile", plain).startswith(f"{plain} is no complete gzip file")


def test_a_file_one_may_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(_path: Path, **_: object) -> NoReturn:
        raise PermissionError(13, "Permission denied")

    path = write(tmp_path, HEADER, *FOUR_HOURS)
    monkeypatch.setattr(Path, "open", forbidden)
    assert refused("profile", path) == f"cannot read {path} (Permission denied): give a file you may read"


def test_columns_may_have_the_names_of_archives(tmp_path: Path) -> None:
    path = write(tmp_path, "open_time_ms,close,count,taker_buy_base", "1704067200000,1,2,3")
    candles = read_candles(path, ("open_time", "close"), "this")
    assert candles.columns.tolist() == ["open_time", "close", "trades", "taker_buy_volume"]
    both = write(tmp_path, "close,count,trades", "1,2,3")
    assert read_candles(both, (), "this")["trades"].tolist() == [3]
