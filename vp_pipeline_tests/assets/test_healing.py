"""What the platform does about what it does not know, on simulated exchanges with troubles."""

import random
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from dagster import AssetKey

from vp_pipeline.assets import intake
from vp_pipeline.assets.healing import NOT_ASKED
from vp_pipeline.assets.intake import Answers
from vp_pipeline.catalog import Market
from vp_pipeline.exchanges.errors import FetchError
from vp_pipeline.exchanges.frames import Fetched, candles_of
from vp_pipeline.storage import ledger
from vp_pipeline.storage.connection import transaction
from vp_pipeline.storage.markets import market_ids
from vp_pipeline.windows import DAY, HOUR, MINUTE, Window
from vp_pipeline_tests.assets.simulated import (
    MARKETS,
    QUARTER,
    START,
    Simulated,
    random_faults,
)

LIVE = [market for market in MARKETS if not market.startswith("kraken")]


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
