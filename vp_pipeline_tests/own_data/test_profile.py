"""`vp profile`: the published tables, what it prints and writes, and what always holds."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from vp_pipeline.analytics.price_rows import Placement
from vp_pipeline.analytics.value_area import Rule
from vp_pipeline.own_data.profile import Profile, default_row_size, make
from vp_pipeline_tests.own_data.candle_files import FOUR_HOURS, HEADER, refused, run, write

RULES: tuple[Rule, ...] = ("two-row", "one-row", "both-sides")
PLACEMENTS: tuple[Placement, ...] = ("close", "midpoint", "touched", "uniform")

# The examples share one folder; each writes its files anew.
FEW = settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])

candle = st.tuples(st.integers(100, 3000), st.integers(0, 90), st.integers(0, 90), st.integers(0, 10**6)).map(
    lambda c: (c[0] / 8, (c[0] + c[1] + c[2]) / 8, (c[0] + c[1]) / 8, c[3] / 1000)
)
candle_lists = st.lists(candle, min_size=1, max_size=12).filter(lambda many: any(c[3] > 0 for c in many))
row_sizes = st.sampled_from([0.1, 0.25, 1.0, 5.0])


def found(*arguments: object) -> dict[str, Any]:
    result = run("profile", *arguments, "--json")
    assert result.exit_code == 0, result.stderr
    assert result.stderr == ""
    document: dict[str, Any] = json.loads(result.stdout)
    return document


def table(folder: Path) -> Path:
    volumes = (10, 15, 20, 60, 70, 150, 90, 80, 50, 10)
    return write(folder, "close,volume", *(f"{101 + i},{volume}" for i, volume in enumerate(volumes)))


def of_candles(folder: Path, candles: list[tuple[float, ...]], name: str = "some.csv") -> Path:
    lines = [",".join(map(repr, numbers)) for numbers in candles]
    return write(folder, "low,high,close,volume", *lines, name=name)


def test_the_small_published_example(tmp_path: Path) -> None:
    closes, volumes = (100, 101, 100, 102, 101, 100), (120, 80, 100, 50, 90, 70)
    lines = [f"{close},{volume}" for close, volume in zip(closes, volumes, strict=True)]
    document = found(write(tmp_path, "close,volume", *lines), "--row", 1, "--placement", "close")
    assert document["rows"] == [
        {"price": 100, "volume": 290},
        {"price": 101, "volume": 170},
        {"price": 102, "volume": 50},
    ]
    assert (document["poc"], document["total_volume"], document["row_size"]) == (100, 510, 1)


@pytest.mark.parametrize(
    ("rule", "val", "vah"), [("one-row", 105, 108), ("two-row", 104, 108), ("both-sides", 104, 108)]
)
def test_the_published_table_of_each_rule(tmp_path: Path, rule: Rule, val: float, vah: float) -> None:
    document = found(table(tmp_path), "--row", 1, "--placement", "close", "--value-area", rule)
    assert (document["poc"], document["val"], document["vah"]) == (106, val, vah)
    assert document["total_volume"] == 555


def test_the_keys_of_the_json(tmp_path: Path) -> None:
    document = found(write(tmp_path, HEADER, *FOUR_HOURS))
    keys = {"poc", "vah", "val", "total_volume", "row_size", "rows", "nodes"}
    assert set(document) == keys
    assert set(document["nodes"]) == {"high", "low"}
    for node in document["nodes"]["high"]:
        assert set(node) == {"price", "prominence", "width", "share"}
    assert document["nodes"]["high"]


def test_rows_are_dense_from_the_first_to_the_last_with_volume(tmp_path: Path) -> None:
    lines = ["100,0", "103,5", "106,5", "110,0"]
    document = found(write(tmp_path, "close,volume", *lines), "--row", 1, "--placement", "close")
    assert [row["price"] for row in document["rows"]] == [103, 104, 105, 106]
    assert [row["volume"] for row in document["rows"]] == [5, 0, 0, 5]


def test_two_humps_are_two_high_nodes_with_a_low_one_between(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    closes = np.concatenate((rng.normal(100, 1, 600), rng.normal(120, 1, 400)))
    path = write(tmp_path, "close,volume", *(f"{close!r},1" for close in closes.tolist()))
    document = found(path, "--placement", "close")
    high, low = document["nodes"]["high"], document["nodes"]["low"]
    assert [node["price"] for node in high] == pytest.approx([100, 120], abs=0.5)
    assert [node["prominence"] for node in high] == pytest.approx([1, 2 / 3], abs=0.1)
    assert len(low) == 1
    assert 103 < low[0]["price"] < 117
    assert "\nbandwidth 1.0" in run("profile", path, "--placement", "close").stdout


def test_one_price_is_a_profile_without_nodes(tmp_path: Path) -> None:
    path = write(tmp_path, HEADER, "2024-01-01,50000,50000,50000,50000,3", "2024-01-02,5e4,5e4,5e4,5e4,4")
    document = found(path)
    assert document == {
        "poc": 50000,
        "vah": 50000,
        "val": 50000,
        "total_volume": 7,
        "row_size": 5,
        "rows": [{"price": 50000, "volume": 7}],
        "nodes": {"high": [], "low": []},
    }
    assert "no nodes: all volume is in one row" in run("profile", path).stdout
    result = run("profile", path, "--html", tmp_path / "page.html")
    assert result.exit_code == 0


@pytest.mark.parametrize(
    ("low", "high", "size"),
    [
        (100, 200, 1),
        (100, 200.5, 2),
        (100, 300, 2),
        (100, 301, 5),
        (100, 600, 5),
        (100, 601, 10),
        (1, 1.1, 0.001),
        (0.1, 0.4, 0.005),
        (89000, 109000, 200),
        (100, 100, 0.01),
        (60000, 60000, 10),
        (1e-8, 2e-8, 1e-10),
    ],
)
def test_the_row_size_follows_the_price_range(low: float, high: float, size: float) -> None:
    assert default_row_size(pd.DataFrame({"low": [low], "high": [high]}), ("low", "high")) == size


def test_the_default_row_size_is_said(tmp_path: Path) -> None:
    output = run("profile", write(tmp_path, HEADER, *FOUR_HOURS)).stdout
    assert "rows of 0.1 (from the price range), volume placed by uniform" in output
    assert "4 candles, opened 2024-01-01 00:00 to 2024-01-01 03:00 UTC" in output


def test_the_table_for_the_terminal(tmp_path: Path) -> None:
    output = run("profile", table(tmp_path), "--row", 1, "--placement", "close").stdout
    lines = [line.split() for line in output.splitlines()]
    assert ["POC", "106"] in lines
    assert ["VAH", "108"] in lines
    assert ["VAL", "104"] in lines
    assert ["total", "volume", "555"] in lines
    assert ["106", "150.00", "POC", "#" * 40] in lines
    assert ["108", "80.00", "VAH", "#" * 21] in lines
    prices = [int(line[0]) for line in lines if line and line[0].isdigit() and len(line) >= 3]
    assert prices == list(range(110, 100, -1))


def test_many_rows_are_joined_in_the_sketch(tmp_path: Path) -> None:
    path = write(tmp_path, "close,volume", *(f"{100 + i},{i + 1}" for i in range(100)))
    output = run("profile", path, "--row", 1, "--placement", "close").stdout
    assert "4 rows a line" in output
    assert len(output.splitlines()) < 50


def test_close_and_volume_alone_need_placement_close(tmp_path: Path) -> None:
    path = table(tmp_path)
    for chosen in ((), ("--placement", "uniform")):
        assert refused("profile", path, *chosen) == (
            f"{path}, line 1: no column low, high, which --placement uniform needs:"
            " with close and volume alone use --placement close"
        )
    for placement in ("midpoint", "touched"):
        assert "no column low, high, which" in refused("profile", path, "--placement", placement)


def test_what_the_file_cannot_give(tmp_path: Path) -> None:
    still = write(tmp_path, "close,volume", "100,0", "101,0")
    said = refused("profile", still, "--placement", "close")
    assert said == f"{still}: the profile has no volume: give candles with volume"
    wide = write(tmp_path, HEADER, *FOUR_HOURS)
    said = refused("profile", wide, "--row", "1e-6")
    assert "more than 5,000,000: choose a larger row size (--row)" in said
    out = tmp_path / "absent" / "page.html"
    assert refused("profile", wide, "--html", out).startswith(f"cannot write {out} (No such file")


def test_a_page_stays_whole_if_the_new_one_cannot_be_written(tmp_path: Path) -> None:
    path, page = write(tmp_path, HEADER, *FOUR_HOURS), tmp_path / "page.html"
    page.write_text("as it was")
    (tmp_path / "page.html.part").mkdir()
    assert refused("profile", path, "--html", page).startswith(f"cannot write {page} (Is a directory")
    assert page.read_text() == "as it was"


def test_a_page_may_go_to_a_device(tmp_path: Path) -> None:
    result = run("profile", write(tmp_path, HEADER, *FOUR_HOURS), "--html", "/dev/null")
    assert (result.exit_code, result.output) == (0, "wrote /dev/null\n")
    assert not Path("/dev/null").is_file()


@pytest.mark.parametrize(
    "options",
    [
        ("--row", "0"),
        ("--row", "-1"),
        ("--row", "nan"),
        ("--row", "inf"),
        ("--row", "x"),
        ("--share", "0"),
        ("--share", "1.01"),
        ("--share", "nan"),
        ("--placement", "open"),
        ("--value-area", "three-row"),
        ("--json", "--html", "page.html"),
        ("more.csv",),
        ("--unknown",),
    ],
)
def test_wrong_options_are_usage_errors(tmp_path: Path, options: tuple[str, ...]) -> None:
    result = run("profile", table(tmp_path), *options)
    assert result.exit_code == 2
    assert "Error: " in result.stderr


def test_the_page_holds_everything_and_loads_nothing(tmp_path: Path) -> None:
    out = tmp_path / "page.html"
    result = run("profile", write(tmp_path, HEADER, *FOUR_HOURS), "--html", out)
    assert (result.exit_code, result.stdout) == (0, f"wrote {out}\n")
    page = out.read_text(encoding="utf-8")
    assert 'draw("figure-1"' in page
    assert "Plotly.newPlot" in page
    assert len(page) > 1_000_000
    assert "<script src" not in page
    assert "vp:include" not in page


def test_a_page_without_candles_is_a_table(tmp_path: Path) -> None:
    out = tmp_path / "page.html"
    assert run("profile", table(tmp_path), "--placement", "close", "--html", out).exit_code == 0
    page = out.read_text(encoding="utf-8")
    assert "No candles are drawn: that needs open_time, open, high, low and close." in page
    assert "draw(" not in page.split("<body>")[1]


@FEW
@given(candle_lists, row_sizes, st.sampled_from(PLACEMENTS))
def test_no_volume_is_lost(
    tmp_path: Path, candles: list[tuple[float, ...]], size: float, placement: Placement
) -> None:
    document = make(of_candles(tmp_path, candles), size, placement, "two-row", 0.7).document()
    given_volume = sum(numbers[3] for numbers in candles)
    assert document["total_volume"] == pytest.approx(given_volume, rel=1e-12)
    rows = document["rows"]
    assert isinstance(rows, list)
    assert sum(row["volume"] for row in rows) == pytest.approx(given_volume, rel=1e-12)


@FEW
@given(candle_lists, candle_lists, row_sizes, st.sampled_from(PLACEMENTS))
@example(
    first=[(139.125, 161.625, 150.375, 0.0), (157.75, 160.75, 157.75, 0.001)],
    second=[(160.75, 161.5, 160.75, 0.002)],
    size=0.1,
    placement="touched",
)
@example(
    first=[(105.5, 106.0, 106.0, 0.001), (106.75, 107.0, 106.75, 0.0)],
    second=[(105.375, 106.125, 105.375, 0.001)],
    size=0.1,
    placement="uniform",
)
def test_profiles_of_the_parts_add_up_to_that_of_the_whole(
    tmp_path: Path,
    first: list[tuple[float, ...]],
    second: list[tuple[float, ...]],
    size: float,
    placement: Placement,
) -> None:
    def profile(candles: list[tuple[float, ...]]) -> Profile:
        return make(of_candles(tmp_path, candles), size, placement, "two-row", 0.7)

    whole, parts = profile(first + second).rows, profile(first).rows + profile(second).rows
    assert parts.first_row == whole.first_row
    assert parts.volume == pytest.approx(whole.volume, rel=1e-12, abs=1e-9 * whole.total)


@FEW
@given(
    candle_lists,
    row_sizes,
    st.sampled_from(PLACEMENTS),
    st.sampled_from(RULES),
    st.lists(st.floats(0.01, 1), min_size=2, max_size=5),
)
def test_the_value_area_grows_with_the_share(
    tmp_path: Path,
    candles: list[tuple[float, ...]],
    size: float,
    placement: Placement,
    rule: Rule,
    shares: list[float],
) -> None:
    path = of_candles(tmp_path, candles)
    areas = [make(path, size, placement, rule, share).area for share in sorted(shares)]
    assert [area.val for area in areas] == sorted((area.val for area in areas), reverse=True)
    assert [area.vah for area in areas] == sorted(area.vah for area in areas)
    assert len({area.poc for area in areas}) == 1


def test_a_recorded_month(recorded_data: Path) -> None:
    path = recorded_data / "usdm_1m_12col_2023-02" / "LINKUSDT.csv.gz"
    document = found(path)
    volume = pd.read_csv(path)["volume"].sum()
    assert document["total_volume"] == pytest.approx(volume, rel=1e-12)
    assert document["val"] <= document["poc"] <= document["vah"]
    assert 40 <= len(document["rows"]) <= 101
    assert len(document["nodes"]["low"]) == len(document["nodes"]["high"]) - 1
