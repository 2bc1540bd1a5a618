"""`vp tearsheet` as a person calls it."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner, Result

from vp_pipeline.analytics import performance as of
from vp_pipeline.analytics.benchmark import compare
from vp_pipeline.analytics.sharpe_significance import dsr, psr
from vp_pipeline.cli import main
from vp_pipeline.own_data import options


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["tearsheet", *map(str, arguments)])


def document(*arguments: object) -> dict[str, Any]:
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.output

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    loaded: dict[str, Any] = json.loads(result.stdout, parse_constant=refuse)
    return loaded


@pytest.fixture
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(1)
    dates = pd.date_range("2023-01-01", periods=400, name="date")
    frame = pd.DataFrame(rng.normal(0.001, 0.02, (400, 3)), dates, columns=["one", "two", "market"])
    frame.loc[dates[::4], "two"] = 0.0
    return frame


@pytest.fixture
def path(tmp_path: Path, frame: pd.DataFrame) -> Path:
    path = tmp_path / "returns.csv"
    frame.to_csv(path)
    return path


@pytest.fixture
def single(tmp_path: Path, frame: pd.DataFrame) -> Path:
    path = tmp_path / "single.csv"
    frame[["two"]].to_csv(path)
    return path


def test_one_column_says_all_at_the_top(single: Path, frame: pd.DataFrame) -> None:
    found, returns = document(single), frame["two"]
    assert {
        name: found[name] for name in ("cagr", "sharpe", "sortino", "volatility", "max_drawdown", "psr")
    } == (
        pytest.approx(
            {
                "cagr": of.cagr(returns),
                "sharpe": of.sharpe(returns),
                "sortino": of.sortino(returns),
                "volatility": of.volatility(returns),
                "max_drawdown": of.drawdown(returns).depth,
                "psr": psr(returns),
            }
        )
    )
    assert (found["n"], found["periods_per_year"], found["trials"]) == (400, 365, 1)
    assert (found["first"], found["last"]) == ("2023-01-01", "2024-02-04")
    assert found["dsr"] == found["psr"]
    for unknown in ("turnover", "break_even_bps", "gross", "benchmark", "fees_assumption"):
        assert found[unknown] is None
    assert found["columns"] == {"two": {name: found[name] for name in found["columns"]["two"]}}
    for name in ("sharpe", "cagr", "max_drawdown"):
        low, high = found["intervals"][name]
        assert low < found[name] < high


def test_several_columns_are_the_variants_tried(path: Path, frame: pd.DataFrame) -> None:
    found = document(path)
    assert list(found["columns"]) == ["one", "two", "market"]
    assert "sharpe" not in found
    variance = float(np.var([of.sharpe(frame[name], 1) for name in frame], ddof=1))
    for name, column in found["columns"].items():
        assert column["trials"] == 3
        assert column["dsr"] == pytest.approx(dsr(frame[name], variance, 3))
        assert column["dsr"] < column["psr"]


def test_more_trials_deflate_more(single: Path, frame: pd.DataFrame) -> None:
    found = document(single, "--trials", 40)
    assert found["trials"] == 40
    assert found["dsr"] == pytest.approx(dsr(frame["two"], 1 / 399, 40))


def test_a_benchmark_is_compared_and_not_tried(path: Path, frame: pd.DataFrame) -> None:
    found = document(path, "--benchmark", "market")
    assert list(found["columns"]) == ["one", "two"]
    expected = compare(frame["one"], frame["market"])
    assert found["columns"]["one"]["benchmark"] == pytest.approx(vars(expected))
    assert found["columns"]["one"]["trials"] == 2


def test_fees_are_taken_from_rows_that_are_not_zero_and_said_so(single: Path, frame: pd.DataFrame) -> None:
    found, gross = document(single, "--fees-bps", 10), frame["two"]
    net = gross - 0.001 * (gross != 0)
    assert found["cagr"] == pytest.approx(of.cagr(net))
    assert found["gross"]["cagr"] == pytest.approx(of.cagr(gross))
    assert found["turnover"] == 0.75
    assert found["break_even_bps"] == pytest.approx(gross.sum() / 300 * 10_000)
    assert "the whole wealth traded once" in found["fees_assumption"]
    assert found["fees_assumption"] in run(single, "--fees-bps", 10).output


def test_fees_that_take_everything_are_refused(single: Path) -> None:
    result = run(single, "--fees-bps", 9_990)
    assert result.exit_code == 1
    assert re.search(
        r"column two: a cost of 9990 bps takes all wealth on .*: lower --fees-bps", result.output
    )


def test_weekdays_held_to_be_365_a_year_are_noticed(tmp_path: Path) -> None:
    dates = pd.bdate_range("2023-01-02", periods=300, name="date")
    path = tmp_path / "stocks.csv"
    pd.DataFrame({"fund": np.random.default_rng(2).normal(0, 0.01, 300)}, dates).to_csv(path)
    assert document(path)["notes"] == [
        "The dates hold about 262 rows a year, but 365 are annualised with: --periods-per-year changes that."
    ]
    found = document(path, "--periods-per-year", 261)
    assert found["notes"] == []
    assert found["volatility"] == pytest.approx(document(path)["volatility"] * np.sqrt(261 / 365))


def test_what_is_undefined_is_null(tmp_path: Path) -> None:
    path = tmp_path / "still.csv"
    path.write_text("date,cash\n2024-01-01,0\n2024-01-02,0\n2024-01-03,0\n")
    found = document(path)
    assert [found[name] for name in ("sharpe", "sortino", "calmar", "psr", "dsr")] == [None] * 5
    assert found["intervals"]["sharpe"] == [None, None]
    assert found["drawdown"] == {"depth": 0, "peak": None, "trough": None, "recovery": None, "length": 0}
    assert run(path).exit_code == 0
    assert run(path, "--html", tmp_path / "still.html").exit_code == 0


def test_growth_beyond_all_numbers_is_null_and_no_warning(tmp_path: Path) -> None:
    path = tmp_path / "wild.csv"
    path.write_text("date,a\n" + "".join(f"2024-01-0{day},{r}\n" for day, r in enumerate((90, 0, 0.1, 0), 1)))
    assert document(path, "--periods-per-year", 1e6)["cagr"] is None


def test_the_table_has_a_column_for_each(path: Path) -> None:
    result = run(path, "--benchmark", "market")
    assert result.exit_code == 0
    lines = result.output.splitlines()
    assert lines[0] == "400 rows from 2023-01-01 to 2024-02-04, 365 a year"
    assert lines[2].split() == ["one", "two"]
    assert "Beta to market" in result.output
    assert "95% intervals of a stationary bootstrap" in result.output


def test_the_page_is_complete_and_the_same_each_time(path: Path, tmp_path: Path) -> None:
    pages = [tmp_path / "a.html", tmp_path / "b.html"]
    for page in pages:
        result = run(path, "--benchmark", "market", "--html", page)
        assert (result.exit_code, result.output) == (0, f"wrote {page}\n")
    text = pages[0].read_text(encoding="utf-8")
    assert pages[1].read_text(encoding="utf-8") == text
    assert re.findall(r"<h3>([^<]*)</h3>", text) == ["Growth of 1", "Drawdown", "one", "two"]
    assert "Plotly.newPlot" in text
    assert not re.search(r'(?:src|href)="(?!data:)', text[text.index("<body>") :])
    assert not list(tmp_path.glob("*.part"))


def test_a_page_that_cannot_be_written_is_said(path: Path, tmp_path: Path) -> None:
    result = run(path, "--html", tmp_path / "nowhere" / "page.html")
    assert result.exit_code == 1
    assert re.match(r"Error: cannot write .*page\.html \(No such file or directory\): give", result.output)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--benchmark", "gold"], "'gold' is no column of"),
        (["--json", "--html", "x.html"], "exclude each other"),
        (["--fees-bps", "-1"], "not a number from 0"),
        (["--fees-bps", "nan"], "not a number from 0"),
        (["--fees-bps", "ten"], "'ten' is not a number"),
        (["--periods-per-year", "0"], "not a number above 0"),
        (["--trials", "2"], "the file alone has 3 variants"),
    ],
)
def test_wrong_options_are_usage_errors(path: Path, arguments: list[str], said: str) -> None:
    result = run(path, *arguments)
    assert result.exit_code == 2
    assert said in result.output


def test_a_column_is_not_its_own_benchmark(single: Path) -> None:
    result = run(single, "--benchmark", "two")
    assert (result.exit_code, "its own benchmark" in result.output) == (2, True)


def test_a_wrong_file_is_one_sentence_and_status_1(tmp_path: Path) -> None:
    result = run(tmp_path / "nowhere.csv")
    assert result.exit_code == 1
    assert result.output.count("\n") == 1
    assert result.output.startswith("Error: cannot read")


def test_the_year_is_that_of_the_analytics() -> None:
    assert options.DAYS_PER_YEAR == of.DAYS_PER_YEAR


def test_returns_computed_from_prices_begin_with_an_empty_cell(tmp_path: Path, frame: pd.DataFrame) -> None:
    path = tmp_path / "returns.csv"
    late = frame.copy()
    late.iloc[:1, 0] = np.nan
    late.iloc[300:, 1] = np.nan
    late.to_csv(path)
    found = document(path, "--benchmark", "market", "--fees-bps", 5)
    assert [found["columns"][name]["n"] for name in ("one", "two")] == [399, 300]
    assert found["columns"]["one"]["first"] == "2023-01-02"
    assert "Rows without a return, before the first or after the last: one 1, two 100." in found["notes"]
    net = frame["two"][:300] - 0.0005 * (frame["two"][:300] != 0)
    assert found["columns"]["two"]["sharpe"] == pytest.approx(of.sharpe(net))
    assert found["columns"]["two"]["turnover"] == 0.75
    assert run(path, "--html", tmp_path / "late.html").exit_code == 0


def test_a_loss_of_everything_is_told_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "ruin.csv"
    path.write_text("date,a\n2024-01-01,0.1\n2024-01-02,-1\n2024-01-03,0\n2024-01-04,0\n")
    found = document(path, "--fees-bps", 10)
    assert (found["cagr"], found["max_drawdown"], found["drawdown"]["recovery"]) == (-1, -1, None)
    assert found["evidence"]["level"] == "none"
    assert run(path, "--html", tmp_path / "ruin.html").exit_code == 0


@pytest.mark.parametrize(
    ("periods", "cagr", "volatility", "sortino", "calmar"),
    [
        (52, 0.24690830513998208, 0.38851569394870583, 1.1158901056866439, 2.4690830513998208),
        (12, 0.052242061386048144, 0.18663690238892558, 0.53605626741889756, 0.52242061386048144),
    ],
)
def test_what_empyrical_publishes_of_weeks_and_months(
    tmp_path: Path, periods: int, cagr: float, volatility: float, sortino: float, calmar: float
) -> None:
    path = tmp_path / "published.csv"
    returns = np.array([0, 1, 10, -4, 2, 3, 2, 1, -10]) / 100
    pd.DataFrame({"a": returns}, pd.date_range("2000-01-30", periods=9, name="date")).to_csv(path)
    found = document(path, "--periods-per-year", periods)
    ours = [found[name] for name in ("cagr", "volatility", "sortino", "calmar")]
    assert ours == pytest.approx([cagr, volatility, sortino, calmar], abs=1e-8)


def test_the_page_begins_with_what_the_returns_prove(path: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    assert run(path, "--benchmark", "market", "--html", page).exit_code == 0
    text = page.read_text(encoding="utf-8")
    body = text[text.index("<body>") :]
    assert body.index("one: ") < body.index("two: ") < body.index("Growth of 1")
    assert body.count("evidence of skill") == 2
