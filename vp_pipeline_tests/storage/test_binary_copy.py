import math
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pandas as pd
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vp_pipeline.storage import binary_copy, rows
from vp_pipeline.storage.connection import Connection, transaction
from vp_pipeline.storage.tables import PgType, Table

EVERY_TYPE = Table(
    "every_type",
    {
        "number": "int4",
        "small": "int2",
        "middle": "int4",
        "large": "int8",
        "real": "float8",
        "flag": "bool",
        "word": "text",
        "day": "date",
        "moment": "timestamptz",
    },
    key=("number",),
)
DTYPES = {
    "small": "Int16",
    "middle": "Int32",
    "large": "Int64",
    "real": "float64",
    "flag": "boolean",
    "word": "str",
    "day": "datetime64[s]",
    "moment": "datetime64[us, UTC]",
}
Row = tuple[Any, ...]

SQL_TYPES = ", ".join(f"{name} {kind}" for name, kind in EVERY_TYPE.columns.items())


@pytest.fixture(scope="module")
def connection(database_url: str) -> Iterator[Connection]:
    with transaction(database_url) as connection:
        connection.execute(f"CREATE TEMP TABLE every_type ({SQL_TYPES})")
        yield connection


def typed(given_rows: list[Row]) -> pd.DataFrame:
    columns = list(zip(*given_rows, strict=True)) or [()] * len(DTYPES)
    return pd.DataFrame(
        {
            name: pd.Series(values, dtype=dtype)
            for (name, dtype), values in zip(DTYPES.items(), columns, strict=True)
        }
    ).assign(number=range(len(given_rows)))


def stored(connection: Connection, frame: pd.DataFrame) -> list[Row]:
    connection.execute("TRUNCATE every_type")
    rows.replace(connection, EVERY_TYPE, frame, {})
    return connection.execute(f"SELECT {', '.join(DTYPES)} FROM every_type ORDER BY number").fetchall()


def missing_instead_of_nan(row: Row) -> Row:
    return tuple(None if isinstance(value, float) and math.isnan(value) else value for value in row)


EXTREMES: list[Row] = [
    (None, None, None, None, None, None, None, None),
    (
        *(-(2**15), -(2**31), -(2**63), -math.inf, False, ""),
        *(date(1, 1, 1), datetime(1, 1, 1, tzinfo=UTC)),
    ),
    (
        *(2**15 - 1, 2**31 - 1, 2**63 - 1, math.inf, True, "β ₿ 💹 'quoted'\t\\N\n"),
        *(date(9999, 12, 31), datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)),
    ),
    (0, 0, 0, 5e-324, True, "x" * 10_000, date(2000, 1, 1), datetime(2000, 1, 1, tzinfo=UTC)),
    (-1, -1, -1, 0.1 + 0.2, None, "NULL", date(1999, 12, 31), datetime(1999, 12, 31, 23, 59, tzinfo=UTC)),
    (None, 1, None, 1.797e308, False, None, None, datetime(1970, 1, 1, tzinfo=UTC)),
]


def test_extremes_and_nulls_come_back_as_sent(connection: Connection) -> None:
    assert stored(connection, typed(EXTREMES)) == EXTREMES


def test_negative_zero_keeps_its_sign(connection: Connection) -> None:
    row: Row = (0, 0, 0, -0.0, False, "", date(2026, 1, 1), datetime(2026, 1, 1, tzinfo=UTC))
    assert math.copysign(1, stored(connection, typed([row]))[0][3]) == -1


def test_nothing_is_stored_of_an_empty_frame(connection: Connection) -> None:
    assert stored(connection, typed([])) == []
    assert stored(connection, pd.DataFrame(columns=list(EVERY_TYPE.columns))) == []


# PostgreSQL has no NUL in a text; a lone surrogate is no character.
WORDS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
ROWS = st.tuples(
    st.none() | st.integers(-(2**15), 2**15 - 1),
    st.none() | st.integers(-(2**31), 2**31 - 1),
    st.none() | st.integers(-(2**63), 2**63 - 1),
    st.none() | st.floats(),
    st.none() | st.booleans(),
    st.none() | WORDS,
    st.none() | st.dates(),
    st.none() | st.datetimes(timezones=st.just(UTC)),
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(given_rows=st.lists(ROWS, max_size=8))
def test_any_rows_come_back_as_sent(connection: Connection, given_rows: list[Row]) -> None:
    assert stored(connection, typed(given_rows)) == [missing_instead_of_nan(row) for row in given_rows]


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(given_rows=st.lists(ROWS, max_size=8))
def test_reading_gives_one_dtype_a_type(connection: Connection, given_rows: list[Row]) -> None:
    frame = typed(given_rows)
    stored(connection, frame)
    read = rows.read(connection, EVERY_TYPE, {}, columns=list(DTYPES))
    expected = frame[list(DTYPES)].astype({"small": "Int64", "middle": "Int64"})
    pd.testing.assert_frame_equal(read, expected)


def test_hundred_thousand_rows(connection: Connection) -> None:
    count = 100_000
    numbers = np.arange(count)
    frame = pd.DataFrame(
        {
            "number": numbers,
            "small": numbers % 1000,
            "middle": numbers,
            "large": numbers * 10**12,
            "real": numbers / 7,
            "flag": numbers % 2 == 0,
            "word": pd.Series([f"market {number % 23}" for number in numbers]),
            "day": pd.Timestamp("1900-01-01") + pd.to_timedelta(numbers, unit="D"),
            "moment": pd.Timestamp("2017-01-01", tz="UTC") + pd.to_timedelta(numbers, unit="min"),
        }
    )
    assert count > binary_copy.CHUNK_ROWS
    stored(connection, frame)
    read = rows.read(connection, EVERY_TYPE, {})
    pd.testing.assert_frame_equal(read, frame, check_dtype=False)


WRONG: list[tuple[str, Any, str]] = [
    ("small", 2**15, "every_type.small: 32768 does not fit int2"),
    ("small", -(2**15) - 1, "every_type.small: -32769 does not fit int2"),
    ("middle", 2**31, "every_type.middle: 2147483648 does not fit int4"),
    ("large", 2**63, "every_type.large: 9223372036854775808 is not a whole number of at most 64 bits"),
    ("large", 2**64, "every_type.large: "),
    ("large", 1.5, "every_type.large: 1.5 is not a whole number"),
    ("large", math.inf, "every_type.large: inf is not a whole number"),
    ("large", "many", "every_type.large: "),
    ("flag", 2, "every_type.flag: 2 does not fit bool"),
    ("real", "much", "every_type.real: could not convert string to float: 'much'"),
    ("word", "\ud800", "every_type.word: 'utf-8' codec can't encode"),
    ("moment", pd.Timestamp("2026-01-01"), "every_type.moment: times without a time zone"),
    ("moment", "soon", "every_type.moment: "),
]


@pytest.mark.parametrize(("column", "value", "message"), WRONG)
def test_what_does_not_fit_is_named(column: str, value: Any, message: str) -> None:
    frame = typed([EXTREMES[2]]).assign(**{column: [value]})
    with pytest.raises(ValueError, match=message):
        binary_copy.pack(frame, EVERY_TYPE)


def test_absent_columns_are_named() -> None:
    with pytest.raises(ValueError, match="rows for every_type lack word, day"):
        binary_copy.pack(typed([]).drop(columns=["day", "word"]), EVERY_TYPE)


def test_a_text_with_a_nul_is_refused(connection: Connection) -> None:
    frame = typed([EXTREMES[2]]).assign(word="a\0b")
    with connection.transaction(), pytest.raises(psycopg.DataError, match="0x00"), connection.transaction():
        stored(connection, frame)


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("int2", [1, 2]),
        ("int2", [1.0, 2.0]),
        ("int2", np.array([1, 2], dtype=np.uint8)),
        ("bool", [True, False]),
        ("bool", [1, 0]),
        ("text", pd.Categorical(["a", "b"])),
        ("text", [1, 2]),
        ("date", [date(2026, 1, 1), date(2026, 1, 2)]),
        ("date", pd.to_datetime(["2026-01-01", "2026-01-02"]).as_unit("ns")),
        ("timestamptz", pd.to_datetime(["2026-01-01", "2026-01-02"], utc=True).as_unit("ns")),
        ("timestamptz", pd.to_datetime(["2026-01-01 09:00", "2026-01-02 09:00"]).tz_localize("Asia/Tokyo")),
        ("timestamptz", [datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)]),
    ],
)
def test_every_usual_representation_is_taken(kind: PgType, values: Any) -> None:
    plain: dict[PgType, tuple[Any, str]] = {
        "int2": ([1, 2], "Int64"),
        "bool": ([True, False], "boolean"),
        "text": (["a", "b"] if "a" in list(values) else ["1", "2"], "str"),
        "date": (["2026-01-01", "2026-01-02"], "datetime64[s]"),
        "timestamptz": (["2026-01-01T00:00Z", "2026-01-02T00:00Z"], "datetime64[us, UTC]"),
    }
    table = Table("one", {"value": kind}, key=())
    expected = pd.DataFrame({"value": pd.Series(plain[kind][0], dtype=plain[kind][1])})
    assert binary_copy.pack(pd.DataFrame({"value": values}), table) == binary_copy.pack(expected, table)


def test_header_and_trailer_are_those_of_the_documentation() -> None:
    table = Table("one", {"value": "int2"}, key=())
    packed = binary_copy.pack(pd.DataFrame({"value": [258]}), table)
    assert packed == (
        b"PGCOPY\n\xff\r\n\0"
        + b"\0\0\0\0"  # flags
        + b"\0\0\0\0"  # length of the header's extension
        + b"\0\x01"  # fields of the row
        + b"\0\0\0\x02\x01\x02"  # length and value
        + b"\xff\xff"
    )
