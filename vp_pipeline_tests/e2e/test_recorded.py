"""After a replay: the tables equal what pandas makes of the files, and running again changes nothing."""

from pathlib import Path

import numpy as np
import pandas as pd
import psycopg
import pytest

from vp_pipeline.runtime.dagster_api import DagsterApi
from vp_pipeline.storage import artifacts, rows
from vp_pipeline.storage.connection import transaction
from vp_pipeline.storage.tables import AGGREGATE, DAILY_RETURN, KLINE, MARKET_CANDLE, STRATEGY_RETURN
from vp_pipeline_tests.dumps import dump
from vp_pipeline_tests.e2e.conftest import Running

pytestmark = [pytest.mark.platform, pytest.mark.timeout(1800)]

PRICES = ["open", "high", "low", "close"]


def market_files(folder: Path) -> dict[str, pd.DataFrame]:
    """Recorded minute candles by market name, indexed by open time."""
    files = {}
    for path in sorted(folder.glob("minute*/*.csv*")):
        exchange, symbol = path.name.split(".")[0].split("_")
        name = f"{'coinbaseexchange' if exchange == 'coinbase' else exchange} {symbol.replace('-', '/')}"
        frame = pd.read_csv(path)
        files[name] = frame.set_index(
            pd.to_datetime(frame["open_time_ms"], unit="ms", utc=True).dt.as_unit("us")
        )
    return files


@pytest.fixture(scope="module")
def files(running: Running) -> dict[str, pd.DataFrame]:
    found = market_files(running.recording)
    assert found, "the recording has no minute candles"
    return found


def test_every_asset_is_there(running: Running) -> None:
    assets = DagsterApi(running.dagster).assets()
    assert {asset.path[0] for asset in assets} >= {"candles", "aggregate", "volume_profile", "tearsheets"}
    # Upkeep is done by schedule, not by the main job.
    made = [asset for asset in assets if asset.path[0] not in ("backup", "maintenance")]
    assert [asset.path for asset in made if not asset.materialized] == []


def test_candles_are_the_files(running: Running, files: dict[str, pd.DataFrame]) -> None:
    with transaction(running.database_url) as connection:
        for name, file in files.items():
            exchange, symbol = name.split()
            scope = {"exchange": exchange, "symbol": symbol}
            stored = rows.read(connection, MARKET_CANDLE, scope).set_index("open_time")
            assert stored.index.equals(file.index), name
            for column in [*PRICES, "volume"]:
                assert np.array_equal(stored[column], file[column]), (name, column)


def test_the_aggregate_is_the_sum_of_the_files(running: Running, files: dict[str, pd.DataFrame]) -> None:
    volumes = pd.concat({name: file["volume"] for name, file in files.items()}, axis=1)
    lead = files["binance BTC/USDT"]
    with transaction(running.database_url) as connection:
        stored = rows.read(connection, AGGREGATE, {"base": "BTC"}).set_index("open_time")
    assert stored.index.equals(volumes.index)
    np.testing.assert_allclose(stored["volume"], volumes.sum(axis=1), rtol=1e-9)
    for column in PRICES:
        assert np.array_equal(stored[column], lead[column].reindex(stored.index))
    assert np.array_equal(stored["markets"].astype(int), volumes.notna().sum(axis=1))
    for names, (_, row) in zip(stored["missing"], volumes.iterrows(), strict=True):
        assert set(filter(None, names.split(", "))) == set(row.index[row.isna()])


def test_bars_returns_and_equal_weight_are_those_of_the_files(running: Running) -> None:
    with transaction(running.database_url) as connection:
        for path in running.recording.glob("usdm_*/*.csv*"):
            interval = path.parent.name.split("_")[1]
            scope = {"symbol": path.name.split(".")[0], "interval": interval}
            stored, file = rows.read(connection, KLINE, scope), pd.read_csv(path)
            assert np.array_equal(stored["close"], file["close"]), path
            assert np.array_equal(stored["volume"], file["volume"]), path
        returns = rows.read(connection, DAILY_RETURN, {})
        strategy = rows.read(connection, STRATEGY_RETURN, {"strategy": "equal_weight"})
    closes = {}
    for path in running.recording.glob("daily*/*.csv*"):
        frame = pd.read_csv(path)
        closes[path.name.split(".")[0]] = frame.set_index(frame["open_time"].str[:10])["close"]
    expected = pd.DataFrame(closes).pct_change().loc["2021-01-02":].mean(axis=1)
    assert len(returns) == len(closes) * (len(expected) + 1)
    np.testing.assert_allclose(strategy["return"].iloc[1:], expected, rtol=1e-9, atol=1e-15)


def test_running_any_part_again_changes_no_byte(running: Running) -> None:
    dagster = DagsterApi(running.dagster)
    before = dump(running.database_url)
    parts = {
        "tick": {"dagster/partition": "2023-03-10-07:00"},
        "volume_profiles": {"dagster/partition": "2023-03-11"},
        "klines_5m_job": {"dagster/partition": "2025-01-17-12:00"},
        "sessions": {"dagster/partition": "2025-01-31"},
        "reports": {},
    }
    for job, tags in parts.items():
        dagster.follow(dagster.launch(job, tags), lambda _: None)
    assert dump(running.database_url) == before


def test_every_artifact_matches_its_checksum(running: Running) -> None:
    with psycopg.connect(running.database_url) as connection:
        listed = artifacts.listing(connection)
        assert {a.name for a in listed} >= {
            "volume_profile/btc",
            "session_volatility/btcusdt",
            "tearsheets/mean_reversion",
        }
        for artifact in listed:
            content = artifacts.content(connection, artifact.name, artifact.partition)
            assert content is not None
            assert len(content) == artifact.size
            assert b"RECORDED DATA" in content
