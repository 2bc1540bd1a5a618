"""What the platform does about what it does not know, on simulated exchanges with troubles."""

import itertools
import random
import threading
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from dagster import AssetKey, DagsterInstance

from vp_pipeline.assets import healing, intake
from vp_pipeline.assets.build import build_defs
from vp_pipeline.assets.healing import NOT_ASKED
from vp_pipeline.assets.intake import Answers
from vp_pipeline.catalog import Market
from vp_pipeline.exchanges import spot
from vp_pipeline.exchanges.errors import FetchError
from vp_pipeline.exchanges.frames import Fetched, candles_of, settled
from vp_pipeline.exchanges.patience import Patience
from vp_pipeline.exchanges.second_look import after_last
from vp_pipeline.sandbox.clock import Clock
from vp_pipeline.sandbox.generator import GeneratedSource
from vp_pipeline.settings import Settings
from vp_pipeline.storage import ledger, migrate
from vp_pipeline.storage.connection import transaction
from vp_pipeline.storage.embedded import EmbeddedPostgres
from vp_pipeline.storage.io_manager import PostgresIOManager
from vp_pipeline.storage.markets import market_ids
from vp_pipeline.windows import DAY, HOUR, MINUTE, Window, to_ms
from vp_pipeline_tests.assets import recordings
from vp_pipeline_tests.assets.simulated import (
    MARKETS,
    MARKETS_FILE,
    QUARTER,
    START,
    Simulated,
    random_faults,
)

_numbers = itertools.count()
LIVE = [market for market in MARKETS if not market.startswith("kraken")]


@pytest.fixture
def own_database(postgres_server: EmbeddedPostgres) -> str:
    """Address of a fresh database for one test."""
    url = postgres_server.url(f"healing_{next(_numbers)}")
    migrate.create_database(url)
    migrate.upgrade(url)
    return url


@pytest.fixture
def simulated(tmp_path: Path, own_database: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Simulated]:
    impatient = Patience(timeout_seconds=2, pause_seconds=0.02)
    monkeypatch.setattr(spot, "fetch_all", partial(spot.fetch_all, patience=impatient))
    (tmp_path / "markets.toml").write_text(MARKETS_FILE)
    source = GeneratedSource(seed=3)
    with (
        recordings.serving(source, Clock(START, frozen=True)) as address,
        DagsterInstance.ephemeral() as instance,
    ):
        settings = Settings.model_validate(
            {
                "home": tmp_path,
                "source": "sandbox",
                "markets_file": tmp_path / "markets.toml",
                "database_url": own_database,
                "exchange_url": address,
                "hourly_start": "2025-03-01T00:00:00Z",
            }
        )
        definitions = build_defs(settings, PostgresIOManager(database_url=own_database))
        yield Simulated(settings, definitions, instance, address, source)


def test_quarter_after_quarter_every_closed_minute_is_there(simulated: Simulated) -> None:
    for quarter in range(1, 7):
        simulated.tick(START + quarter * QUARTER)
        # The last minute closed five seconds ago.
        simulated.assert_true(Window(START, START + quarter * QUARTER - MINUTE))


def test_an_outage_of_days_is_caught_up_in_one_run(simulated: Simulated) -> None:
    simulated.tick(START + QUARTER)
    later = START + 3 * DAY + QUARTER
    result = simulated.tick(later)
    assert result.success
    simulated.assert_true(Window(START, later - MINUTE), LIVE)
    # Kraken serves the last 719 minutes: what is older can no longer be had, and is said to be lost.
    runs = {run.state: run for run in simulated.runs("kraken BTC/USD")}
    lost = runs["unfetchable"]
    assert lost.start == START + QUARTER - MINUTE
    assert lost.end == later - timedelta(minutes=719)
    assert "serves no minutes before" in lost.reason
    assert "unknown" not in runs


def test_the_aggregate_of_healed_hours_is_what_it_would_have_been(simulated: Simulated) -> None:
    simulated.tick(START + QUARTER)
    down: dict[str, object] = {"exchange": "binance", "kind": "status", "status": 500}
    simulated.faults(down)
    for quarter in (3, 5):
        simulated.tick(START + quarter * QUARTER)
    simulated.faults()
    simulated.tick(START + 6 * QUARTER)
    simulated.assert_true(Window(START, START + 6 * QUARTER - MINUTE))
    healed = simulated.dump()["aggregate"]
    with transaction(simulated.url) as connection:
        connection.execute("DELETE FROM aggregate")
        connection.execute("DELETE FROM quote_rate")
        connection.execute("DELETE FROM venue_verdict")
    for hour in range(2):
        simulated.tick(START + hour * HOUR + QUARTER, only=[AssetKey(["aggregate", "btc"])])
    assert simulated.dump()["aggregate"] == healed


def test_a_market_that_is_down_is_a_failing_check_and_stops_no_other(simulated: Simulated) -> None:
    simulated.faults({"exchange": "htx", "kind": "status", "status": 451})
    result = simulated.tick(START + QUARTER)
    simulated.faults()
    checks = {e.check_name: e for e in result.get_asset_check_evaluations() if not e.passed}
    assert "htx BTC/USDT: the exchange refuses this address" in str(checks["markets_answer"].metadata)
    assert "htx BTC/USDT: 14 minutes" in str(checks["completeness"].metadata["findings"].value)
    others = [market for market in MARKETS if not market.startswith("htx")]
    simulated.assert_true(Window(START, START + QUARTER - MINUTE), others)
    (unknown,) = simulated.runs("htx BTC/USDT")
    assert unknown.state == "unknown"
    assert "refuses this address" in unknown.reason
    simulated.tick(START + 2 * QUARTER)
    simulated.assert_true(Window(START, START + 2 * QUARTER - MINUTE))


def test_a_time_nobody_asked_for_is_on_record_even_if_the_run_then_fails(simulated: Simulated) -> None:
    simulated.tick(START + QUARTER)
    simulated.faults(*({"exchange": m.split()[0], "kind": "status", "status": 451} for m in MARKETS))
    result = simulated.tick(START + 5 * HOUR + QUARTER, must_succeed=False)
    assert not result.success
    reasons = [(run.state, run.reason) for run in simulated.runs("binance BTC/USDT")]
    assert ("unknown", NOT_ASKED) in reasons


def test_an_exchange_that_says_nothing_yet_is_asked_again(simulated: Simulated) -> None:
    simulated.faults({"exchange": "okx", "kind": "empty_list"})
    for quarter in range(1, 3):
        simulated.tick(START + quarter * QUARTER)
    (unknown,) = simulated.runs("okx BTC/USDT")
    assert unknown.state == "unknown"
    assert "no candle" in unknown.reason
    simulated.faults()
    simulated.tick(START + 3 * QUARTER)
    simulated.assert_true(Window(START, START + 3 * QUARTER - MINUTE))


@pytest.mark.parametrize(
    ("minutes_later", "final", "states"),
    [
        (0, False, ["unknown"]),
        (23 * 60, False, ["unknown"]),
        (23 * 60 + 30, False, ["exchange-empty", "unknown"]),
        (24 * 60, False, ["exchange-empty"]),
        (0, True, ["exchange-empty"]),
    ],
)
def test_an_answer_without_any_candle_is_believed_when_it_is_old(
    own_database: str, minutes_later: int, final: bool, states: list[str]
) -> None:
    now = START + HOUR + minutes_later * MINUTE
    window = Window(START, START + HOUR)
    nothing = fetched([], window, now)
    market = Market(exchange="okx", symbol="BTC/USDT")
    with transaction(own_database) as connection:
        [number] = market_ids(connection, [("okx", "BTC/USDT")]).values()
        answer = Answers(market, [window], [nothing])
        intake.keep(connection, {number: answer}, now, final=final)
        runs = ledger.runs(connection, [number])[number]
    assert [run.state for run in runs] == states
    assert (runs[0].start, runs[-1].end) == (window.start, nothing.answered.end)


def fetched(minutes: Iterable[int], window: Window, now: datetime) -> Fetched:
    """An answer that has the candles of these minutes after START."""
    rows = [[to_ms(START + minute * MINUTE), 5.0, 6.0, 4.0, 5.0, 1.0, None, None] for minute in minutes]
    answered = window.intersect(Window(START, settled(now)))
    return Fetched(candles_of(rows, window, now), window, answered, now, silent=[after_last(rows, window)])


def test_a_quiet_market_is_believed_once_it_has_traded_again(own_database: str, tmp_path: Path) -> None:
    settings = Settings.model_validate({"home": tmp_path, "source": "sandbox", "database_url": own_database})
    market = Market(exchange="coinbaseexchange", symbol="BTC/USD")
    hour, after = Window(START, START + HOUR), Window(START + HOUR, START + 2 * HOUR)
    with transaction(own_database) as connection:
        [number] = market_ids(connection, [("coinbaseexchange", "BTC/USD")]).values()

        def states(window: Window, minutes: Iterable[int], now: datetime) -> list[tuple[str, int]]:
            answer = Answers(market, [window], [fetched(minutes, window, now)])
            intake.keep(connection, {number: answer}, now)
            runs = ledger.runs(connection, [number])[number]
            return [(run.state, (run.end - START) // MINUTE) for run in runs]

        def asked(now: datetime) -> list[tuple[int, int]]:
            windows = healing.plan(connection, {number: market}, after, now, settings)[number]
            return [((w.start - START) // MINUTE, (w.end - START) // MINUTE) for w in windows]

        now = START + HOUR
        healing.plan(connection, {number: market}, hour, now - MINUTE, settings)
        quiet: list[tuple[str, int]] = [
            ("exchange-empty", 10),
            ("got", 11),
            ("exchange-empty", 50),
            ("got", 51),
        ]
        assert states(hour, [10, 50], now) == [*quiet, ("unknown", 59)]
        now += QUARTER
        assert asked(now) == [(55, 120), (46, 120)]
        assert states(after, [63], now)[4:] == [
            ("unknown", 59),
            ("unknown", 60),
            ("exchange-empty", 63),
            ("got", 64),
            ("unknown", 74),
        ]
        now += QUARTER
        assert asked(now) == [(60, 120), (46, 64), (59, 60)]
        believed = states(Window(START + 46 * MINUTE, START + 64 * MINUTE), [50, 63], now)
        assert believed[4:] == [("exchange-empty", 63), ("got", 64), ("unknown", 74)]


@pytest.mark.parametrize(
    ("still", "stalled", "told"),
    [(51, [4], []), (30, [3, 4], []), (30, range(3, 10), range(5, 10))],
    ids=["8 minutes", "half an hour", "two hours"],
)
def test_a_feed_of_candles_that_stands_still_loses_nothing(
    simulated: Simulated, still: int, stalled: Sequence[int], told: Sequence[int]
) -> None:
    """The exchange's clock goes on meanwhile. For a while the market may as well be quiet."""
    failed = []
    last = stalled[-1] + 1
    for quarter in range(1, last + 1):
        now = START + quarter * QUARTER
        minutes = (now - START) / MINUTE - still + 0.5
        lag: dict[str, object] = {"exchange": "binance", "kind": "stalled", "minutes": minutes}
        simulated.faults(*([lag] if quarter in stalled else []))
        result = simulated.tick(now)
        (check,) = (e for e in result.get_asset_check_evaluations() if e.check_name == "completeness")
        failed += [] if check.passed else [quarter]
    assert failed == list(told)
    simulated.assert_true(Window(START, START + last * QUARTER - MINUTE))


def test_runs_of_which_each_failed_with_another_market_wait_for_each_other(
    own_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both would hold the market that they got, and wait for the one that only the ledger hears of."""
    names = [("okx", "BTC/USDT"), ("htx", "BTC/USDT")]
    window, now = Window(START, START + HOUR), START + 2 * HOUR
    got = Fetched(candles_of([], window, now), window, window, now)
    meeting, record = threading.Barrier(2), ledger.record

    def met(*arguments: Any) -> None:
        with suppress(threading.BrokenBarrierError):
            meeting.wait(1)
        record(*arguments)

    monkeypatch.setattr(ledger, "record", met)
    with transaction(own_database) as connection:
        numbers = market_ids(connection, names)

    def keep(failed: tuple[str, str]) -> None:
        outcomes = {
            name: FetchError(name[0], "down", retryable=True) if name == failed else got for name in names
        }
        answers = {
            numbers[name]: Answers(Market(exchange=name[0], symbol=name[1]), [window], [outcome])
            for name, outcome in outcomes.items()
        }
        with transaction(own_database) as connection:
            intake.keep(connection, answers, now)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(keep, names))  # neither is given up by the database
    with transaction(own_database) as connection:
        runs = ledger.runs(connection, list(numbers.values()))
    # What one run was told stands, whichever came last.
    told = {name: [(run.state, run.start, run.end) for run in runs[numbers[name]]] for name in names}
    assert told == {name: [("exchange-empty", window.start, window.end)] for name in names}


def test_numbers_revised_after_the_close_are_replaced_and_counted(simulated: Simulated) -> None:
    simulated.faults({"exchange": "kraken", "kind": "revised", "minutes": 10})
    simulated.tick(START + QUARTER)
    early = simulated.stored("kraken BTC/USD", Window(START, START + QUARTER - MINUTE))
    simulated.faults()
    simulated.tick(START + 2 * QUARTER)
    simulated.assert_true(Window(START, START + 2 * QUARTER - MINUTE))
    late = simulated.stored("kraken BTC/USD", Window(START, START + QUARTER - MINUTE))
    changed = early.loc[(early["volume"] != late["volume"]).to_numpy(), "open_time"]
    assert len(changed) > 3
    with transaction(simulated.url) as connection:
        counted = connection.execute("SELECT open_time FROM revision ORDER BY 1").fetchall()
        (told,) = connection.execute(
            "SELECT sum(revisions) FROM coverage WHERE exchange = 'kraken'"
        ).fetchall()
    assert [moment for (moment,) in counted] == changed.dt.to_pydatetime().tolist()
    assert told == (len(changed),)


def test_numbers_revised_before_a_gap_are_asked_for_again_with_it(simulated: Simulated) -> None:
    simulated.faults({"exchange": "htx", "kind": "revised", "minutes": 5})
    simulated.tick(START + QUARTER)
    simulated.faults({"exchange": "htx", "kind": "status", "status": 503})
    simulated.tick(START + 2 * QUARTER)
    simulated.faults()
    simulated.tick(START + 5 * QUARTER)
    simulated.assert_true(Window(START, START + 5 * QUARTER - MINUTE))


def test_numbers_revised_before_an_outage_are_asked_for_again_after_it(simulated: Simulated) -> None:
    simulated.faults(*({"exchange": m.split()[0], "kind": "revised", "minutes": 5} for m in LIVE))
    simulated.tick(START + QUARTER)
    simulated.faults()
    simulated.tick(START + 4 * HOUR)
    simulated.assert_true(Window(START, START + 4 * HOUR - MINUTE))


def test_one_of_two_exchanges_that_answers_from_the_future_spoils_nothing(simulated: Simulated) -> None:
    down: list[dict[str, object]] = [
        {"exchange": market.split()[0], "kind": "status", "status": 503}
        for market in MARKETS
        if not market.startswith(("okx", "binance"))
    ]
    okx_down = [{"exchange": "okx", "kind": "status", "status": 503}]
    simulated.tick(START + QUARTER)
    simulated.faults(*okx_down)
    simulated.tick(START + 2 * QUARTER)
    # A gap makes okx answer twice, and with two voices more often than the other.
    simulated.faults(
        *down, {"exchange": "okx", "market": "BTC/USDT", "kind": "skew", "seconds": 7200, "count": 2}
    )
    simulated.tick(START + 5 * QUARTER)
    assert max(run.end for run in simulated.runs("okx BTC/USDT")) <= START + 5 * QUARTER
    simulated.faults(*okx_down)
    simulated.tick(START + 9 * QUARTER)
    simulated.faults()
    simulated.tick(START + 10 * QUARTER)
    simulated.assert_true(Window(START, START + 10 * QUARTER - MINUTE))


@pytest.mark.parametrize("seconds", [-7200, -90, 40, 7200])
def test_an_exchange_whose_clock_is_off_spoils_nothing(simulated: Simulated, seconds: int) -> None:
    simulated.faults({"exchange": "binance", "kind": "skew", "seconds": seconds})
    simulated.tick(START + QUARTER)
    (*_, last) = simulated.runs("binance BTC/USDT")
    assert last.end <= START + QUARTER
    window = Window(START, START + QUARTER - MINUTE)
    stored, truth = simulated.stored("binance BTC/USDT", window), simulated.truth("binance BTC/USDT", window)
    assert len(stored.merge(truth)) == len(stored), "nothing but the truth is stored as final"
    simulated.faults()
    simulated.tick(START + 2 * QUARTER)
    simulated.assert_true(Window(START, START + 2 * QUARTER - MINUTE))


@pytest.mark.parametrize("others", [0, 3])
def test_a_clock_that_is_ahead_makes_nothing_unfetchable(simulated: Simulated, others: int) -> None:
    simulated.tick(START + QUARTER)
    down = ({"exchange": market.split()[0], "kind": "status", "status": 451} for market in LIVE[:others])
    simulated.faults({"exchange": "kraken", "kind": "skew", "seconds": 7200}, *down)
    simulated.tick(START + 11 * HOUR)
    simulated.faults()
    simulated.tick(START + 11 * HOUR + QUARTER)
    simulated.assert_true(Window(START, START + 11 * HOUR + QUARTER - MINUTE), ["kraken BTC/USD"])


@pytest.mark.parametrize("count", [2, None], ids=["for two answers", "throughout"])
def test_a_clock_that_is_behind_calls_nothing_empty_that_is_forgotten(
    simulated: Simulated, count: int | None
) -> None:
    simulated.tick(START + QUARTER)
    now = START + 18 * HOUR
    late = {"exchange": "kraken", "market": "BTC/USD", "kind": "skew", "seconds": -7200, "count": count}
    simulated.faults(late)
    simulated.tick(now)
    simulated.faults()
    simulated.tick(now + QUARTER)
    simulated.tick(now + 2 * QUARTER)
    edge = now - timedelta(minutes=719)
    (lost,) = (run for run in simulated.runs("kraken BTC/USD") if run.state != "got")
    assert (lost.state, lost.end) == ("unfetchable", edge)
    assert lost.reason == f"kraken serves no minutes before {edge:%Y-%m-%d %H:%M} UTC"
    simulated.assert_true(Window(edge, now), ["kraken BTC/USD"])


def test_minutes_not_asked_for_because_a_clock_seemed_behind_are_not_called_empty(
    simulated: Simulated,
) -> None:
    simulated.tick(START + QUARTER)
    late = {"exchange": "binance", "market": "BTC/USDT", "kind": "skew", "seconds": -7200, "count": 1}
    simulated.faults(late)
    now = START + timedelta(hours=18, minutes=30)  # the gap is more than a page, its rest within two hours
    simulated.tick(now)
    simulated.faults()
    simulated.tick(now + QUARTER)
    simulated.assert_true(Window(START, now), ["binance BTC/USDT"])


def test_whatever_strikes_in_the_end_every_minute_is_true(simulated: Simulated) -> None:
    chance = random.Random(0)
    last = 9
    for quarter in range(1, last):
        simulated.faults(*random_faults(chance))
        simulated.tick(START + quarter * QUARTER, must_succeed=False)
    simulated.faults()
    simulated.tick(START + last * QUARTER)
    simulated.assert_true(Window(START, START + last * QUARTER - MINUTE))


def test_an_aggregate_of_nothing_is_nothing(simulated: Simulated) -> None:
    assert simulated.tick(START + QUARTER, only=[AssetKey(["aggregate", "btc"])]).success
    assert simulated.dump()["aggregate"] == b""
