"""What there is to materialize."""

from pathlib import Path

import pytest
from dagster import AssetKey, HourlyPartitionsDefinition

from vp_pipeline.assets.build import build_defs
from vp_pipeline.settings import Settings
from vp_pipeline.storage.io_manager import PostgresIOManager
from vp_pipeline.windows import HOUR
from vp_pipeline_tests.assets.conftest import Replayed
from vp_pipeline_tests.assets.recordings import END, START
from vp_pipeline_tests.assets.test_schedules import SHIPPED


def test_the_shipped_catalog() -> None:
    definitions = build_defs(Settings.model_validate(SHIPPED), PostgresIOManager(database_url="unused"))
    graph = definitions.resolve_asset_graph()
    keys = {key.to_user_string() for key in graph.materializable_asset_keys}
    assert {
        "candles/binance/btc_usdt",
        "candles/coinbaseexchange/btc_usd",
        "candles/htx/btc_usdc",
        "candles/gate/btc_usd",
        "candles/kraken/btc_usd",
        "coverage",
        "aggregate/btc",
        "aggregate/eth",
        "volume_profile/btc",
        "klines/btcusdt",
        "session_volatility/btcusdt",
        "session_comparison/5m",
        "daily_returns",
        "backup",
        "maintenance",
        "strategies",
        "tearsheets/equal_weight",
        "tearsheets/volatility_weight",
        "tearsheets/mean_reversion",
    } <= keys
    retired = {key.to_user_string() for key in graph.external_asset_keys}
    assert retired == {"candles/binance/btc_busd", "candles/ftx/btc_usd", "candles/ftx/btc_usdt"}
    for key in graph.get_all_asset_keys():
        node = graph.get(key)
        assert node.group_name != "default", key
        assert node.description, key
        assert "data" not in node.tags, "live data need no label"


def test_frames_that_go_from_step_to_step_have_a_type() -> None:
    definitions = build_defs(Settings.model_validate(SHIPPED), PostgresIOManager(database_url="unused"))
    job = definitions.resolve_job_def("reports")

    def types(node: str) -> tuple[dict[str, str], set[str]]:
        one = job.get_node_named(node).definition
        inputs = {name: kind.dagster_type.display_name for name, kind in one.input_dict.items()}
        outputs = [kind for kind in one.output_defs if not kind.name.startswith(("strategies_", "no_look"))]
        return inputs, {kind.dagster_type.display_name for kind in outputs}

    assert types("daily_returns") == ({}, {"DataFrame"})
    assert types("strategies") == ({"returns": "DataFrame"}, {"DataFrames"})
    assert types("tearsheets__equal_weight")[0] == {"results": "DataFrame", "daily": "DataFrame"}


def test_lineage_leads_from_candles_to_profile_and_from_bars_to_tearsheets(replayed: Replayed) -> None:
    graph = replayed.definitions.resolve_asset_graph()

    def upstream(*path: str) -> set[str]:
        return {key.to_user_string() for key in graph.get_ancestor_asset_keys(AssetKey(list(path)))}

    assert {"aggregate/btc", "coverage", "candles/kraken/btc_usd"} <= upstream("volume_profile", "btc")
    assert upstream("tearsheets", "mean_reversion") == {"strategies", "daily_returns"}
    assert upstream("session_volatility", "btcusdt") == {"klines/btcusdt"}
    assert upstream("session_comparison", "15m") == {"klines/btcusdt", "klines/ethusdt"}


def test_what_is_not_live_says_so_of_every_asset(replayed: Replayed) -> None:
    graph = replayed.definitions.resolve_asset_graph()
    for key in graph.get_all_asset_keys():
        node = graph.get(key)
        assert (node.description or "").startswith("**RECORDED DATA.** "), key
        assert node.tags["data"] == "recorded", key


def test_partitions_of_a_recording_are_its_hours(replayed: Replayed) -> None:
    graph = replayed.definitions.resolve_asset_graph()
    hours = graph.get(AssetKey(["candles", "kraken", "btc_usd"])).partitions_def
    assert isinstance(hours, HourlyPartitionsDefinition)
    keys = hours.get_partition_keys()
    assert (keys[0], keys[-1]) == ("2025-03-04-20:00", "2025-03-05-00:00")
    assert len(keys) == (END - START) // HOUR
    days = graph.get(AssetKey(["volume_profile", "btc"])).partitions_def
    assert days is not None
    assert days.get_partition_keys() == ["2025-03-04", "2025-03-05"]


MARKETS = """
[instruments.BTC]
row_size = 10
lead = "binance BTC/USDT"

[[markets]]
exchange = "binance"
symbol = "BTC/USDT"
"""
KLINES = """
[[klines]]
symbol = "BTCUSDT"
"""
STRATEGIES = """
[strategies]
symbols = ["BTCUSDT"]
start = 2024-01-01
"""


@pytest.mark.parametrize(
    ("file", "jobs"),
    [
        (MARKETS, {"tick", "volume_profiles", "history", "upkeep"}),
        (KLINES, {"klines_5m_job", "sessions", "history_klines", "upkeep"}),
        (STRATEGIES, {"reports", "upkeep"}),
        (
            MARKETS + KLINES + STRATEGIES,
            {
                *("tick", "volume_profiles", "klines_5m_job", "sessions"),
                *("reports", "history", "history_klines", "upkeep"),
            },
        ),
    ],
    ids=["minutes alone", "bars alone", "daily bars alone", "everything"],
)
def test_a_catalog_may_have_any_part(tmp_path: Path, file: str, jobs: set[str]) -> None:
    path = tmp_path / "markets.toml"
    path.write_text(file)
    settings = Settings.model_validate({**SHIPPED, "markets_file": path})
    definitions = build_defs(settings, PostgresIOManager(database_url="unused"))
    names = {job.name for job in definitions.get_repository_def().get_all_jobs()}
    assert {name for name in names if not name.startswith("__")} == jobs
