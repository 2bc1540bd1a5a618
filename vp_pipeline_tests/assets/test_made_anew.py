"""What is made anew after candles or the markets file have changed, and that nothing of the old stays."""

from collections.abc import Iterable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Literal

import psycopg
import pytest

from vp_pipeline.analytics.errors import NotEnoughData
from vp_pipeline.assets import aggregate_basis, aggregate_run, hour_profiles_run, profile_frames
from vp_pipeline.assets.aggregate import rates_first
from vp_pipeline.assets.volume_profile_run import make
from vp_pipeline.catalog import Catalog
from vp_pipeline.settings import Settings
from vp_pipeline.storage import artifacts, ledger, profiles, rows, stale
from vp_pipeline.storage.connection import Connection, transaction
from vp_pipeline.storage.ledger import Finding
from vp_pipeline.storage.markets import market_ids
from vp_pipeline.storage.profile_tables import NAKED_POC
from vp_pipeline.storage.tables import TABLES
from vp_pipeline.windows import DAY, HOUR, MINUTE, Window, union
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


def tick(url: str, settings: Settings, window: Window) -> None:
    """Make what a tick of these hours would."""
    for base in rates_first(settings.catalog):
        aggregate_run.catch_up(url, settings, base, window)
    profile_hours(url, settings)


def waiting(url: str, base: str = "BTC") -> list[datetime]:
    with transaction(url) as connection:
        return stale.pending(connection, stale.AGGREGATE, base)


def computed(url: str) -> dict[str, list[tuple[object, ...]]]:
    names = ("aggregate", "quote_rate", "venue_verdict", "profile")
    with transaction(url) as connection:
        return {
            name: connection.execute(f"SELECT * FROM {name} ORDER BY {name}").fetchall() for name in names
        }


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
    # A dollar market that traded before and not on this day: nobody knows what a dollar was.
    keep(empty, COINBASE, Window(MONDAY - 3 * DAY, MONDAY - 2 * DAY))
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


@pytest.mark.parametrize("state", ["answered", "unfetchable"], ids=["not listed yet", "forgotten"])
def test_a_dollar_market_that_cannot_be_had_leaves_the_others_at_par(
    empty: str, tmp_path: Path, state: Literal["answered", "unfetchable"]
) -> None:
    settings = settings_of(tmp_path, empty, dict.fromkeys([BINANCE, COINBASE]))
    days = Window(MONDAY, MONDAY + 2 * DAY)
    keep(empty, BINANCE, days)
    tick(empty, settings, days)
    alone = computed(empty)
    with transaction(empty) as connection:
        [number] = market_ids(connection, [("coinbaseexchange", "BTC/USD")]).values()
        ledger.record(connection, [Finding(number, days, state, "it is so")])
    aggregate_run.recompute(empty, settings, "BTC", days)
    assert computed(empty) == alone
    keep(empty, COINBASE, Window(days.end, days.end + HOUR))
    aggregate_run.recompute(empty, settings, "BTC", days)
    assert computed(empty) == alone


def test_a_rate_is_no_forecast(empty: str, tmp_path: Path) -> None:
    settings = settings_of(tmp_path, empty, dict.fromkeys([BINANCE, COINBASE]))
    until = MONDAY + 12 * HOUR + 15 * MINUTE
    for market in (BINANCE, COINBASE):
        keep(empty, market, Window(MONDAY, until))
    tick(empty, settings, Window(MONDAY + 12 * HOUR, MONDAY + 13 * HOUR))
    with transaction(empty) as connection:
        found = connection.execute("SELECT quote, max(open_time) FROM quote_rate GROUP BY 1 ORDER BY 1")
        assert found.fetchall() == [("USD", until - MINUTE), ("USDT", until - MINUTE)]


def test_whoever_is_broken_off_in_a_deadlock_begins_anew(
    empty: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_of(tmp_path, empty, {BINANCE: None})
    keep(empty, BINANCE, Window(MONDAY, MONDAY + DAY))
    clear, struck = stale.clear, set[str]()

    def clear_once(connection: Connection, consumer: str, base: str, hours: Iterable[datetime]) -> Any:
        gone = clear(connection, consumer, base, hours)
        if consumer not in struck:
            struck.add(consumer)
            raise psycopg.errors.DeadlockDetected("somebody else goes on")
        return gone

    monkeypatch.setattr(stale, "clear", clear_once)
    tick(empty, settings, Window(MONDAY, MONDAY + DAY))
    make(empty, settings, "BTC", MONDAY, "run")
    assert struck == {stale.AGGREGATE, stale.PROFILE_HOURS, stale.VOLUME_PROFILE}
    assert (waiting(empty), waiting_days(empty)) == ([], [])
    with transaction(empty) as connection:
        assert len(artifacts.listing(connection)) == 3


def test_the_week_so_far_of_later_days_follows_a_day_that_is_healed(empty: str, tmp_path: Path) -> None:
    settings = settings_of(tmp_path, empty, {BINANCE: None})
    sunday = MONDAY - DAY
    days = Window(sunday, MONDAY + 4 * DAY)
    gap = Window(MONDAY + DAY + 5 * HOUR, MONDAY + DAY + 6 * HOUR)
    keep(empty, BINANCE, days, left_out=[gap])
    tick(empty, settings, days)
    # The last day has no profile yet.
    made = [sunday, MONDAY, MONDAY + DAY, MONDAY + 2 * DAY]
    for day in made:
        make(empty, settings, "BTC", day, "run")
    with transaction(empty) as connection:
        connection.execute("DELETE FROM stale_hour")
    keep(empty, BINANCE, gap)
    aggregate_run.recompute(empty, settings, "BTC", gap)
    profile_hours(empty, settings)
    assert waiting_days(empty) == made[2:]
    for day in waiting_days(empty):
        make(empty, settings, "BTC", day, "run")
    assert waiting_days(empty) == []
    with transaction(empty) as connection:
        stored = connection.execute(
            "SELECT day, volume FROM composite_level WHERE span = 'week' ORDER BY day"
        ).fetchall()
        assert [volume for _, volume in stored[1:]] == [
            profiles.total(connection, "BTC", Window(MONDAY, day + DAY)).rows.total for day in made[1:]
        ]


THREE: dict[str, date | None] = dict.fromkeys([BINANCE, COINBASE, KRAKEN])
TWIN = "bitstamp BTC/USD"
HOURS = Window(MONDAY, MONDAY + DAY + 2 * HOUR)
LAST = Window(HOURS.end - HOUR, HOURS.end)


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param(dict.fromkeys([BINANCE, COINBASE, TWIN]), id="a market is gone"),
        pytest.param(dict.fromkeys([BINANCE, TWIN, COINBASE, KRAKEN]), id="in another order"),
        pytest.param(dict.fromkeys([KRAKEN, BINANCE, COINBASE, TWIN]), id="another lead"),
        pytest.param({**THREE, KRAKEN: MONDAY.date(), TWIN: None}, id="one is retired"),
    ],
)
def test_stored_hours_follow_the_markets_file_and_back(
    empty: str, tmp_path: Path, changed: dict[str, date | None]
) -> None:
    for market in THREE:
        gap = Window(MONDAY + 5 * HOUR, MONDAY + 6 * HOUR)
        keep(empty, market, HOURS, left_out=[gap] if market == KRAKEN else [])
    # Of the two with the same candles, the order decides which is left out.
    keep(empty, TWIN, HOURS, like=COINBASE)
    files = {}
    for name, markets in (("before", THREE | {TWIN: None}), ("after", changed)):
        (tmp_path / name).mkdir()
        files[name] = settings_of(tmp_path / name, empty, markets)
    tick(empty, files["before"], HOURS)
    original = computed(empty)
    tick(empty, files["after"], LAST)
    now = computed(empty)
    assert now["aggregate"] != original["aggregate"]
    with transaction(empty) as connection:
        connection.execute("TRUNCATE aggregate, quote_rate, venue_verdict, profile")
    tick(empty, files["after"], HOURS)
    assert computed(empty) == now
    tick(empty, files["before"], LAST)
    assert computed(empty) == original
    assert waiting(empty) == []


def test_a_market_that_is_added_or_retired_changes_no_hours_before(empty: str, tmp_path: Path) -> None:
    for market in (BINANCE, COINBASE):
        keep(empty, market, HOURS)
    tick(empty, settings_of(tmp_path, empty, dict.fromkeys([BINANCE, COINBASE])), HOURS)
    for markets, hours in (
        (dict.fromkeys([BINANCE, KRAKEN, COINBASE]), []),
        ({BINANCE: None, KRAKEN: None, COINBASE: (MONDAY + DAY).date()}, [MONDAY + DAY, MONDAY + DAY + HOUR]),
    ):
        settings = settings_of(tmp_path, empty, markets)
        with transaction(empty) as connection:
            aggregate_basis.mark_changed(connection, settings.catalog, "BTC")
        assert waiting(empty) == hours


def test_a_run_that_is_killed_leaves_the_marks_of_what_it_has_not_finished(
    empty: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_of(tmp_path, empty, {BINANCE: None})
    days = Window(MONDAY, MONDAY + 9 * DAY)
    keep(empty, BINANCE, days)
    marks = [MONDAY + 12 * HOUR, *(day.start + 23 * HOUR for day in days.split(DAY))]
    with transaction(empty) as connection:
        stale.mark(connection, stale.AGGREGATE, "BTC", marks)
    made: list[Window] = []
    whole = aggregate_run._recompute

    def killed(catalog: Catalog, base: str, part: Window, connection: Connection) -> Any:
        if made:
            raise KeyboardInterrupt
        made.append(part)
        return whole(catalog, base, part, connection)

    monkeypatch.setattr(aggregate_run, "_recompute", killed)
    with pytest.raises(KeyboardInterrupt):
        aggregate_run.catch_up(empty, settings, "BTC", Window(days.end - HOUR, days.end))
    for mark in set(marks) - set(waiting(empty)):
        assert Window(mark, min(mark + DAY, days.end)).intersect(made[0]).count(HOUR) in (24, 1)
    assert 0 < len(waiting(empty)) < len(marks)


def test_a_mark_stays_until_the_hours_that_follow_are_made(
    empty: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_of(tmp_path, empty, {BINANCE: None})
    days = Window(MONDAY, MONDAY + 6 * DAY)
    keep(empty, BINANCE, days)
    marks = [MONDAY + n * DAY for n in (1, 3, 5)]
    monkeypatch.setattr(aggregate_run, "PENDING_AT_ONCE", 1)
    for hour in marks:
        with transaction(empty) as connection:
            stale.mark(connection, stale.AGGREGATE, "BTC", marks)
        aggregate_run.catch_up(empty, settings, "BTC", Window(hour, hour + HOUR))
        assert waiting(empty) == marks[:2]
    aggregate_run.recompute(empty, settings, "BTC", Window(MONDAY, MONDAY))
    aggregate_run.recompute(empty, settings, "BTC", Window(marks[0], marks[1] + 2 * HOUR))
    assert waiting(empty) == [marks[1]]


def test_all_who_read_profiles_agree_about_a_market_that_is_gone(empty: str, tmp_path: Path) -> None:
    for market in THREE:
        keep(empty, market, HOURS)
    tick(empty, settings_of(tmp_path, empty, THREE), HOURS)
    with transaction(empty) as connection:
        three = profiles.total(connection, "BTC", HOURS).rows.total
    tick(empty, settings_of(tmp_path, empty, dict.fromkeys([BINANCE, COINBASE])), LAST)
    odd = Window(HOURS.start + 7 * MINUTE, HOURS.end - 7 * MINUTE)
    with transaction(empty) as connection:
        for window in (HOURS, odd, Window(MONDAY + 10 * MINUTE, MONDAY + 20 * MINUTE)):
            total = profiles.total(connection, "BTC", window).rows.total
            by_venue = profiles.profile(connection, "BTC", window)
            (volume,) = connection.execute(
                "SELECT sum(volume) FROM aggregate WHERE base = 'BTC' AND open_time >= %s AND open_time < %s",
                [window.start, window.end],
            ).fetchone() or (None,)
            assert len(by_venue) == 2
            assert sum(part.rows.total for part in by_venue.values()) == pytest.approx(total, rel=1e-12)
            assert volume == pytest.approx(total, rel=1e-12)
        assert profiles.total(connection, "BTC", HOURS).rows.total < three
