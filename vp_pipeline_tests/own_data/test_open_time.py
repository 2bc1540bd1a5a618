import pandas as pd
import pytest

from vp_pipeline.own_data.open_time import WrongTimeError, parse

NEW_YEAR = pd.Timestamp("2024-01-01", tz="UTC")


@pytest.mark.parametrize(
    "text",
    [
        "2024-01-01",
        "2024-01-01T00:00:00",
        "2024-01-01 00:00:00Z",
        "2024-01-01T01:00:00+01:00",
        "2023-12-31 19:00-05:00",
        "2024-01-01T00:00:00.000000Z",
        "1704067200",
        "1704067200.0",
        "1704067200000",
        "1704067200000000",
        "1.7040672e12",
    ],
)
def test_ways_to_write_one_instant(text: str) -> None:
    times = parse([text])
    assert times[0] == NEW_YEAR
    assert (str(times.dtype), times.unit) == ("datetime64[us, UTC]", "us")


def test_parts_of_a_second_are_kept() -> None:
    assert parse(["1704067200.5"])[0] == NEW_YEAR + pd.Timedelta(milliseconds=500)
    assert parse(["1704067200123456"])[0] == NEW_YEAR + pd.Timedelta(microseconds=123_456)
    assert parse(["2024-01-01T00:00:00.25Z"])[0] == NEW_YEAR + pd.Timedelta(milliseconds=250)


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("0", "s"),
        ("99999999999", "s"),
        ("100000000000", "ms"),
        ("99999999999999", "ms"),
        ("100000000000000", "us"),
    ],
)
def test_the_magnitude_tells_the_unit(text: str, unit: str) -> None:
    assert parse([text])[0] == pd.Timestamp(int(text), unit=unit, tz="UTC")


def test_offsets_may_change_within_a_file() -> None:
    times = parse(["2024-03-31T01:00:00+01:00", "2024-03-31T03:00:00+02:00", "2024-03-31T02:00:00"])
    assert [time.hour for time in times] == [0, 1, 2]


@pytest.mark.parametrize(
    ("texts", "row", "said"),
    [
        (["2024-01-01", "01/02/2024"], 1, "'01/02/2024', neither ISO 8601 nor Unix time"),
        (["2024-13-01"], 0, "neither ISO 8601 nor Unix time"),
        (["today"], 0, "neither ISO 8601 nor Unix time"),
        (["now"], 0, "neither ISO 8601 nor Unix time"),
        (["NaT"], 0, "neither ISO 8601 nor Unix time"),
        (["nan"], 0, "neither ISO 8601 nor Unix time"),
        (["2024-01-01", ""], 1, "'', neither ISO 8601 nor Unix time"),
        (["2024-01-01", "1704067200"], 1, "neither ISO 8601 nor Unix time"),
        (["1704067200", "2024-01-02"], 1, "'2024-01-02', not Unix time as above: write all in one way"),
        (
            ["1704067200", "1704067260000000"],
            1,
            "is in microseconds by its magnitude, the first is in seconds",
        ),
        (["20240101"], 0, "20240101 looks like a date: write it as 2024-01-31"),
        (["-1"], 0, "is no Unix time in seconds, milliseconds or microseconds"),
        (["1704067200000000000"], 0, "is no Unix time in seconds, milliseconds or microseconds"),
    ],
)
def test_times_that_cannot_be_read(texts: list[str], row: int, said: str) -> None:
    with pytest.raises(WrongTimeError) as wrong:
        parse(texts)
    assert wrong.value.row == row
    assert said in wrong.value.said
