"""Every way a file of returns or prices can be wrong is one sentence: file, line, remedy."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vp_pipeline.own_data.errors import DataFileError
from vp_pipeline.own_data.prices_file import read_closes
from vp_pipeline.own_data.returns_file import read_returns
from vp_pipeline.own_data.table_file import read_table


def written(folder: Path, text: str | bytes) -> Path:
    path = folder / "own.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_a_file_as_spreadsheets_and_pandas_write_it(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        '\ufeffDate, "fund, net",x \r\n2024-01-01,0.01,-0.5\r\n\r\n2024-01-02T12:00+02:00, 1e-2,.25\r\n',
    )
    returns = read_returns(path)
    assert returns.to_dict("list") == {"fund, net": [0.01, 0.01], "x": [-0.5, 0.25]}
    assert list(returns.index) == [pd.Timestamp("2024-01-01", tz="UTC"), pd.Timestamp("2024-01-02 10:00Z")]


def test_an_index_without_a_name_is_the_dates(tmp_path: Path) -> None:
    frame = pd.DataFrame({"a": [0.1, 0.2]}, pd.date_range("2024-01-01", periods=2, tz="UTC"))
    path = tmp_path / "own.csv"
    frame.to_csv(path)
    assert read_returns(path).equals(frame)


ROWS = "2024-01-01,0.01\n2024-01-02,0.02\n"
WRONG = {
    "empty": ("", None, "is empty"),
    "no rows": ("date,a\n", None, "has no rows"),
    "one row": ("date,a\n2024-01-01,0.1\n", None, "has one row"),
    "semicolons": ("date;a\n2024-01-01;0.1\n", 1, "commas"),
    "no date": ("when,a\n" + ROWS, 1, "no column 'date'"),
    "two dates": ("date,time\n" + ROWS, 1, "may both be the dates"),
    "a column twice": ("date,a,a\n2024-01-01,0,0\n", 1, "'a' is there twice"),
    "a column without a name": ("date,a,\n2024-01-01,0,0\n", 1, "column 3 has no name"),
    "a cell too few": ("date,a\n2024-01-01,0.1\n2024-01-02\n", 3, "1 cells under 2 column names"),
    "a cell too many": ("date,a\n2024-01-01,0,01\n", 2, "3 cells under 2"),
    "an open quote": ('date,a\n2024-01-01,"0.1\n', 2, "check its quotes"),
    "missing date": ("date,a\n,0.1\n", 2, "the date is missing"),
    "not a date": ("date,a\n01/02/2024,0.1\n", 2, "write it as 2024-01-31"),
    "no such day": ("date,a\n2024-02-30,0.1\n", 2, "'2024-02-30' is not a date"),
    "a date twice": ("date,a\n2024-01-01,0.1\n2024-01-01,0.1\n", 3, "twice: keep one"),
    "unsorted": ("date,a\n2024-01-02,0.1\n2024-01-01,0.1\n", 3, "sort the rows"),
    "not a number": ("date,a\n2024-01-01,0.1\n\n2024-01-02,abc\n", 4, "a is 'abc', not a number"),
    "underscores": ("date,a\n2024-01-01,1_0\n" + ROWS[16:], 2, "not a number"),
    "an empty cell": ("date,a\n2024-01-01,0\n2024-01-02,\n2024-01-03,0.1\n", 3, "a is empty"),
    "nan": ("date,a\n2024-01-01,0\n2024-01-02,nan\n2024-01-03,0\n", 3, "a is empty"),
    "infinite": ("date,a\n2024-01-01,0.1\n2024-01-02,-inf\n", 3, "'-inf', not a number"),
    "a percent sign": ("date,a\n2024-01-01,0.1\n2024-01-02,1.5%\n", 3, "write it as a fraction"),
    "percent": ("date,a\n2024-01-01,0.1\n2024-01-02,1.5\n2024-01-03,-2\n", 3, "divide them by 100"),
    "all is lost": ("date,a\n2024-01-01,0.1\n2024-01-02,-1.1\n2024-01-03,0\n", 3, "-0.01 for -1 %"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_with_returns_is_said_with_its_line(tmp_path: Path, case: str) -> None:
    text, line, said = WRONG[case]
    path = written(tmp_path, text)
    with pytest.raises(DataFileError, match=re.escape(said)) as refused:
        read_returns(path)
    message = refused.value.message
    assert message.startswith(f"{path}, line {line}: " if line else f"{path} ")
    assert "\n" not in message


def test_what_is_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataFileError, match="line 2: not UTF-8 text"):
        read_returns(written(tmp_path, b"date,a\n2024-01-01,\xff\n"))
    with pytest.raises(DataFileError, match=r"cannot read .*nowhere\.csv \(No such file"):
        read_returns(tmp_path / "nowhere.csv")
    with pytest.raises(DataFileError, match=r"cannot read .* \(Is a directory\)"):
        read_returns(tmp_path)


def test_a_few_large_returns_are_not_percent(tmp_path: Path) -> None:
    path = written(tmp_path, "date,a\n2024-01-01,1.5\n2024-01-02,0.01\n2024-01-03,-0.02\n")
    assert read_returns(path)["a"].max() == 1.5


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(st.text(max_size=60).map(str.encode), st.binary(max_size=60)), st.booleans())
def test_whatever_the_bytes_it_is_a_table_or_a_sentence(tmp_path: Path, body: bytes, headed: bool) -> None:
    path = written(tmp_path, b"date,a\n2024-01-01,0.1\n" * headed + body)
    refusals: list[str] = []
    for read in (read_returns, read_closes):
        try:
            table = read(path)
        except DataFileError as error:
            refusals.append(error.message)
        else:
            assert table.index.is_monotonic_increasing
    assert all(str(path) in message for message in refusals)


def test_closes_may_be_missing_before_a_listing_and_after_a_delisting(tmp_path: Path) -> None:
    path = written(tmp_path, "date,A,B\n2024-01-01,,5\n2024-01-02,1,6\n2024-01-03,2,NaN\n2024-01-04,3,\n")
    closes = read_closes(path)
    assert closes["A"].tolist()[1:] == [1, 2, 3]
    assert np.isnan(closes["A"].iloc[0])
    assert closes["B"].notna().tolist() == [True, True, False, False]


WRONG_PRICES = {
    "a gap": ("date,A,B\n2024-01-01,1,1\n2024-01-02,,1\n2024-01-03,1,1\n", 3, "A has no close"),
    "zero": ("date,A\n2024-01-01,1\n2024-01-02,0\n2024-01-03,1\n", 3, "a price is above 0"),
    "not a price": ("date,A\n2024-01-01,1\n2024-01-02,n/a\n2024-01-03,1\n", 3, "not a price"),
    "infinite": ("date,A\n2024-01-01,1\n2024-01-02,inf\n2024-01-03,1\n", 3, "not a price"),
    "one close": (
        "date,A,B\n2024-01-01,1,\n2024-01-02,1,2\n2024-01-03,1,\n",
        1,
        "B has fewer than two closes",
    ),
    "two rows": ("date,A\n2024-01-01,1\n2024-01-02,2\n", None, "has 2 rows"),
}


@pytest.mark.parametrize("case", WRONG_PRICES)
def test_what_is_wrong_with_prices_is_said_with_its_line(tmp_path: Path, case: str) -> None:
    text, line, said = WRONG_PRICES[case]
    path = written(tmp_path, text)
    with pytest.raises(DataFileError, match=re.escape(said)) as refused:
        read_closes(path)
    assert refused.value.message.startswith(f"{path}, line {line}: " if line else f"{path} ")


def test_what_the_platforms_own_files_say_of_themselves_is_passed_over(tmp_path: Path) -> None:
    file = tmp_path / "returns.csv"
    file.write_text("date,a,source\n2024-01-01,0.1,SIMULATED DATA\n2024-01-02,0.2,SIMULATED DATA\n")
    assert list(read_table(file).columns) == ["a"]
