"""Strategies of a markets file of one's own, one of which looks ahead without saying so."""

import io
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from dagster import AssetCheckEvaluation, AssetCheckSeverity, AssetKey, ExecuteInProcessResult

from vp_pipeline.assets.build import build_defs
from vp_pipeline.assets.strategy_run import LOOK_DAYS
from vp_pipeline.assets.versions import set_aside
from vp_pipeline.catalog import CatalogError
from vp_pipeline.settings import Settings
from vp_pipeline.storage import artifacts, rows
from vp_pipeline.storage.connection import transaction
from vp_pipeline.storage.io_manager import PostgresIOManager
from vp_pipeline.storage.tables import STRATEGY_NET, STRATEGY_RETURN, STRATEGY_SUMMARY, STRATEGY_WEIGHT
from vp_pipeline_tests.assets.conftest import Replayed

OWN = """
[strategies]
fee_bps = 4
slippage_bps = 1
trials = 20
out_of_sample = 2024-11-01
{rest}
[strategies.costs.SOLUSDT]
fee_bps = 9

[strategies.variants.equal_weight]
benchmark = "BTCUSDT"

[strategies.variants.volatility_weight]
benchmark = "equal_weight"

[strategies.variants.slow]
rule = "momentum"
title = "Slow momentum"
parameters = {{ days = 200 }}

[strategies.variants.oracle]
rule = "vp_pipeline_tests.assets.planted:knows_tomorrow"
"""


@pytest.fixture(scope="module")
def own(replayed: Replayed) -> Replayed:
    text = replayed.settings.markets_file.read_text()
    section = text[text.index("[strategies]") : text.index("[recording]")]
    replaced = text.replace(section, OWN.format(rest=section.removeprefix("[strategies]\n")))
    path = replayed.settings.home / "own.toml"
    path.write_text(replaced)
    settings = Settings.model_validate({**replayed.settings.model_dump(), "markets_file": path})
    definitions = build_defs(settings, PostgresIOManager(database_url=replayed.url))
    return Replayed(settings, definitions, replayed.instance, replayed.sandbox, replayed.recording)


@pytest.fixture(scope="module")
def result(own: Replayed) -> ExecuteInProcessResult:
    names = ["daily_returns", "strategies", "tearsheets/oracle", "tearsheets/slow"]
    return own.run("reports", only=[AssetKey(name.split("/")) for name in names])


@pytest.fixture(scope="module")
def checks(result: ExecuteInProcessResult) -> dict[str, AssetCheckEvaluation]:
    return {one.check_name: one for one in result.get_asset_check_evaluations()}


def test_the_planted_one_fails_its_check_and_the_run_goes_on(
    result: ExecuteInProcessResult, checks: dict[str, AssetCheckEvaluation]
) -> None:
    assert result.success
    planted = checks["no_look_ahead_oracle"]
    assert (planted.passed, planted.severity) == (False, AssetCheckSeverity.ERROR)
    assert "does not say so" in str(planted.description)
    assert int(str(planted.metadata["days_that_looked_ahead"].value)) > 100


def test_the_published_one_that_peeks_warns_and_the_honest_ones_pass(
    checks: dict[str, AssetCheckEvaluation],
) -> None:
    published = checks["no_look_ahead_volatility_weight"]
    assert (published.passed, published.severity) == (False, AssetCheckSeverity.WARN)
    assert "as published" in str(published.description)
    for honest in ("equal_weight", "slow"):
        check = checks[f"no_look_ahead_{honest}"]
        assert check.passed
        assert check.metadata["days_tested"].value == LOOK_DAYS


def test_the_planted_ones_tearsheet_says_so_first(own: Replayed, result: ExecuteInProcessResult) -> None:
    (event,) = result.asset_materializations_for_node("tearsheets__oracle")
    assert event.metadata["looks_ahead"].value is True
    assert event.metadata["evidence"].value == "none"
    preview = str(event.metadata["preview"].value)
    assert preview.startswith("![growth](data:image/svg+xml;base64,")
    assert len(preview) < 1000
    with transaction(own.url) as connection:
        content = artifacts.content(connection, "tearsheets/oracle")
    assert content is not None
    page = content.decode()
    body = page[page.index("<body>") :]
    assert "Knows tomorrow (looks ahead)" in body
    assert body.index("No evidence of skill") < body.index("Growth a year") < body.index("quantstats")
    assert "does not say so" in body


def test_costs_trials_and_samples_are_those_of_the_file(
    own: Replayed, result: ExecuteInProcessResult
) -> None:
    assert result.success
    with transaction(own.url) as connection:
        summary = rows.read(connection, STRATEGY_SUMMARY, {}).set_index("strategy")
        gross = rows.read(connection, STRATEGY_RETURN, {"strategy": "slow"})
        after = rows.read(connection, STRATEGY_NET, {"strategy": "slow"})
        weights = rows.read(connection, STRATEGY_WEIGHT, {"strategy": "slow"})
    assert (summary["trials"] == 20).all()
    assert dict(summary["looks_ahead"]) == {
        "equal_weight": False, "volatility_weight": True, "slow": False, "oracle": True,
    }  # fmt: skip
    assert summary["title"]["slow"] == "Slow momentum"
    assert summary["benchmark"]["slow"] == "equal_weight"
    assert summary["parameters"]["slow"] == "days = 200, short = False"
    assert (summary["out_of_sample_from"] == pd.Timestamp("2024-11-01")).all()
    np.testing.assert_allclose(after["net"], gross["return"] - after["cost"], atol=1e-15)
    # Between what all symbols would cost at 5 and at 10 basis points.
    traded = after["turnover"] > 0
    share = after["cost"][traded] / after["turnover"][traded]
    assert share.between(5e-4 - 1e-12, 1e-3 + 1e-12).all()
    assert share.max() > 5.5e-4
    first = weights.pivot(index="day", columns="symbol", values="weight")[:200]
    assert (first == 0).all(axis=None), "a day in the first 200 has no history to go by"


def test_the_league_table_and_csv_files_are_kept(own: Replayed, result: ExecuteInProcessResult) -> None:
    (event,) = result.asset_materializations_for_node("strategies")
    assert event.metadata["download"].value == own.settings.artifact_url("strategies")
    with transaction(own.url) as connection:
        league = artifacts.content(connection, "strategies")
        files = {
            name: pd.read_csv(io.BytesIO(artifacts.content(connection, f"strategies/{name}") or b""))
            for name in ("returns_gross", "returns_net", "weights", "league_table")
        }
        stored = rows.read(connection, STRATEGY_NET, {"strategy": "slow"})
        kept = artifacts.find(connection, "strategies/weights")
    assert league is not None
    page = league.decode()
    body = page[page.index("<body>") :]
    assert body.index("Slow momentum") < body.index("Volatility weight (looks ahead)")
    assert files["returns_net"].columns.tolist() == [
        "date", "equal_weight", "volatility_weight", "slow", "oracle", "source",
    ]  # fmt: skip
    assert files["returns_net"]["slow"].tolist() == stored["net"].tolist()
    assert files["weights"].columns.tolist() == ["date", "strategy", "symbol", "weight", "source"]
    assert set(files["weights"]["source"]) == {"RECORDED DATA"}
    assert files["league_table"]["strategy"].tolist()[0] == "equal_weight"
    assert kept is not None
    assert kept.media_type.startswith("text/csv")


def test_a_rule_or_parameter_that_does_not_exist_is_said(own: Replayed, tmp_path: Path) -> None:
    for wrong, said in (
        ('rule = "hodl"', "there is no strategy 'hodl'"),
        ('rule = "momentum"\nparameters = { weeks = 3 }', "momentum has no parameter 'weeks'"),
    ):
        path = tmp_path / "wrong.toml"
        path.write_text(
            f'[strategies]\nsymbols = ["BTCUSDT"]\nstart = 2024-01-01\n[strategies.variants.x]\n{wrong}\n'
        )
        settings = Settings.model_validate({**own.settings.model_dump(), "markets_file": path})
        with pytest.raises(CatalogError, match=rf"\[strategies\.variants\.x\].*{said}"):
            build_defs(settings, PostgresIOManager(database_url="unused"))


def test_older_versions_stay_by_day_and_do_not_pile_up(own: Replayed) -> None:
    name = "tearsheets/versions"
    days = pd.date_range("2025-01-25", "2025-03-10")

    def partitions() -> list[str]:
        with transaction(own.url) as connection:
            return [one.partition for one in artifacts.listing(connection) if one.name == name]

    def publish(document: str, day: date) -> None:
        with transaction(own.url) as connection:
            set_aside(connection, name, document, day, 14)
            artifacts.put(connection, name, "", document, "run")
            moment = datetime(day.year, day.month, day.day, 0, 20, tzinfo=UTC)
            connection.execute(
                "UPDATE artifact SET created_at = %s WHERE name = %s AND partition = '' AND sha256 = %s"
                " AND created_at > %s",
                [moment, name, artifacts.find(connection, name).sha256, moment],  # type: ignore[union-attr]  # put just now
            )

    for day in days:
        publish(f"of {day.date()}", day.date())
    kept = [f"{day:%Y-%m-%d}" for day in days[:-1] if day >= pd.Timestamp("2025-02-24")]
    assert sorted(partitions()) == ["", "2025-01-31", *kept]
    with transaction(own.url) as connection:
        assert artifacts.content(connection, name) == b"of 2025-03-10"
        assert artifacts.content(connection, name, "2025-03-01") == b"of 2025-03-01"
    before = partitions()
    publish("of 2025-03-10", date(2025, 3, 11))
    assert partitions() == before, "the same document again is no version"
    publish("corrected", date(2025, 3, 10))
    assert partitions() == before, "of one day the last version stays"
    with transaction(own.url) as connection:
        set_aside(connection, name, "another", date(2025, 3, 12), 0)
        assert [one.partition for one in artifacts.listing(connection) if one.name == name] == [""]
