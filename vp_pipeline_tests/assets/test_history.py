"""The history's assets as Dagster runs them, over the sandbox and a real database."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from dagster import AssetKey, DagsterEventType, DagsterInstance, Definitions, ExecuteInProcessResult

from vp_pipeline.assets import history_rounds
from vp_pipeline.assets.aggregate_run import recompute
from vp_pipeline.assets.build import build_defs
from vp_pipeline.assets.history_klines import load_bars
from vp_pipeline.assets.history_spot import SpotHistory
from vp_pipeline.assets.keys import HISTORY_JOB, HISTORY_KLINES_JOB, MONTH_FORMAT, range_tags
from vp_pipeline.sandbox.candles import FUTURES, STEPS_MS
from vp_pipeline.sandbox.clock import Clock
from vp_pipeline.sandbox.generator import GeneratedSource
from vp_pipeline.storage import rows, stale
from vp_pipeline.storage.connection import transaction
from vp_pipeline.storage.io_manager import PostgresIOManager
from vp_pipeline.storage.tables import AGGREGATE, KLINE
from vp_pipeline.windows import DAY, HOUR, MINUTE, Window, to_ms
from vp_pipeline_tests.assets import recordings
from vp_pipeline_tests.assets.conftest import Replayed
from vp_pipeline_tests.assets.histories import MARKETS, Platform, month, settings_of
from vp_pipeline_tests.dumps import dump

NOW = datetime(2025, 3, 5, 12, 0, 30, tzinfo=UTC)
BUSD = AssetKey(["history", "binance", "btc_busd"])
FTX = AssetKey(["history", "ftx", "btc_usd"])
COVERAGE = AssetKey(["history", "coverage"])
AGGREGATED = AssetKey(["history", "aggregate", "btc"])
MONTHLY_BARS = "data/futures/um/monthly/klines/BTCUSDT/15m/BTCUSDT-15m-2024-12.zip"

ETHER = """
[instruments.ETH]
row_size = 1
lead = "binance ETH/USDT"

[[markets]]
exchange = "binance"
symbol = "ETH/USDT"
"""


@pytest.fixture(scope="module")
def here(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    source, clock = GeneratedSource(7), Clock(NOW, frozen=True)
    with recordings.serving(source, clock) as address:
        yield Platform(
            settings_of(tmp_path_factory.mktemp("home"), database_url, address), source, clock, address
        )


@pytest.fixture(scope="module")
def definitions(here: Platform) -> Definitions:
    return build_defs(here.settings, PostgresIOManager(database_url=here.url))


def run(
    definitions: Definitions, job: str, key: str, only: list[AssetKey] | None, must_succeed: bool = True
) -> ExecuteInProcessResult:
    when = datetime.strptime(key, MONTH_FORMAT).replace(tzinfo=UTC)
    with DagsterInstance.ephemeral() as instance:
        return definitions.resolve_job_def(job).execute_in_process(
            instance=instance,
            tags=range_tags(when, when, MONTH_FORMAT),
            asset_selection=only,
            raise_on_error=must_succeed,
        )


def metadata_of(result: ExecuteInProcessResult, key: AssetKey) -> dict[str, object]:
    """The metadata of the key's only event."""
    events = [event for event in result.get_asset_materialization_events() if event.asset_key == key]
    events += [
        event
        for event in result.filter_events(lambda e: e.event_type == DagsterEventType.ASSET_OBSERVATION)
        if event.asset_key == key
    ]
    (event,) = events
    data = event.event_specific_data
    told = getattr(data, "materialization", None) or getattr(data, "asset_observation", None)
    assert told is not None
    assert told.partition
    return {name: value.value for name, value in told.metadata.items()}


def test_months_reach_from_the_setting_to_the_one_that_is_not_over(definitions: Definitions) -> None:
    partitions = definitions.resolve_assets_def(FTX).partitions_def
    assert partitions is not None
    keys = partitions.get_partition_keys()
    assert (keys[0], keys[-1]) == ("2021-01", datetime.now(UTC).strftime(MONTH_FORMAT))


def test_a_month_of_minutes_with_its_aggregate(here: Platform, definitions: Definitions) -> None:
    here.forget()
    window = month(2023, 12)
    result = run(definitions, HISTORY_JOB, "2023-12", [BUSD, FTX, COVERAGE, AGGREGATED])
    busd = metadata_of(result, BUSD)
    assert (busd["rows"], busd["exchange_empty"], busd["unknown"]) == (14 * 1440, 1440, 0)
    assert busd["sources"] == f"archive {14 * 1440}"
    # It ended a year earlier: nothing of the month is expected.
    assert metadata_of(result, FTX)["rows"] == 0
    assert metadata_of(result, COVERAGE)["got"] == 14 * 1440
    assert metadata_of(result, AGGREGATED)["hours_with_new_candles"] == 14 * 24
    with transaction(here.url) as connection:
        table = rows.read(connection, AGGREGATE, {"base": "BTC"}, window)
    truth = here.truth("binance BTC/BUSD", window)
    assert table["volume"].tolist() == truth.volume.tolist()
    before = dump(here.url)
    again = run(definitions, HISTORY_JOB, "2023-12", [BUSD, FTX, COVERAGE, AGGREGATED])
    assert metadata_of(again, BUSD)["new"] == 0
    assert metadata_of(again, AGGREGATED)["hours_with_new_candles"] == 0
    assert dump(here.url) == before


def test_a_market_without_an_answer_is_observed_and_a_run_of_nothing_else_fails(
    here: Platform, definitions: Definitions, monkeypatch: pytest.MonkeyPatch
) -> None:
    here.forget()
    monkeypatch.setattr(history_rounds, "ROUND", DAY)
    here.faults({"exchange": "bitstamp", "kind": "status", "status": 451})
    bitstamp = AssetKey(["history", "bitstamp", "btc_usd"])
    with_another = run(definitions, HISTORY_JOB, "2022-11", [bitstamp, FTX, COVERAGE])
    assert with_another.success
    told = metadata_of(with_another, bitstamp)
    assert told["unknown"] == month(2022, 11).count(MINUTE)
    assert "refuses this address" in str(told["problems"])
    assert not [e for e in with_another.get_asset_materialization_events() if e.asset_key == bitstamp]
    alone = run(definitions, HISTORY_JOB, "2022-11", [bitstamp, COVERAGE], must_succeed=False)
    assert not alone.success
    here.faults()


def test_bars_from_files_with_and_without_a_header(here: Platform, definitions: Definitions) -> None:
    here.forget()
    for key in ("2022-06", "2022-07"):
        result = run(definitions, HISTORY_KLINES_JOB, key, None)
        days = 30 if key == "2022-06" else 31
        assert metadata_of(result, AssetKey(["history", "klines", "btcusdt"]))["rows"] == days * 96
        assert metadata_of(result, AssetKey(["history", "klines", "ethusdt"]))["bars_missing"] == 0
    window = month(2022, 6).hull(month(2022, 7))
    market = next(m for m in here.source.markets(FUTURES) if m.symbol == "BTC/USDT")
    stop = to_ms(window.end)
    truth = here.source.candles(market, STEPS_MS["15m"], to_ms(window.start), stop, stop)
    with transaction(here.url) as connection:
        table = rows.read(connection, KLINE, {"symbol": "BTCUSDT", "interval": "15m"}, window)
    for column in ("open", "high", "low", "close", "volume", "quote_volume", "taker_buy_volume"):
        assert table[column].tolist() == getattr(truth, column).tolist(), column
    assert table["trades"].tolist() == truth.trades.tolist()
    before = dump(here.url)
    run(definitions, HISTORY_KLINES_JOB, "2022-07", None)
    assert dump(here.url) == before


def test_bars_of_days_and_of_a_revised_file(here: Platform) -> None:
    here.forget()
    (series, _) = here.settings.catalog.klines
    (march,) = load_bars(here.settings, here.url, [series], month(2025, 3), NOW)
    assert (march.stored, march.new, march.missing) == (4 * 96, 4 * 96, 48)
    (december,) = load_bars(here.settings, here.url, [series], month(2024, 12), NOW)
    assert (december.new, december.revised, december.missing) == (31 * 96, 0, 0)
    here.revise(MONTHLY_BARS)
    (december,) = load_bars(here.settings, here.url, [series], month(2024, 12), NOW)
    assert (december.new, december.revised) == (0, -(-31 * 96 // 7))
    here.revise()
    here.faults({"exchange": "binance_archive", "kind": "status", "status": 451})
    (january,) = load_bars(here.settings, here.url, [series], month(2025, 1), NOW)
    assert "use another network" in january.problems[0]
    here.faults()


def test_a_replay_has_no_history(replayed: Replayed) -> None:
    keys = {key for asset in replayed.definitions.assets or () for key in getattr(asset, "keys", ())}
    assert keys
    assert not {key for key in keys if key.path[0] == "history"}


def test_other_instruments_are_made_again_when_rates_come_later(here: Platform, tmp_path: Path) -> None:
    here.forget()
    settings = settings_of(tmp_path, here.url, here.sandbox, MARKETS + ETHER)
    hours = Window(month(2024, 2).start, month(2024, 2).start + 3 * HOUR)
    SpotHistory(settings, here.url).load(
        [market for market in settings.catalog.markets if market.retired is None], hours
    )
    for base in ("ETH", "BTC"):
        recompute(here.url, settings, base, hours)
    with transaction(here.url) as connection:
        assert stale.pending(connection, stale.AGGREGATE, "BTC") == []
        assert stale.pending(connection, stale.AGGREGATE, "ETH") == [hour.start for hour in hours.split(HOUR)]
    for base in ("ETH", "BTC"):
        recompute(here.url, settings, base, hours)
    with transaction(here.url) as connection:
        assert stale.pending(connection, stale.AGGREGATE, "ETH") == []
