"""Months of spot minutes from files, archive and exchanges, into the real database, against the sandbox."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from vp_pipeline.assets import history_rounds
from vp_pipeline.assets.history_load import Loaded
from vp_pipeline.assets.history_spot import SpotHistory
from vp_pipeline.assets.intake import SO_FAR_NONE
from vp_pipeline.sandbox.archive import revised
from vp_pipeline.sandbox.clock import Clock
from vp_pipeline.sandbox.generator import GeneratedSource
from vp_pipeline.storage import ledger, stale
from vp_pipeline.storage.connection import Connection, transaction
from vp_pipeline.storage.ledger import Finding
from vp_pipeline.storage.markets import market_ids
from vp_pipeline.windows import DAY, HOUR, MINUTE, Window
from vp_pipeline_tests.assets import recordings
from vp_pipeline_tests.assets.histories import Platform, month, settings_of
from vp_pipeline_tests.dumps import dump

NOW = datetime(2025, 3, 5, 12, 0, 30, tzinfo=UTC)
MONTHLY = "data/spot/monthly/klines/BTCUSDT/1m/BTCUSDT-1m-{}.zip"
USDT = "binance BTC/USDT"


@pytest.fixture(scope="module")
def source() -> GeneratedSource:
    return GeneratedSource(7)


@pytest.fixture(scope="module")
def world(source: GeneratedSource) -> Iterator[tuple[str, Clock]]:
    clock = Clock(NOW, frozen=True)
    with recordings.serving(source, clock) as address:
        yield address, clock


@pytest.fixture
def here(
    world: tuple[str, Clock], source: GeneratedSource, database_url: str, tmp_path: Path
) -> Iterator[Platform]:
    address, clock = world
    clock.set(NOW, frozen=True)
    platform = Platform(settings_of(tmp_path, database_url, address), source, clock, address)
    platform.forget()
    yield platform
    platform.faults()
    platform.revise()


def load(here: Platform, names: list[str], window: Window, now: datetime | None = None) -> dict[str, Loaded]:
    history = SpotHistory(here.settings, here.url, now or here.clock.now())
    loads = history.load([here.market(name) for name in names], window)
    return {loaded.market.name: loaded for loaded in loads}


def test_months_across_the_change_of_units(here: Platform) -> None:
    for window in (month(2024, 12), month(2025, 1)):
        done = load(here, [USDT], window)[USDT]
        assert done.rows_from == {"archive": window.count(MINUTE)}
        assert (done.got, done.unknown, done.unfetchable) == (window.count(MINUTE), 0, 0)
        assert not done.problems
    both = month(2024, 12).hull(month(2025, 1))
    here.assert_true(USDT, both)
    assert here.stored(USDT, both)["quote_volume"].notna().all()
    assert [(run.start, run.end, run.state) for run in here.runs(USDT, both)] == [
        (both.start, both.end, "got")
    ]
    with transaction(here.url) as connection:
        assert len(stale.pending(connection, stale.AGGREGATE, "BTC")) == both.count(HOUR)


def test_the_quiet_last_minutes_of_the_open_month_are_nothing_left_to_do(here: Platform) -> None:
    here.faults({"exchange": "bitstamp", "kind": "stalled", "minutes": 3})
    done = load(here, ["bitstamp BTC/USD"], month(2025, 3))["bitstamp BTC/USD"]
    assert (done.unknown, done.reasons, done.problems) == (0, {}, [])
    [waiting] = [run for run in here.runs("bitstamp BTC/USD", month(2025, 3)) if run.state == "unknown"]
    assert waiting.reason == SO_FAR_NONE


def test_a_second_load_changes_no_row_and_asks_for_a_checksum_alone(here: Platform) -> None:
    load(here, [USDT], month(2025, 1))
    before = dump(here.url)
    # Whatever is asked beyond the checksum would fail.
    here.faults({"exchange": "binance", "kind": "status", "status": 500})
    done = load(here, [USDT], month(2025, 1))[USDT]
    assert (done.new, done.revised, done.problems) == (0, 0, [])
    assert dump(here.url) == before


def test_a_revised_file_is_loaded_again_and_counted(here: Platform) -> None:
    window = month(2025, 1)
    load(here, [USDT], window)
    here.revise(MONTHLY.format("2025-01"))
    done = load(here, [USDT], window)[USDT]
    truth = revised(here.truth(USDT, window))
    changed = int((truth.volume != here.truth(USDT, window).volume).sum())
    assert changed > 6000
    assert (done.new, done.revised) == (0, changed)
    assert here.stored(USDT, window)["volume"].tolist() == truth.volume.tolist()
    assert load(here, [USDT], window)[USDT].revised == 0


def test_a_wrong_checksum_stores_nothing_and_the_exchange_serves(here: Platform) -> None:
    now = datetime(2025, 3, 1, 3, 30, tzinfo=UTC)
    here.clock.set(now, frozen=True)
    window = Window(month(2025, 3).start, month(2025, 3).end)
    here.faults({"exchange": "binance_archive", "kind": "wrong_checksum"})
    here.clock.set(datetime(2025, 3, 2, 3, 30, tzinfo=UTC), frozen=True)
    done = load(here, [USDT], window)[USDT]
    assert "do not have the published checksum" in done.problems[0]
    assert list(done.rows_from) == ["exchange"]
    here.assert_true(USDT, Window(window.start, datetime(2025, 3, 2, 3, 29, tzinfo=UTC)))
    with transaction(here.url) as connection:
        assert connection.execute("SELECT count(*) FROM archive_file").fetchone() == (0,)


def test_a_month_that_is_not_published_comes_in_days_and_its_end_from_the_exchange(here: Platform) -> None:
    window = month(2025, 3)
    done = load(here, [USDT], window)[USDT]
    # Four days are published; of the fifth what had closed 45 s before now is served.
    rest = datetime(2025, 3, 5, 11, 59, tzinfo=UTC)
    assert done.rows_from == {"archive": 4 * 1440, "exchange": 12 * 60 - 1 + 1}
    here.assert_true(USDT, Window(window.start, rest))
    (got,) = here.runs(USDT, window)
    assert (got.start, got.end, got.state) == (window.start, rest, "got")
    # A day later the month goes on; nothing that is known is fetched again.
    here.clock.set(NOW + DAY, frozen=True)
    again = load(here, [USDT], window)[USDT]
    # With the minute that was provisional before.
    assert again.rows_from == {"archive": 720 + 1, "exchange": 720}
    here.assert_true(USDT, Window(window.start, rest + DAY))


def test_a_listing_in_the_middle_of_the_past_is_empty_by_the_exchanges_word(here: Platform) -> None:
    window = month(2019, 12)
    done = load(here, [USDT], window)[USDT]
    assert (done.got, done.empty, done.unknown) == (0, window.count(MINUTE), 0)
    assert [run.state for run in here.runs(USDT, window)] == ["exchange-empty"]


def test_a_retired_market_of_the_archive_ends_on_its_last_day(here: Platform) -> None:
    name, window = "binance BTC/BUSD", month(2023, 12)
    done = load(here, [name], window)[name]
    end = datetime(2023, 12, 15, tzinfo=UTC)
    assert done.window == Window(window.start, end + DAY)
    assert (done.got, done.empty, done.unknown) == (14 * 1440, 1440, 0)
    here.assert_true(name, Window(window.start, end))
    assert load(here, [name], month(2024, 1))[name].got == 0


UNLISTED = {"kind": "status", "status": 400, "body": '{"code": -1121, "msg": "Invalid symbol."}'}
NO_ARCHIVE: dict[str, object] = {"exchange": "binance_archive", "kind": "status", "status": 503}


@pytest.mark.parametrize(
    "trouble",
    [
        {"kind": "status", "status": 451},
        {"kind": "status", "status": 418, "retry_after": 120},
        {"kind": "status", "status": 429, "retry_after": 60},
        UNLISTED,
    ],
    ids=["451", "418", "429", "not listed"],
)
def test_a_retired_market_is_not_given_up_for_what_passes(here: Platform, trouble: dict[str, object]) -> None:
    name, window = "binance BTC/BUSD", month(2023, 11)
    here.faults(NO_ARCHIVE, {"exchange": "binance", "market": "BTC/BUSD", **trouble})
    done = load(here, [name], window)[name]
    assert (done.unknown, done.unfetchable) == (window.count(MINUTE), 0)
    assert len(done.problems) == 2
    here.faults()
    assert load(here, [name], window)[name].got == window.count(MINUTE)


def test_what_neither_archive_nor_exchange_has_of_a_retired_market_is_unfetchable(here: Platform) -> None:
    name, window = "binance BTC/BUSD", month(2023, 12)
    here.faults({"exchange": "binance", "market": "BTC/BUSD", **UNLISTED})
    done = load(here, [name], window)[name]
    assert (done.got, done.unfetchable) == (14 * 1440, 1440)
    assert "does not list it" in next(iter(done.reasons))


def test_minutes_given_up_are_asked_of_the_archive(here: Platform) -> None:
    name, window = "binance BTC/BUSD", month(2023, 11)
    with transaction(here.url) as connection:
        [number] = market_ids(connection, [("binance", "BTC/BUSD")]).values()
        ledger.record(connection, [Finding(number, window, "unfetchable", "banned")])
    assert load(here, [name], window)[name].got == window.count(MINUTE)


def test_an_exchange_that_has_ended_loads_from_a_file(here: Platform) -> None:
    name, window = "ftx BTC/USD", month(2022, 11)
    done = load(here, [name], window)[name]
    assert (done.got, done.unfetchable) == (0, 12 * 1440)
    assert "ftx has ended, and no file of VP_HISTORY_FILES" in next(iter(done.reasons))
    # A file that begins before the month and lacks every other minute.
    recorded = Window(window.start - HOUR, window.start + 10 * DAY)
    here.record(name, recorded, step=2)
    done = load(here, [name], window)[name]
    assert done.rows_from == {"files": 10 * 720}
    assert (done.got, done.unfetchable, done.unknown) == (10 * 720, 12 * 1440 - 10 * 720, 0)
    truth = here.truth(USDT, Window(window.start, recorded.end)).volume[::2]
    assert here.stored(name, window)["volume"].tolist() == truth.tolist()


def test_a_file_that_cannot_be_read_is_a_problem_and_stops_no_market(here: Platform) -> None:
    window = month(2022, 11)
    path = here.record("ftx BTC/USD", Window(window.start, window.start + HOUR))
    path.write_bytes(b"no gzip")
    done = load(here, ["ftx BTC/USD", "binance BTC/USDT"], window)
    assert "damaged" in done["ftx BTC/USD"].problems[0]
    assert done["binance BTC/USDT"].got == window.count(MINUTE)


def test_a_folder_that_cannot_be_used_is_every_markets_problem_and_strangers_are_named(
    here: Platform,
) -> None:
    window = month(2022, 11)
    here.record("ftx BTC/EUR", Window(window.start, window.start + HOUR))
    (stranger,) = SpotHistory(here.settings, here.url).strangers()
    assert (stranger.exchange, stranger.quote) == ("ftx", "EUR")
    outside = here.settings.home / "outside.csv"
    outside.write_text("x")
    (here.settings.history_folder / "minute_own" / "ftx_BTC-USD.csv").symlink_to(outside)
    done = load(here, ["ftx BTC/USD"], window)["ftx BTC/USD"]
    assert "leads out of" in done.problems[0]
    assert done.unfetchable == done.window.count(MINUTE)


def test_exchanges_that_keep_years_are_asked_side_by_side(here: Platform) -> None:
    window = month(2025, 2)
    now = datetime(2025, 2, 2, 6, tzinfo=UTC)
    here.clock.set(now + DAY, frozen=True)  # the last minutes are old enough to be believed
    names = ["bitstamp BTC/USD", "coinbaseexchange BTC/USDT"]
    done = load(here, names, window, now - MINUTE)
    closed = Window(window.start, now - MINUTE)
    for name in names:
        here.assert_true(name, closed)
        assert (done[name].got + done[name].empty, done[name].unknown) == (closed.count(MINUTE), 0)
    assert done["coinbaseexchange BTC/USDT"].empty > 0
    states = {run.state for run in here.runs("coinbaseexchange BTC/USDT", closed)}
    assert states == {"got", "exchange-empty"}


def test_what_an_exchange_forgot_is_unfetchable_but_a_file_has_it(here: Platform) -> None:
    name, window = "kraken BTC/USD", month(2025, 3)
    done = load(here, [name], window)[name]
    old = datetime(2025, 3, 4, tzinfo=UTC)
    (run,) = here.runs(name, window)
    assert (run.start, run.end, run.state) == (window.start, old, "unfetchable")
    assert "kraken serves the last 719 minutes alone" in run.reason
    here.record(name, Window(window.start, old), like=name)
    done = load(here, [name], window)[name]
    assert (done.got, done.unfetchable) == (3 * 1440, 0)
    here.assert_true(name, Window(window.start, old))


def test_an_exchange_that_is_down_leaves_the_reason_and_the_rest_goes_on(here: Platform) -> None:
    window, now = month(2025, 2), datetime(2025, 2, 1, 12, tzinfo=UTC)
    here.clock.set(now, frozen=True)
    here.faults({"exchange": "bitstamp", "kind": "status", "status": 451})
    names = ["bitstamp BTC/USD", "coinbaseexchange BTC/USDT"]
    done = load(here, names, window)
    assert done["bitstamp BTC/USD"].unknown >= 719
    assert "refuses this address" in done["bitstamp BTC/USD"].problems[0]
    assert not done["coinbaseexchange BTC/USDT"].problems
    here.faults()
    assert load(here, names, window)["bitstamp BTC/USD"].problems == []
    here.assert_true("bitstamp BTC/USD", Window(window.start, now - MINUTE))


class KilledError(BaseException):
    """The end of the process."""


def test_a_load_cut_off_anywhere_and_resumed_equals_one_go(
    here: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history_rounds, "ROUND", timedelta(hours=6))
    names = [USDT, "bitstamp BTC/USD", "coinbaseexchange BTC/USDT"]
    window, now = month(2025, 3), datetime(2025, 3, 2, 6, tzinfo=UTC)
    here.clock.set(
        now + DAY, frozen=True
    )  # how far the last candle of an answer is believed is no matter here
    record = ledger.record
    for survived in (0, 1, 3):
        calls = 0

        def killed(connection: Connection, findings: Iterable[Finding], survived: int = survived) -> None:
            nonlocal calls
            calls += 1
            if calls > survived:
                raise KilledError
            record(connection, findings)

        monkeypatch.setattr(ledger, "record", killed)
        with pytest.raises((KilledError, BaseExceptionGroup)):
            load(here, names, window, now)
    monkeypatch.setattr(ledger, "record", record)
    resumed = load(here, names, window, now)
    assert all(not done.problems for done in resumed.values())
    for name in names:
        here.assert_true(name, Window(window.start, now - MINUTE))
    after = dump(here.url, "archive_file")
    here.forget()
    load(here, names, window, now)
    assert dump(here.url, "archive_file") == after
