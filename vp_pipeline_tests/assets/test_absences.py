"""Whether minutes without a candle are believed: after an answer's last one a feed may as well lag."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path

import pytest

from vp_pipeline.assets import healing, intake
from vp_pipeline.assets.intake import Answers
from vp_pipeline.catalog import Market
from vp_pipeline.exchanges.frames import Fetched, candles_of, settled
from vp_pipeline.exchanges.second_look import after_last
from vp_pipeline.settings import Settings
from vp_pipeline.storage import ledger
from vp_pipeline.storage.connection import transaction
from vp_pipeline.storage.markets import market_ids
from vp_pipeline.windows import HOUR, MINUTE, Window, to_ms
from vp_pipeline_tests.assets.simulated import QUARTER, START, Simulated


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
        assert asked(now) == [(46, 120)], "one request serves both"
        assert states(after, [63], now)[4:] == [
            ("unknown", 59),
            ("unknown", 60),
            ("exchange-empty", 63),
            ("got", 64),
            ("unknown", 74),
        ]
        now += QUARTER
        assert asked(now) == [(46, 120)]
        believed = states(Window(START + 46 * MINUTE, START + 2 * HOUR), [50, 63], now)
        assert believed[4:] == [("exchange-empty", 63), ("got", 64), ("unknown", 89)]


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
