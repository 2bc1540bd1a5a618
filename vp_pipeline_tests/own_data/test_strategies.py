"""`vp strategies` as a person calls it."""

import json
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner, Result

from vp_pipeline.analytics import assessment
from vp_pipeline.analytics import performance as of
from vp_pipeline.analytics.bootstrap import Intervals, bootstrap_intervals
from vp_pipeline.analytics.sharpe_significance import Trials, dsr
from vp_pipeline.analytics.strategies import STRATEGIES
from vp_pipeline.cli import main
from vp_pipeline.own_data import statistics
from vp_pipeline.own_data.strategies_report import strategy_report


# The same words about the same file are answered alike, by all strategies in turn: once is enough.
@cache
def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["strategies", *map(str, arguments)])


def document(path: Path, strategy: str, *arguments: object) -> dict[str, Any]:
    result = run(path, "--strategy", strategy, "--json", *arguments)
    assert result.exit_code == 0, result.output
    loaded: dict[str, Any] = json.loads(result.stdout)
    return loaded


@pytest.fixture(scope="module")
def closes() -> pd.DataFrame:
    rng = np.random.default_rng(1)
    dates = pd.date_range("2023-01-01", periods=200, name="date")
    steps = rng.normal(0.006, [0.02, 0.03, 0.05], (200, 3))
    frame = pd.DataFrame(100 * np.exp(steps.cumsum(axis=0)), dates, columns=["BTC", "ETH", "SOL"])
    frame.iloc[:50, 2] = np.nan
    frame.iloc[150:, 1] = np.nan
    return frame


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory, closes: pd.DataFrame) -> Path:
    path = tmp_path_factory.mktemp("strategies") / "closes.csv"
    closes.to_csv(path)
    return path


def test_two_symbols_by_hand(tmp_path: Path) -> None:
    path = tmp_path / "closes.csv"
    path.write_text("date,A,B\n2024-01-01,100,100\n2024-01-02,110,90\n2024-01-03,110,99\n2024-01-04,121,99\n")
    series = document(path, "mean_reversion", "--fees-bps", 10)["series"]
    assert series["date"] == ["2024-01-02", "2024-01-03", "2024-01-04"]
    # Nothing is known on the first day, B fell on the second, nothing on the third.
    assert series["weights"] == {"A": [0, 0, 0], "B": [0, 1, 0]}
    assert series["gross"] == pytest.approx([0, 0.1, 0])
    assert series["turnover"] == pytest.approx([0, 1, 1])
    assert series["net"] == pytest.approx([0, 0.099, -0.001])


def test_the_first_row_has_no_return_and_that_is_said(path: Path) -> None:
    found = document(path, "mean_reversion")
    assert (found["n"], found["first"]) == (199, "2023-01-02")
    assert all(weights[0] in (0, None) for weights in found["series"]["weights"].values())
    assert "the first row has none" in found["notes"][0]
    assert "the first row has none" in run(path, "--strategy", "mean_reversion").output


def test_figures_are_those_of_the_series(path: Path) -> None:
    found = document(path, "equal_weight", "--fees-bps", 20)
    net, gross = pd.Series(found["series"]["net"]), pd.Series(found["series"]["gross"])
    traded = pd.Series(found["series"]["turnover"])
    assert net.to_numpy() == pytest.approx((gross - traded * 0.002).to_numpy())
    assert found["net"] == pytest.approx(vars(of.performance(net)))
    assert found["gross"] == pytest.approx(vars(of.performance(gross)))
    assert found["sharpe"] == found["net"]["sharpe"] < found["gross"]["sharpe"]
    assert found["turnover"] == pytest.approx(traded.mean())
    assert found["break_even_bps"] == pytest.approx(gross.sum() / traded.sum() * 10_000)


def test_at_the_break_even_cost_the_mean_is_zero(path: Path) -> None:
    cost = document(path, "equal_weight")["break_even_bps"]
    assert cost > 0
    net = document(path, "equal_weight", "--fees-bps", cost)["series"]["net"]
    assert np.mean(net) == pytest.approx(0, abs=1e-12)


def test_weights_are_null_where_a_symbol_is_not_listed(path: Path, closes: pd.DataFrame) -> None:
    weights = document(path, "equal_weight")["series"]["weights"]
    for symbol in closes:
        listed = closes[symbol].pct_change(fill_method=None).notna().to_list()[1:]
        assert [weight is not None for weight in weights[symbol]] == listed


def test_all_strategies_are_the_variants_tried(path: Path) -> None:
    found = {key: document(path, key) for key in STRATEGIES}
    variance = float(np.var([one["sharpe"] / np.sqrt(365) for one in found.values()], ddof=1))
    for one in found.values():
        assert one["trials"] == len(STRATEGIES)
        assert one["dsr"] == pytest.approx(dsr(pd.Series(one["series"]["net"]), variance, len(STRATEGIES)))


@pytest.mark.parametrize("key", STRATEGIES)
def test_looking_ahead_is_labelled(path: Path, key: str) -> None:
    found, output = document(path, key), run(path, "--strategy", key).output
    assert found["looks_ahead"] is STRATEGIES[key].looks_ahead
    assert output.startswith("LOOKS AHEAD") is STRATEGIES[key].looks_ahead
    assert (found["label"] is not None) is STRATEGIES[key].looks_ahead


def test_an_unknown_strategy_lists_those_there_are(path: Path) -> None:
    result = run(path, "--strategy", "hodl")
    assert result.exit_code == 2
    assert f"'hodl'; there are {', '.join(STRATEGIES)}" in result.output


def test_a_wrong_file_is_one_sentence_and_status_1(tmp_path: Path) -> None:
    path = tmp_path / "closes.csv"
    path.write_text("date,A\n2024-01-01,1\n2024-01-02,-1\n2024-01-03,1\n")
    result = run(path, "--strategy", "equal_weight")
    assert result.exit_code == 1
    assert result.output == (
        f"Error: {path}, line 3: A is -1: a price is above 0, correct it or leave it empty\n"
    )


def test_fees_that_take_everything_are_refused(path: Path) -> None:
    result = run(path, "--strategy", "mean_reversion", "--fees-bps", 20_000)
    assert result.exit_code == 1
    assert "lower --fees-bps" in result.output


def test_parameters_and_benchmark_are_of_choice(path: Path) -> None:
    found = document(
        path, "momentum", "--parameter", "days=2", "--parameter", "short=true", "--benchmark", "BTC"
    )
    assert found["parameters"] == {"days": 2, "short": True}
    assert found["benchmark"]["name"] == "BTC"
    assert min(weight for weight in found["series"]["weights"]["BTC"] if weight is not None) < 0
    assert document(path, "momentum")["parameters"] == {"days": 90, "short": False}
    assert document(path, "equal_weight")["benchmark"]["name"] == "BTC", "a file without BTCUSDT"


def test_evidence_and_samples_are_those_of_the_series(path: Path) -> None:
    found = document(path, "equal_weight", "--fees-bps", 5)
    net = pd.Series(found["series"]["net"])
    assert found["evidence"]["level"] in ("none", "weak", "moderate", "strong")
    assert (found["in_sample"]["days"], found["out_of_sample"]["days"]) == (133, 66)
    assert found["out_of_sample"]["net"]["sharpe"] == pytest.approx(of.sharpe(net[133:]))
    assert found["look_ahead"] == {"declared": False, "found": False, "days": 0, "days_tested": 150}
    assert (
        f"Evidence of skill                {found['evidence']['level']}"
        in run(path, "--strategy", "equal_weight", "--fees-bps", 5).output
    )


def test_a_function_of_ones_own_that_peeks_is_caught(path: Path) -> None:
    planted = "vp_pipeline_tests.assets.planted:knows_tomorrow"
    found = document(path, planted)
    assert (found["looks_ahead"], found["look_ahead"]["declared"]) == (True, False)
    assert found["look_ahead"]["days"] > 100
    assert found["evidence"]["level"] == "none"
    assert run(path, "--strategy", planted).output.startswith("LOOKS AHEAD")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--parameter", "days"], "'days' is no NAME=VALUE"),
        (["--parameter", "weeks=3"], "momentum has no parameter 'weeks'; there are days, short"),
        (["--parameter", "days=soon"], "days is 'soon', but has to be a whole number"),
        (["--parameter", "days=0"], "days is 0, but has to be at least 1"),
        (["--benchmark", "gold"], "there is no benchmark 'gold'; there are BTC, ETH, SOL, equal_weight"),
    ],
)
def test_wrong_options_are_usage_errors(path: Path, arguments: list[str], said: str) -> None:
    result = run(path, "--strategy", "momentum", *arguments)
    assert result.exit_code == 2
    assert said in " ".join(result.output.split())


def test_intervals_are_resampled_once(closes: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    resampled: list[int] = []

    def counted(returns: pd.Series, periods_per_year: float) -> Intervals:
        resampled.append(len(returns))
        return bootstrap_intervals(returns, periods_per_year)

    for module in (assessment, statistics):
        monkeypatch.setattr(module, "bootstrap_intervals", counted)
    report = strategy_report(Path("closes.csv"), closes, "equal_weight", 0, 365)
    assert resampled == [199]
    directly = statistics.statistics(report.run.net, 365, Trials(report.found.trials, 0.0))
    assert replace(directly, dsr=report.statistics.dsr) == report.statistics
