"""`vp profile` on what other tools' published tests feed to theirs, as far as their conventions are ours.

Ours: row k of size s is [k s, (k + 1) s) on a grid aligned at 0, named by its low edge; empty rows count.
"""

from pathlib import Path

import pytest

from vp_pipeline_tests.own_data.candle_files import refused, write
from vp_pipeline_tests.own_data.test_profile import found

CLOSE = ("--placement", "close", "--row", 1)


def closes(folder: Path, *volumes: float, first: int = 100) -> Path:
    return write(folder, "close,volume", *(f"{first + i},{volume!r}" for i, volume in enumerate(volumes)))


def candles(folder: Path, *lines: tuple[float, float, float]) -> Path:
    return write(folder, "low,high,volume", *(",".join(map(repr, line)) for line in lines))


def rows(document: dict[str, object]) -> dict[float, float]:
    listed = document["rows"]
    assert isinstance(listed, list)
    return {row["price"]: row["volume"] for row in listed}


@pytest.mark.parametrize(
    ("volumes", "poc"),
    [
        ([1, 4, 2, 3], 101),
        ([5140.120268270001, 369.19812357999984], 100),
        ([7], 100),
        ([5, 1, 5, 1, 1], 102),  # nearest the middle of the profile
        ([3, 1, 1, 3], 100),  # as near: the lower one
        ([4, 4, 4], 101),
    ],
)
def test_the_point_of_control_and_its_ties(tmp_path: Path, volumes: list[float], poc: float) -> None:
    assert found(closes(tmp_path, *volumes), *CLOSE)["poc"] == poc


def test_a_rising_profile(tmp_path: Path) -> None:
    document = found(closes(tmp_path, 10, 20, 30, 40, 50, 60), *CLOSE)
    assert (document["poc"], document["vah"], document["total_volume"]) == (105, 105, 210)
    assert document["val"] == 103  # 60, and the two below: 150 of 147


@pytest.mark.parametrize(
    ("rule", "val", "vah"), [("one-row", 101, 102), ("two-row", 101, 102), ("both-sides", 100, 102)]
)
def test_ties_go_up(tmp_path: Path, rule: str, val: float, vah: float) -> None:
    document = found(closes(tmp_path, 2, 6, 2, 0, 0), *CLOSE, "--value-area", rule, "--share", 0.8)
    assert (document["val"], document["vah"]) == (val, vah)


def test_a_share_is_reached_not_passed(tmp_path: Path) -> None:
    # 0.7 * 10 is 7.000000000000001 in floating point when summed from parts of 0.1.
    path = closes(tmp_path, 0.1, 0.2, 0.7)
    assert found(path, *CLOSE, "--share", 0.7)["val"] == 102
    assert found(path, *CLOSE, "--share", 1)["val"] == 100
    assert found(path, *CLOSE, "--share", 1e-9)["val"] == 102


def test_a_candle_over_whole_rows_fills_those_and_no_more(tmp_path: Path) -> None:
    document = found(candles(tmp_path, (10, 10, 100), (10, 14, 80)), "--row", 1)
    assert rows(document) == {10: 120, 11: 20, 12: 20, 13: 20}
    assert document["poc"] == 10


def test_one_candle(tmp_path: Path) -> None:
    document = found(candles(tmp_path, (100, 110, 50)), "--row", 5)
    assert rows(document) == {100: 25, 105: 25}
    assert (document["poc"], document["val"], document["vah"]) == (100, 100, 105)


def test_a_candle_of_one_price_and_one_without_volume(tmp_path: Path) -> None:
    document = found(candles(tmp_path, (50, 50, 10), (50, 50, 20), (40, 90, 0)), "--row", 1)
    assert rows(document) == {50: 30}
    assert document["poc"] == document["vah"] == document["val"] == 50


@pytest.mark.parametrize("placement", ["close", "midpoint", "touched", "uniform"])
@pytest.mark.parametrize("size", [0.01, 0.05, 0.1, 0.25])
def test_prices_on_the_edges_of_small_ticks(tmp_path: Path, placement: str, size: float) -> None:
    ticks = range(92_700, 92_760)
    lines = [",".join([repr(tick * size)] * 3 + ["1"]) for tick in ticks]
    path = write(tmp_path, "low,high,close,volume", *lines)
    document = found(path, "--row", size, "--placement", placement)
    assert rows(document) == {round(tick * size, 2): 1 for tick in ticks}


def test_closed_row_names_of_another_tool_differ_by_one_row(tmp_path: Path) -> None:
    """py-market-profile and LEAN name a row by its upper edge: there 944.49 is 944.50."""
    document = found(
        write(tmp_path, "close,volume", "944.49,377316", "944.2,117561"),
        "--placement",
        "close",
        "--row",
        0.05,
    )
    assert document["poc"] == 944.45
    assert next(iter(rows(document))) == 944.2


def test_trades(tmp_path: Path) -> None:
    path = write(
        tmp_path, "timestamp,ID,side,Price,Amount", "2,b,buy,101.5,3", "1,a,sell,100,1", "1,c,buy,101,1"
    )
    document = found(path, "--placement", "trades", "--row", 1)
    assert rows(document) == {100: 1, 101: 4}
    assert document["poc"] == 101


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (("price,amount", "100,1", "101,nan"), "line 3: amount is 'nan', not a number from 0 on"),
        (("price,amount", "0,1"), "line 2: price is '0', not a positive number"),
        (("price,amount", "100,-1"), "line 2: amount is '-1', not a number from 0 on"),
        (("price,amount", "100,"), "line 2: amount is empty"),
        (("price,amount", "100"), "line 2: 1 values for 2 columns"),
        (("price,amount,id", "100,1,7", "100,1,7"), "line 3: trade 7 is in line 2 too"),
        (("close,amount", "100,1"), "line 1: no column price, which --placement trades needs"),
        (("price,cost", "100,1"), "line 1: no column volume or amount or quantity"),
        (("price,volume,amount", "100,1,1"), "line 1: columns volume and amount may be meant"),
        (("price,amount",), "has no trades"),
        ((), "is empty"),
    ],
)
def test_trades_that_cannot_be(tmp_path: Path, lines: tuple[str, ...], said: str) -> None:
    path = write(tmp_path, *lines)
    assert said in refused("profile", path, "--placement", "trades")


def test_the_recorded_trades(recorded_data: Path) -> None:
    path = recorded_data / "kraken_trades_2023-11-17_19" / "trades.csv.gz"
    document = found(path, "--placement", "trades", "--row", 10)
    assert document["row_size"] == 10
    assert document["val"] < document["poc"] < document["vah"]
