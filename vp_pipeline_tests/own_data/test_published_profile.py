"""`vp profile --nodes document`: the first document's code beside ours."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import signal, stats

from vp_pipeline_tests.own_data.candle_files import refused, run, write


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A day of minutes that goes from one price to another and back, with times and all prices."""
    rng = np.random.default_rng(3)
    close = 20_000 + 300 * np.sin(np.linspace(0, 9, 1440)) + rng.normal(0, 40, 1440)
    frame = pd.DataFrame({"open_time": pd.date_range("2022-09-16", periods=1440, freq="min"), "open": close})
    frame = frame.assign(high=close + 5, low=close - 5, close=close, volume=rng.exponential(3, 1440))
    out = tmp_path / "minutes.csv"
    frame.to_csv(out, index=False)
    return out


def found(*arguments: object) -> dict[str, Any]:
    result = run("profile", *arguments, "--json")
    assert result.exit_code == 0, result.stderr
    document: dict[str, Any] = json.loads(result.stdout)
    return document


def test_the_json_is_what_the_documents_code_computes(path: Path) -> None:
    document = found(path, "--nodes", "document")
    candles = pd.read_csv(path)
    close, volume = candles["close"], candles["volume"]
    kde = stats.gaussian_kde(close, weights=volume, bw_method=0.1)
    xr = np.linspace(close.min(), close.max(), 500)
    kdy = kde(xr)
    peaks, shapes = signal.find_peaks(kdy, prominence=kdy.max() * 0.3, width=1)
    assert len(peaks) >= 2
    nodes = document["nodes"]["document"]
    assert [node["price"] for node in nodes] == pytest.approx(xr[peaks].tolist())
    assert [node["density"] for node in nodes] == pytest.approx(kdy[peaks].tolist())
    ticks_per_sample = (xr.max() - xr.min()) / 500
    assert [node["width"] for node in nodes] == pytest.approx((shapes["widths"] * ticks_per_sample).tolist())
    assert document["curve"] == {
        "price": pytest.approx(xr.tolist()),
        "density": pytest.approx(kdy.tolist()),
    }
    density, edges = np.histogram(close, 150, weights=volume, density=True)
    assert document["histogram"] == {
        "edges": pytest.approx(edges.tolist()),
        "density": pytest.approx(density.tolist()),
    }


def test_levels_and_rows_stay_what_they_are(path: Path) -> None:
    usual, document = found(path), found(path, "--nodes", "document")
    assert set(usual["nodes"]) == {"high", "low"}
    del usual["nodes"]
    assert {key: document[key] for key in usual} == usual
    assert set(document) - set(usual) == {"nodes", "bandwidth", "curve", "histogram"}


def test_the_text_names_the_peaks(path: Path) -> None:
    output = run("profile", path, "--nodes", "document").stdout
    count = len(found(path, "--nodes", "document")["nodes"]["document"])
    assert sum(line.startswith("peak ") for line in output.splitlines()) == count
    assert "500 samples from the lowest to the highest close; histogram of 150 bins" in output
    assert "published node" not in run("profile", path).stdout


def test_the_page_draws_the_published_figure(path: Path, tmp_path: Path) -> None:
    title = "Density of volume over closing prices"
    for options, there in (((), False), (("--nodes", "document"), True)):
        out = tmp_path / "page.html"
        assert run("profile", path, "--html", out, *options).exit_code == 0
        assert (title in out.read_text(encoding="utf-8")) is there


def test_closes_are_needed_and_two_of_them(tmp_path: Path) -> None:
    path = write(tmp_path, "low,high,volume", "99,101,5")
    assert refused("profile", path, "--nodes", "document") == (
        f"{path}, line 1: no column close, which --nodes document needs: add it"
    )
    path = write(tmp_path, "low,high,close,volume", "99,101,100,5", "98,102,100,5")
    document = found(path, "--nodes", "document")
    assert (document["nodes"], document["curve"]) == ({"document": []}, None)
    assert (
        "no published nodes: all volume is at one close" in run("profile", path, "--nodes", "document").stdout
    )


def test_trades_are_taken_at_their_prices(tmp_path: Path) -> None:
    lines = [
        f"{price},{amount}" for price, amount in zip((100, 101, 105, 106, 105), (5, 4, 7, 2, 9), strict=True)
    ]
    document = found(write(tmp_path, "price,amount", *lines), "--placement", "trades", "--nodes", "document")
    assert document["curve"]["price"][0] == 100
    assert document["curve"]["price"][-1] == 106
    assert document["nodes"]["document"]
