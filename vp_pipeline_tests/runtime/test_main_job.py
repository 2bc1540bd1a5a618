from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from vp_pipeline.runtime.main_job import Stage, incomplete, stages
from vp_pipeline.settings import Settings, Source
from vp_pipeline_tests.runtime.fakes import FakeDagster

NOW = datetime(2026, 3, 4, 10, 20, tzinfo=UTC)

LIVE = """
[instruments.BTC]
row_size = 10
lead = "binance BTC/USDT"
[[markets]]
exchange = "binance"
symbol = "BTC/USDT"
[[markets]]
exchange = "kraken"
symbol = "BTC/USD"
[[klines]]
symbol = "BTCUSDT"
"""
RECORDED = """
[instruments.BTC]
row_size = 10
lead = "binance BTC/USDT"
[[markets]]
exchange = "binance"
symbol = "BTC/USDT"
[[klines]]
symbol = "LINKUSDT"
interval = "1m"
recorded = { start = 2025-01-01T00:00:00Z, end = 2025-01-01T03:00:00Z }
[[klines]]
symbol = "LINKUSDT"
interval = "5m"
recorded = { start = 2025-01-01T00:00:00Z, end = 2025-01-01T03:00:00Z }
[strategies]
symbols = ["BTCUSDT"]
start = 2021-01-01
recorded = { start = 2021-01-01T00:00:00Z, end = 2022-01-01T00:00:00Z }
[recording]
minutes = [
  { start = 2023-03-09T00:30:00Z, end = 2023-03-10T06:00:00Z },
  { start = 2023-05-01T00:00:00Z, end = 2023-05-01T02:00:00Z },
]
"""
PARTS = {
    "candles/binance/btc_usdt": 1.0,
    "coverage": 1.0,
    "aggregate/btc": 2.0,
    "volume_profile/btc": 3.0,
    "klines/linkusdt_1m": 4.0,
    "klines/linkusdt_5m": 4.0,
    "session_volatility/linkusdt_1m": 5.0,
    "session_volatility/linkusdt_5m": 5.0,
    "daily_returns": 5.0,
    "strategies": 5.0,
    "tearsheets/equal_weight": 6.0,
}
DONE = {
    ("coverage",): "2023-05-01-01:00",
    ("aggregate", "btc"): "2023-05-01-01:00",
    ("volume_profile", "btc"): "2023-05-01",
    ("klines", "linkusdt_1m"): "2025-01-01-02:00",
    ("klines", "linkusdt_5m"): "2025-01-01-02:00",
}


def settings(folder: Path, text: str, source: Source, first: datetime | None = None) -> Settings:
    path = folder / "markets.toml"
    path.write_text(text)
    return Settings(
        source=source,
        markets_file=path,
        database_url=SecretStr("postgresql:///x"),
        hourly_start=first,
    )


def shown(found: list[Stage]) -> list[tuple[str, str | None, str | None]]:
    tag = "dagster/asset_partition_range_"
    return [(s.job, s.tags.get(f"{tag}start"), s.tags.get(f"{tag}end")) for s in found]


def last_times(**changed: float) -> dict[tuple[str, ...], float]:
    return {tuple(name.split("/")): changed.get(name.split("/")[0], when) for name, when in PARTS.items()}


def test_a_new_live_platform_gets_yesterday_today_and_a_week_of_bars(tmp_path: Path) -> None:
    found = list(stages(settings(tmp_path, LIVE, "live"), NOW, FakeDagster()))
    assert shown(found) == [
        ("tick", "2026-03-03-00:00", "2026-03-03-23:00"),
        ("tick", "2026-03-04-00:00", "2026-03-04-10:00"),
        ("volume_profiles", "2026-03-03", "2026-03-04"),
        ("klines_5m_job", "2026-02-25-10:00", "2026-03-04-10:00"),
        ("sessions", "2026-03-04", "2026-03-04"),
    ]
    # Two markets, one instrument's aggregate and profiles, and the coverage, for each of 24 hours.
    assert found[0].events == 5 * 24
    assert found[3].assets == (("klines", "btcusdt"),)


def test_the_last_hour_of_an_exchange_that_goes_on_is_fetched_again(tmp_path: Path) -> None:
    done: dict[tuple[str, ...], str] = {
        ("aggregate", "btc"): "2026-03-04-09:00",
        ("klines", "btcusdt"): "2026-03-04-10:00",
    }
    found = list(stages(settings(tmp_path, LIVE, "live"), NOW, FakeDagster(done)))
    assert shown(found)[0] == ("tick", "2026-03-04-09:00", "2026-03-04-10:00")
    assert shown(found)[2] == ("klines_5m_job", "2026-03-04-10:00", "2026-03-04-10:00")
    assert [stage.job for stage in found] == ["tick", "volume_profiles", "klines_5m_job", "sessions"]


def test_a_first_hour_that_is_set_bounds_the_sandbox(tmp_path: Path) -> None:
    first = datetime(2026, 3, 4, 6, tzinfo=UTC)
    found = list(stages(settings(tmp_path, LIVE, "sandbox", first), NOW, FakeDagster()))
    assert shown(found)[:3] == [
        ("tick", "2026-03-04-06:00", "2026-03-04-10:00"),
        ("volume_profiles", "2026-03-04", "2026-03-04"),
        ("klines_5m_job", "2026-03-04-06:00", "2026-03-04-10:00"),
    ]


def test_a_recording_is_run_stretch_by_stretch_and_interval_by_interval(tmp_path: Path) -> None:
    found = list(stages(settings(tmp_path, RECORDED, "replay"), NOW, FakeDagster()))
    assert shown(found) == [
        ("tick", "2023-03-09-00:00", "2023-03-09-23:00"),
        ("tick", "2023-03-10-00:00", "2023-03-10-05:00"),
        ("tick", "2023-05-01-00:00", "2023-05-01-01:00"),
        ("volume_profiles", "2023-03-09", "2023-03-10"),
        ("volume_profiles", "2023-05-01", "2023-05-01"),
        ("klines_1m_job", "2025-01-01-00:00", "2025-01-01-02:00"),
        ("klines_5m_job", "2025-01-01-00:00", "2025-01-01-02:00"),
        ("sessions", "2025-01-01", "2025-01-01"),
        ("reports", None, None),
    ]
    # One symbol at two intervals is two assets.
    assert [stage.assets for stage in found[5:7]] == [
        (("klines", "linkusdt_1m"),),
        (("klines", "linkusdt_5m"),),
    ]


# Kraken answers with 720 minutes, the open one among them: eleven whole hours.
def test_no_run_covers_more_hours_than_an_exchange_of_the_recording_remembers(tmp_path: Path) -> None:
    text = RECORDED.replace(
        "[recording]", '[[markets]]\nexchange = "kraken"\nsymbol = "BTC/USD"\n[recording]'
    )
    found = list(stages(settings(tmp_path, text, "replay"), NOW, FakeDagster()))
    ticks = [stage for stage in shown(found) if stage[0] == "tick"]
    assert ticks[:2] == [
        ("tick", "2023-03-09-00:00", "2023-03-09-10:00"),
        ("tick", "2023-03-09-11:00", "2023-03-09-21:00"),
    ]


def test_a_recording_that_is_done_needs_no_run(tmp_path: Path) -> None:
    dagster = FakeDagster(DONE, last_times())
    assert list(stages(settings(tmp_path, RECORDED, "replay"), NOW, dagster)) == []


@pytest.mark.parametrize(
    ("newer", "jobs"),
    [
        ({"aggregate": 3.5}, ["volume_profiles", "volume_profiles"]),
        ({"coverage": 3.5}, ["volume_profiles", "volume_profiles"]),
        ({"klines": 5.5}, ["sessions", "reports"]),
        ({"session_volatility": 3.0}, ["sessions"]),
    ],
)
def test_what_was_computed_from_older_data_is_computed_again(
    tmp_path: Path, newer: dict[str, float], jobs: list[str]
) -> None:
    dagster = FakeDagster(DONE, last_times(**newer))
    assert [stage.job for stage in stages(settings(tmp_path, RECORDED, "replay"), NOW, dagster)] == jobs


def test_a_recording_that_was_cut_off_goes_on_where_it_was(tmp_path: Path) -> None:
    done = DONE | {("aggregate", "btc"): "2023-03-09-04:00"}
    found = list(stages(settings(tmp_path, RECORDED, "replay"), NOW, FakeDagster(done, last_times())))
    assert shown(found)[:2] == [
        ("tick", "2023-03-09-05:00", "2023-03-10-04:00"),
        ("tick", "2023-03-10-05:00", "2023-03-10-05:00"),
    ]


def test_what_of_a_recording_was_never_asked_for_is_named(tmp_path: Path) -> None:
    done = DONE | {("coverage",): "2023-03-09-22:00"}
    del done["klines", "linkusdt_5m"]
    assert incomplete(settings(tmp_path, RECORDED, "replay"), FakeDagster(done)) == [
        "coverage from 2023-03-09 23:00 to 2023-03-10 06:00 UTC",
        "coverage from 2023-05-01 00:00 to 2023-05-01 02:00 UTC",
        "klines/linkusdt_5m from 2025-01-01 00:00 to 2025-01-01 03:00 UTC",
    ]
    assert incomplete(settings(tmp_path, RECORDED, "replay"), FakeDagster(DONE)) == []
    assert incomplete(settings(tmp_path, LIVE, "live"), FakeDagster()) == []


def test_daily_bars_alone_need_the_reports_alone(tmp_path: Path) -> None:
    text = RECORDED[RECORDED.index("[strategies]") : RECORDED.index("minutes = [")]
    found = list(stages(settings(tmp_path, text, "replay"), NOW, FakeDagster()))
    assert shown(found) == [("reports", None, None)]


def test_midnight_has_an_open_hour_of_its_own(tmp_path: Path) -> None:
    midnight = datetime(2026, 3, 4, tzinfo=UTC) + timedelta(seconds=1)
    found = shown(list(stages(settings(tmp_path, LIVE, "live"), midnight, FakeDagster())))
    assert found[1] == ("tick", "2026-03-04-00:00", "2026-03-04-00:00")
