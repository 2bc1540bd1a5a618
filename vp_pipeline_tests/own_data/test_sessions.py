"""`vp sessions`: the table of both presets, and how the bars' length is found."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from vp_pipeline.analytics.bar_returns import returns_pct
from vp_pipeline.analytics.session_hours import SESSIONS
from vp_pipeline.analytics.session_report import COLUMNS, session_report
from vp_pipeline_tests.own_data.candle_files import FOUR_HOURS, HEADER, refused, run, write


def found(path: Path, *options: object) -> dict[str, Any]:
    result = run("sessions", path, *options, "--json")
    assert result.exit_code == 0, result.stderr
    document: dict[str, Any] = json.loads(result.stdout)
    return document


def hours(start: str, count: int, step: str = "h") -> list[str]:
    times = pd.date_range(start, periods=count, freq=step)
    return [f"{time},100,{101 + i % 3},99,{100 + i % 2},{i + 1}" for i, time in enumerate(times)]


def bars_by_session(document: dict[str, Any]) -> dict[str, int]:
    return {row["session"]: row["bars"] for row in document["rows"] if row["grouping"] == "session"}


def test_the_json_is_the_table_with_its_counts(tmp_path: Path) -> None:
    document = found(write(tmp_path, HEADER, *hours("2024-01-07", 48)))
    counts = {"preset", "bar_seconds", "bars", "gaps", "filled", "outliers", "level"}
    assert set(document) == {*counts, "rows", "minutes"}
    assert document["minutes"] == []
    assert (document["preset"], document["bar_seconds"], document["bars"]) == ("document", 3600, 48)
    assert (document["gaps"], document["outliers"]) == (0, 0)
    assert [tuple(row) for row in document["rows"]] == [COLUMNS] * 62
    assert bars_by_session(document) == {"AS": 14, "ASEU": 4, "EU": 8, "EUNA": 6, "NA": 12, "OTHERS": 4}
    # Nothing is known of trades and takers, nor of a Friday.
    assert document["rows"][0]["taker_share"] is None
    friday = next(row for row in document["rows"] if row["weekday"] == "Fri")
    assert (friday["bars"], friday["volatility_pct"]) == (0, None)


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        # The hours of Tokyo 9-18, London 8-17 and New York 8-17 on one UTC day, by hand.
        ("2024-01-15", {"AS": 8, "ASEU": 1, "EU": 4, "EUNA": 4, "NA": 5, "OTHERS": 2}),
        ("2024-03-20", {"AS": 8, "ASEU": 1, "EU": 3, "EUNA": 5, "NA": 4, "OTHERS": 3}),
        ("2024-07-15", {"AS": 7, "ASEU": 2, "EU": 3, "EUNA": 4, "NA": 5, "OTHERS": 3}),
        ("2024-10-30", {"AS": 8, "ASEU": 1, "EU": 3, "EUNA": 5, "NA": 4, "OTHERS": 3}),
        ("2024-11-05", {"AS": 8, "ASEU": 1, "EU": 4, "EUNA": 4, "NA": 5, "OTHERS": 2}),
    ],
)
def test_exchange_hours_follow_the_clocks(tmp_path: Path, day: str, expected: dict[str, int]) -> None:
    path = write(tmp_path, HEADER, *hours(day, 24))
    document = found(path, "--preset", "exchange")
    assert document["preset"] == "exchange"
    assert bars_by_session(document) == expected
    assert bars_by_session(found(path)) == {"AS": 7, "ASEU": 2, "EU": 4, "EUNA": 3, "NA": 6, "OTHERS": 2}


def test_missing_bars_and_outliers_are_counted(tmp_path: Path) -> None:
    lines = hours("2024-01-07", 30)
    lines[20] = "2024-01-07 20:00,100,150,99,150,5"
    document = found(write(tmp_path, HEADER, *lines[:10], *lines[12:]))
    assert (document["bars"], document["gaps"], document["outliers"]) == (28, 1, 1)
    output = run("sessions", write(tmp_path, HEADER, *lines[:10], *lines[12:])).stdout
    assert "28 1-hour bars (the median spacing of open_time)" in output
    assert "left out: 1 returns over missing bars, those from and to 0 bars without a trade, 1 bars" in output


def test_the_table_for_the_terminal(tmp_path: Path) -> None:
    path = write(tmp_path, HEADER, *hours("2024-01-07", 300, "5min"))
    output = run("sessions", path).stdout
    assert f"{path}: 300 5-minute bars" in output
    assert "sessions: AS 23-6, ASEU 6-8, EU 8-12, EUNA 12-15, NA 15-21, OTHERS 21-23" in output
    first = [line.split()[0] for line in output.splitlines() if line]
    after = first.index("session") + 1
    assert first[after : after + len(SESSIONS)] == list(SESSIONS)
    assert first[-5:] == [":00", ":15", ":30", ":45", "of"]
    assert "of 42 cells of weekday and session differ: none" in output
    assert "AS Tokyo, ASEU Tokyo, London, EU London" in run("sessions", path, "--preset", "exchange").stdout


@pytest.mark.parametrize(
    ("preset", "label"), [("document", "AS<br>23-6"), ("exchange", "ASEU<br>Tokyo, London")]
)
def test_the_page_names_the_hours(tmp_path: Path, preset: str, label: str) -> None:
    out = tmp_path / "page.html"
    path = write(tmp_path, HEADER, *hours("2024-01-07", 300))
    assert run("sessions", path, "--preset", preset, "--html", out).exit_code == 0
    page = out.read_text(encoding="utf-8")
    assert "vp:include" not in page
    # plotly's JSON escapes angle brackets.
    assert label in page.replace("\\u003c", "<").replace("\\u003e", ">")


def test_bars_of_two_lengths_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path, HEADER, *hours("2024-01-07", 6), *hours("2024-01-07 05:30", 1))
    assert refused("sessions", path) == (
        f"{path}: by the median spacing its bars are 1-hour ones, but the bar of 2024-01-07 05:30:00 UTC"
        " opens sooner after the one before: give bars of one length, filled in if most are missing"
    )


def test_one_bar_has_no_length(tmp_path: Path) -> None:
    path = write(tmp_path, HEADER, FOUR_HOURS[0])
    said = f"{path} has one candle, so the length of its bars is unknown: give two or more"
    assert refused("sessions", path) == said


def test_times_are_needed(tmp_path: Path) -> None:
    path = write(tmp_path, "open,close,volume", "1,1,1")
    said = f"{path}, line 1: no column open_time, which vp sessions needs: add it or rename one"
    assert refused("sessions", path) == said


@pytest.mark.parametrize(
    "options",
    [
        ("--preset", "other"),
        ("--json", "--html", "page.html"),
        ("--bars", "x.csv", "--json"),
        ("--recipe", "document", "--html", "page.html"),
        ("--recipe", "document", "--preset", "exchange"),
    ],
)
def test_wrong_options_are_usage_errors(tmp_path: Path, options: tuple[str, ...]) -> None:
    assert run("sessions", write(tmp_path, HEADER, *FOUR_HOURS), *options).exit_code == 2


def test_the_published_recipe_counts_days_by_rows(tmp_path: Path) -> None:
    # Two real days of hours are half a published one.
    file = write(tmp_path, HEADER, *hours("2024-01-07", 48))
    document = found(file, "--recipe", "document", "--first-weekday", "2")
    days = {row["name"]: row["bars"] for row in document["rows"] if row["grouping"] == "weekday"}
    assert {name: bars for name, bars in days.items() if bars} == {"Tue": 48}
    assert document["recipe"] == "document"
    shown = run("sessions", file, "--recipe", "document")
    assert shown.exit_code == 0
    assert "by the published recipe, which is kept for comparison" in shown.stdout
    assert "as if every bar had 15 minutes" in shown.stdout


def test_a_recorded_month(recorded_data: Path) -> None:
    path = recorded_data / "usdm_1m_12col_2023-02" / "LINKUSDT.csv.gz"
    frame = pd.read_csv(path).rename(columns={"count": "trades"})
    frame["open_time"] = pd.to_datetime(frame["open_time"], unit="ms", utc=True)
    expected = session_report(returns_pct(frame, pd.Timedelta("1min"))).rows
    rows = pd.DataFrame(found(path)["rows"]).astype(expected.dtypes)
    pd.testing.assert_frame_equal(rows, expected)
    assert bars_by_session(found(path)) == {
        name: 28 * 60 * length for name, length in zip(SESSIONS, (7, 2, 4, 3, 6, 2), strict=True)
    }


def test_an_outage_is_no_calm(recorded_data: Path) -> None:
    """On 29 January 2025 the exchange stood still for two bars, which it filled."""
    document = found(recorded_data / "usdm_5m_2025-01" / "BTCUSDT.csv.gz")
    assert (document["bars"], document["gaps"], document["filled"]) == (31 * 288, 0, 2)
    assert document["rows"][0]["returns"] == 31 * 288 - 3


def test_the_documents_rows(tmp_path: Path) -> None:
    """OPUSDT from 2024-02-01, a Thursday, as published with their returns."""
    lines = (
        "2024-02-01 00:00:00,2.8986,2.9151,2.8958,2.9039,376039.0,6080,167361.9",
        "2024-02-01 00:05:00,2.9040,2.9100,2.8997,2.9086,133345.2,2650,68834.0",
        "2024-02-01 00:10:00,2.9085,2.9147,2.9050,2.9124,176270.3,2753,77218.6",
        "2024-02-01 00:15:00,2.9121,2.9185,2.9093,2.9127,178793.1,2762,97452.1",
        "2024-02-01 00:20:00,2.9125,2.9170,2.9050,2.9112,228776.2,3500,113615.8",
    )
    out = tmp_path / "bars.csv"
    path = write(tmp_path, f"{HEADER},trades,taker_buy_volume", *lines)
    assert run("sessions", path, "--bars", out).exit_code == 0
    bars = pd.read_csv(out, keep_default_na=False)
    published = [0.182847, 0.161851, 0.130647, 0.010301, -0.051499]
    assert bars["return_pct"].astype(float).tolist() == pytest.approx(published, abs=5e-7)
    assert set(bars["weekday"]) == {"Thu"}
    assert set(bars["session"]) == {"AS"}
    assert set(bars["left_out"]) == {""}
    everything = found(path)["rows"][0]
    assert everything["mean_volume"] == pytest.approx(1093223.8 / 5)
    assert everything["taker_share"] == pytest.approx(524482.4 / 1093223.8)
    assert everything["volume_per_trade"] == pytest.approx(1093223.8 / 17745)


def test_bars_say_why_they_have_no_return(tmp_path: Path) -> None:
    lines = hours("2024-01-07", 6)
    filled = "2024-01-07 03:00:00,101,101,101,101,0"
    path = write(
        tmp_path, HEADER, *lines[:1], lines[2], filled, *lines[4:], "2024-01-07 06:00,100,150,99,150,5"
    )
    out = tmp_path / "bars.csv"
    assert run("sessions", path, "--bars", out).exit_code == 0
    assert pd.read_csv(out, keep_default_na=False)["left_out"].tolist() == [
        "",
        "after missing bars",
        "no trade",
        "after a bar without a trade",
        "",
        "outlier",
    ]
