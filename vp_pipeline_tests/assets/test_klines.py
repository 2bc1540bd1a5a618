"""Bars of perpetuals: what is stored stays, and what is missing is asked for again."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest
from dagster import AssetKey, ExecuteInProcessResult

from vp_pipeline.assets import klines_run as step
from vp_pipeline.catalog import Klines
from vp_pipeline.exchanges.frames import Fetched
from vp_pipeline.sandbox.clock import Clock
from vp_pipeline.sandbox.generator import GeneratedSource
from vp_pipeline.storage import klines, rows
from vp_pipeline.storage.connection import transaction
from vp_pipeline.storage.tables import KLINE
from vp_pipeline.windows import DAY, HOUR, MINUTE, Window
from vp_pipeline_tests.assets import recordings
from vp_pipeline_tests.assets.conftest import Replayed
from vp_pipeline_tests.assets.histories import settings_of
from vp_pipeline_tests.assets.recordings import START

MIDNIGHT = datetime(2025, 3, 5, tzinfo=UTC)
JOB = "klines_15m_job"
BAR = timedelta(minutes=15)
BTC = klines.scope_of("BTCUSDT", "15m")


@pytest.fixture
def live(replayed: Replayed) -> Replayed:
    """Exchanges with a clock of their own, and a run of the first hour behind it."""
    with transaction(replayed.url) as connection:
        connection.execute("TRUNCATE kline")
    platform = replayed.at_our_own_time()
    at(platform, START + HOUR)
    return platform


def at(platform: Replayed, now: datetime) -> ExecuteInProcessResult:
    """The run of the schedule at that time: the hour that has ended and the open one."""
    platform.clock(now + 4 * MINUTE)
    return platform.run(JOB, now - HOUR, now)


def stored(platform: Replayed) -> pd.DataFrame:
    with transaction(platform.url) as connection:
        return rows.read(connection, KLINE, BTC)


def recorded(platform: Replayed, window: Window) -> pd.DataFrame:
    file = pd.read_csv(platform.recording / "usdm_15m" / "BTCUSDT.csv")
    times = pd.to_datetime(file["open_time_ms"], unit="ms", utc=True)
    return file[(times >= window.start) & (times < window.end)]


def told(result: ExecuteInProcessResult) -> dict[str | None, int]:
    """Rows that were reported, by partition."""
    events = result.get_asset_materialization_events()
    return {
        event.materialization.partition: int(str(event.materialization.metadata["rows"].value))
        for event in events
        if event.asset_key == AssetKey(["klines", "btcusdt"])
    }


def test_an_answer_of_nothing_deletes_nothing(live: Replayed) -> None:
    before = stored(live)
    assert len(before) == 4
    live.faults({"exchange": "binanceusdm", "kind": "empty_list"})
    result = at(live, START + HOUR)
    live.faults()
    assert told(result) == {f"{START:%Y-%m-%d-%H:%M}": 4}
    pd.testing.assert_frame_equal(stored(live), before)


def test_hours_without_a_run_are_healed_by_the_next(live: Replayed) -> None:
    with transaction(live.url) as connection:
        connection.execute("DELETE FROM kline WHERE open_time = %s", [START + BAR])
    result = at(live, START + 5 * HOUR)
    hours = {f"{START + n * HOUR:%Y-%m-%d-%H:%M}": 4 for n in range(5)}
    assert told(result) == hours
    truth = recorded(live, Window(START, START + 5 * HOUR))
    assert stored(live)["volume"].tolist() == truth["volume"].tolist()
    with transaction(live.url) as connection:
        assert klines.gaps(connection, BTC, Window(START, START + 5 * HOUR), BAR) == []


@pytest.mark.parametrize("hours", [3, 4], ids=["by the next run", "by the one after a run that failed"])
def test_young_bars_are_asked_for_once_more(live: Replayed, hours: int) -> None:
    live.faults({"exchange": "binanceusdm", "kind": "revised", "minutes": 5, "market": "BTC/USDT"})
    live.clock(START + 2 * HOUR + MINUTE)
    live.run(JOB, START + HOUR, START + 2 * HOUR)
    live.faults()
    hour = Window(START + HOUR, START + 2 * HOUR)
    truth = recorded(live, hour)["volume"].tolist()
    early = stored(live)["volume"].tolist()[4:]
    assert early[:3] == truth[:3]
    assert early[3] < truth[3]
    at(live, START + hours * HOUR)
    assert stored(live)["volume"].tolist()[4:8] == truth


def test_late_bars_just_before_the_run_are_told_of_their_hour(live: Replayed) -> None:
    with transaction(live.url) as connection:
        connection.execute("DELETE FROM kline WHERE open_time = %s", [START + 3 * BAR])
    result = at(live, START + 2 * HOUR)
    assert told(result)[f"{START:%Y-%m-%d-%H:%M}"] == 4


def test_a_run_of_the_past_asks_for_its_own_hours_alone(live: Replayed) -> None:
    live.clock(START + 9 * HOUR)
    live.run(JOB, START + 6 * HOUR)
    assert len(stored(live)) == 8


def test_only_so_old_gaps_are_healed(live: Replayed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(step, "HEALED", 2 * HOUR)
    at(live, START + 6 * HOUR)
    with transaction(live.url) as connection:
        found = klines.gaps(connection, BTC, Window(START, START + 6 * HOUR), BAR)
    assert found == [Window(START + HOUR, START + 3 * HOUR)]


def test_without_time_left_the_own_hours_come_first(live: Replayed) -> None:
    hurried = live.settings.model_copy(update={"source": "sandbox", "heal_seconds": 0.0})
    live.clock(START + 4 * HOUR + 4 * MINUTE)
    series = {AssetKey(["klines", "btcusdt"]): live.settings.catalog.klines[0]}
    (outcomes,) = step._ask(hurried, live.url, series, Window(START + 3 * HOUR, START + 5 * HOUR)).values()
    assert len(outcomes) == 1


def test_a_days_first_bar_comes_with_the_run_after_its_close(database_url: str, tmp_path: Path) -> None:
    """By hourly runs alone, where no other job has stored a bar."""
    series, key = Klines(symbol="BTCUSDT", interval="1d"), AssetKey(["klines", "btcusdt"])
    for hours in (0, 1):  # by the next run, if that one failed
        now = MIDNIGHT + hours * HOUR
        with recordings.serving(GeneratedSource(seed=3), Clock(now + 4 * MINUTE, frozen=True)) as address:
            settings = settings_of(tmp_path, database_url, address)
            [answer] = step._ask(settings, database_url, {key: series}, Window(now - HOUR, now + HOUR))[key]
        assert isinstance(answer, Fetched)
        assert answer.frame["open_time"].max() == MIDNIGHT - DAY
