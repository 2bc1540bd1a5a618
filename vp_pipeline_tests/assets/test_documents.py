"""Session tables, strategies and tearsheets: stored rows, documents and their links; profiles without data.

What a profile says is tested in `test_volume_profile`.
"""

import numpy as np
import pandas as pd
import pytest
from dagster import AssetKey, AssetMaterialization, ExecuteInProcessResult

from vp_pipeline.storage import artifacts, rows
from vp_pipeline.storage.connection import transaction
from vp_pipeline.storage.tables import (
    AGGREGATE,
    DAILY_RETURN,
    KLINE,
    STRATEGY_RETURN,
    STRATEGY_WEIGHT,
)
from vp_pipeline.windows import DAY, HOUR, floor
from vp_pipeline_tests.assets.conftest import Replayed
from vp_pipeline_tests.assets.recordings import END, FIRST_DAY, LAST_DAY, START

FIRST = floor(START, DAY)
# Quantstats takes seconds for each; all of them are made in the tests of whole platforms.
TEARSHEETS = ["equal_weight", "mean_reversion", "volatility_weight"]


@pytest.fixture(scope="module", autouse=True)
def runs(replayed: Replayed) -> dict[str, ExecuteInProcessResult]:
    replayed.all_minutes()
    return {
        "volume_profiles": replayed.run("volume_profiles", FIRST, FIRST + DAY),
        "klines_15m_job": replayed.run("klines_15m_job", START, START + 2 * DAY - HOUR),
        "reports": replayed.run("reports", only=reports(TEARSHEETS)),
    }


def reports(tearsheets: list[str]) -> list[AssetKey]:
    return [
        AssetKey("daily_returns"),
        AssetKey("strategies"),
        *(AssetKey(["tearsheets", t]) for t in tearsheets),
    ]


def materialization(
    result: ExecuteInProcessResult, key: AssetKey, partition: str | None = None
) -> AssetMaterialization:
    (found,) = (
        event.materialization
        for event in result.all_events
        if event.is_step_materialization
        and event.asset_key == key
        and event.materialization.partition == partition
    )
    return found


def test_a_day_without_minutes_fails_and_says_what_to_do(replayed: Replayed) -> None:
    with transaction(replayed.url) as connection:
        kept = rows.read(connection, AGGREGATE, {"base": "ETH"})
        connection.execute("DELETE FROM aggregate WHERE base = 'ETH'")
    key = AssetKey(["volume_profile", "eth"])
    result = replayed.run("volume_profiles", FIRST, only=[key], must_succeed=False)
    with transaction(replayed.url) as connection:
        rows.replace(connection, AGGREGATE, kept, {"base": "ETH"})
    # The day kept no profile; the other tests need it.
    replayed.run("volume_profiles", FIRST, only=[key])
    assert not result.success
    failure = result.failure_data_for_node("volume_profile__eth")
    assert failure is not None
    assert failure.user_failure_data is not None
    assert "materialize aggregate/eth and profile_hours/eth" in str(failure.user_failure_data.description)


def test_bars_are_the_recorded_ones(replayed: Replayed) -> None:
    file = pd.read_csv(replayed.recording / "usdm_15m" / "BTCUSDT.csv")
    with transaction(replayed.url) as connection:
        stored = rows.read(connection, KLINE, {"symbol": "BTCUSDT", "interval": "15m"})
    columns = ["open", "high", "low", "close", "volume", "quote_volume", "trades"]
    for column in columns:
        assert np.array_equal(stored[column].astype(float), file[column]), column
    assert np.array_equal(stored["taker_buy_volume"], file["taker_buy_base"])


def test_strategies_and_their_weights_are_stored(replayed: Replayed) -> None:
    days = (LAST_DAY - FIRST_DAY).days
    with transaction(replayed.url) as connection:
        returns = rows.read(connection, DAILY_RETURN, {})
        earned = rows.read(connection, STRATEGY_RETURN, {"strategy": "equal_weight"})
        weights = rows.read(connection, STRATEGY_WEIGHT, {"strategy": "equal_weight"})
    table = returns.pivot(index="day", columns="symbol", values="return")
    assert table.shape == (days, 5)
    assert table.notna().all().all(), "the first day's return is from its open"
    np.testing.assert_allclose(earned["return"], table.mean(axis=1), rtol=1e-12)
    assert (weights["weight"] == 0.2).all()


@pytest.mark.parametrize("strategy", TEARSHEETS)
def test_each_tearsheet_is_linked_and_labelled(
    replayed: Replayed, runs: dict[str, ExecuteInProcessResult], strategy: str
) -> None:
    metadata = materialization(runs["reports"], AssetKey(["tearsheets", strategy])).metadata
    assert metadata["download"].value == replayed.settings.artifact_url(f"tearsheets/{strategy}")
    assert metadata["looks_ahead"].value == (strategy == "volatility_weight")
    with transaction(replayed.url) as connection:
        content = artifacts.content(connection, f"tearsheets/{strategy}")
    assert content is not None
    assert b"RECORDED DATA" in content
    assert (b"looks ahead" in content) == (strategy == "volatility_weight")


def test_making_documents_again_changes_no_byte(replayed: Replayed) -> None:
    before = replayed.dump()
    replayed.run("volume_profiles", FIRST + DAY)
    replayed.run("klines_15m_job", END)
    replayed.run("reports", only=reports(["mean_reversion"]))
    assert replayed.dump() == before
