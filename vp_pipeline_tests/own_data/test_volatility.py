"""`vp volatility`: what it prints, and that it reads what each estimator needs."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from vp_pipeline.analytics.volatility import ESTIMATORS, rolling_volatility
from vp_pipeline_tests.own_data.candle_files import FOUR_HOURS, HEADER, refused, run, write

NAMES = tuple(ESTIMATORS)


def options(name: str, window: int = 2, periods: float = 8760) -> tuple[object, ...]:
    return ("--estimator", name, "--window", window, "--periods-per-year", periods)


def found(path: Path, *given: object) -> dict[str, Any]:
    result = run("volatility", path, *given, "--json")
    assert result.exit_code == 0, result.stderr
    document: dict[str, Any] = json.loads(result.stdout)
    return document


@pytest.mark.parametrize("name", NAMES)
def test_the_json_has_a_value_for_each_line(tmp_path: Path, name: str) -> None:
    document = found(write(tmp_path, HEADER, *FOUR_HOURS), *options(name))
    assert list(document) == ["estimator", "window", "values"]
    assert (document["estimator"], document["window"]) == (name, 2)
    first = 2 if ESTIMATORS[name].previous else 1
    assert document["values"][:first] == [None] * first
    bars = pd.DataFrame(
        [line.split(",")[1:] for line in FOUR_HOURS], columns=HEADER.split(",")[1:], dtype=float
    )
    expected = rolling_volatility(bars, name, 2, 8760).values
    assert document["values"][first:] == pytest.approx(expected[first:], rel=1e-12)


def test_a_year_has_365_bars_if_nothing_else_is_said(tmp_path: Path) -> None:
    path = write(tmp_path, HEADER, *FOUR_HOURS)
    assert found(path, *options("parkinson")[:4]) == found(path, *options("parkinson", periods=365))


def test_the_options_offer_every_estimator() -> None:
    output = run("volatility", "--help").stdout
    assert "|".join(NAMES) in "".join(output.split())


def test_closes_alone_are_bars_in_the_files_order(tmp_path: Path) -> None:
    path = write(tmp_path, "close", "1", "2", "1")
    values = found(path, *options("close-to-close", periods=1))["values"]
    assert values == [None, None, pytest.approx(math.sqrt(2) * math.log(2))]
    output = run("volatility", path, *options("close-to-close", periods=1)).stdout
    assert "3 bars without times, in the file's order\nfilled bars: 0, gaps in time: 0" in output
    assert "3    98.03%" in output


@pytest.mark.parametrize("name", NAMES)
def test_filled_and_missing_bars_are_no_observations(tmp_path: Path, name: str) -> None:
    hours = pd.date_range("2024-01-01", periods=12, freq="h")
    rng = np.random.default_rng(4)
    lines, close = [], 100.0
    for hour in hours:
        path = close * np.exp(rng.normal(0, 0.01, 5).cumsum())
        lines.append(f"{hour},{path[0]},{path.max()},{path.min()},{path[-1]},1")
        close = float(path[-1])
    last = lines[5].split(",")[4]
    filled = [*lines[:6], f"{hours[6]},{last},{last},{last},{last},0", *lines[7:]]
    with_it = found(write(tmp_path, HEADER, *filled), *options(name, 3))["values"]
    without = found(write(tmp_path, HEADER, *lines[:6], *lines[7:]), *options(name, 3))["values"]
    assert with_it[:6] + with_it[7:] == without
    assert with_it[6] == with_it[5]
    output = run("volatility", write(tmp_path, HEADER, *filled), *options(name, 3)).stdout
    assert "12 1-hour bars\nfilled bars: 1, gaps in time: 0" in output
    output = run("volatility", write(tmp_path, HEADER, *lines[:6], *lines[7:]), *options(name, 3)).stdout
    assert "11 1-hour bars\nfilled bars: 0, gaps in time: 1" in output


def test_a_window_longer_than_the_file_has_no_value(tmp_path: Path) -> None:
    path = write(tmp_path, HEADER, *FOUR_HOURS)
    assert found(path, *options("parkinson", 5))["values"] == [None] * 4
    output = run("volatility", path, *options("parkinson", 5)).stdout
    assert "no value: the file has fewer observations than a window" in output


def test_one_bar_is_enough_where_none_before_is_needed(tmp_path: Path) -> None:
    path = write(tmp_path, HEADER, FOUR_HOURS[0])
    assert found(path, *options("parkinson", 1, 1))["values"] == [
        pytest.approx(math.log(104 / 99) / math.sqrt(4 * math.log(2)))
    ]


@pytest.mark.parametrize(
    ("name", "missing"),
    [("parkinson", "high, low"), ("yang-zhang", "open, high, low"), ("close-to-close", "")],
)
def test_missing_columns_are_named(tmp_path: Path, name: str, missing: str) -> None:
    path = write(tmp_path, "close,volume", "1,2", "2,2")
    if missing:
        said = f"{path}, line 1: no column {missing}, which --estimator {name} needs: add it or rename one"
        assert refused("volatility", path, *options(name)) == said
    else:
        assert run("volatility", path, *options(name)).exit_code == 0


@pytest.mark.parametrize(
    "given",
    [
        options("close"),
        options("parkinson", 0),
        options("close-to-close", 1),
        options("yang-zhang", 1),
        options("parkinson", 2, 0),
        options("parkinson", 2, math.nan),
        options("parkinson")[:2],
        options("parkinson")[2:],
    ],
)
def test_wrong_options_are_usage_errors(tmp_path: Path, given: tuple[object, ...]) -> None:
    result = run("volatility", write(tmp_path, HEADER, *FOUR_HOURS), *given)
    assert result.exit_code == 2
    assert "Error: " in result.stderr
