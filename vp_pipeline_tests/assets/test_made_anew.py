"""What is made anew after candles or the markets file have changed, and that nothing of the old stays."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from vp_pipeline.analytics.errors import NotEnoughData
from vp_pipeline.assets import aggregate_run, hour_profiles_run, profile_frames
from vp_pipeline.assets.volume_profile import make
from vp_pipeline.settings import Settings
from vp_pipeline.storage import artifacts, rows, stale
from vp_pipeline.storage.connection import transaction
from vp_pipeline.storage.profile_tables import NAKED_POC
from vp_pipeline.storage.tables import TABLES
from vp_pipeline.windows import DAY, HOUR, Window, union
from vp_pipeline_tests.assets.made_markets import keep, settings_of

MONDAY = datetime(2025, 9, 1, tzinfo=UTC)
BINANCE, COINBASE, KRAKEN = "binance BTC/USDT", "coinbaseexchange BTC/USD", "kraken BTC/USD"


@pytest.fixture
def empty(database_url: str) -> str:
    with transaction(database_url) as connection:
        connection.execute(f"TRUNCATE {', '.join(name for name in TABLES if name != 'coverage')}, artifact")
    return database_url


def profile_hours(url: str, settings: Settings) -> None:
    with transaction(url) as connection:
        pending = stale.pending(connection, stale.PROFILE_HOURS, "BTC")
    for span in union(Window(hour, hour + HOUR) for hour in pending):
        hour_profiles_run.recompute(url, settings, "BTC", span)


def waiting_days(url: str) -> list[datetime]:
    with transaction(url) as connection:
        return sorted(stale.pending_days(connection, stale.VOLUME_PROFILE, "BTC", 31))


def test_a_day_that_has_no_priced_volume_any_more_keeps_no_profile(empty: str, tmp_path: Path) -> None:
    settings = settings_of(tmp_path, empty, dict.fromkeys([BINANCE, COINBASE]))
    day = Window(MONDAY, MONDAY + DAY)
    keep(empty, BINANCE, day)
    aggregate_run.recompute(empty, settings, "BTC", day)
    make(empty, settings, "BTC", MONDAY, "run")
    with transaction(empty) as connection:
        for table in profile_frames.TABLES:
            assert rows.read(connection, table, {"base": "BTC"}).empty == (table is NAKED_POC), table.name
        assert len(artifacts.listing(connection)) == 3
    # From now on there is a dollar market, which did not trade: nobody knows what a dollar was.
    keep(empty, COINBASE, day, left_out=[day])
    aggregate_run.recompute(empty, settings, "BTC", day)
    profile_hours(empty, settings)
    assert waiting_days(empty) == [MONDAY]
    with pytest.raises(NotEnoughData):
        make(empty, settings, "BTC", MONDAY, "run")
    assert waiting_days(empty) == []
    with transaction(empty) as connection:
        for table in profile_frames.TABLES:
            assert rows.read(connection, table, {"base": "BTC"}).empty, table.name
        assert artifacts.listing(connection) == []
