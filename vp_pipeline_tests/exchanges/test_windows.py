"""Windows of candles: exact over pages and at their edges, closed candles alone, depth told, not claimed."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from vp_pipeline.exchanges.frames import CANDLE_COLUMNS, GRACE, Fetched, settled
from vp_pipeline.exchanges.spot_client import SpotClient
from vp_pipeline.exchanges.traits import TRAITS, traits_of
from vp_pipeline.sandbox.clock import Clock
from vp_pipeline.sandbox.generator import GeneratedSource
from vp_pipeline.windows import DAY, HOUR, MINUTE, Window, floor, to_ms
from vp_pipeline_tests.exchanges.conftest import ONCE, Traffic
from vp_pipeline_tests.exchanges.worlds import NOW, fetch_all, truth, world

KRAKEN_DEPTH = timedelta(minutes=719)
LOCAL = floor(datetime.now(UTC), MINUTE)


def fetched(
    source: GeneratedSource, clock: Clock, exchange: str, symbols: Sequence[str], window: Window
) -> list[Fetched]:
    async def main() -> list[Fetched]:
        async with world(source, clock) as here:
            wanted = [(exchange, symbol) for symbol in symbols]
            outcomes = await fetch_all(wanted, window, here.hosts, None, ONCE)
        results = []
        for key in wanted:
            outcome = outcomes[key]
            assert isinstance(outcome, Fetched), outcome
            results.append(outcome)
        return results

    return asyncio.run(main())


def assert_true(result: Fetched, source: GeneratedSource, exchange: str, symbol: str, now_ms: int) -> None:
    market = next(m for m in source.markets(exchange) if m.symbol == symbol)
    expected = truth(source, market, result.answered, now_ms)
    assert tuple(result.frame.columns) == (*CANDLE_COLUMNS, "provisional")
    final = result.frame[~result.frame["provisional"]].drop(columns="provisional")
    pd.testing.assert_frame_equal(final, expected, check_dtype=False, check_exact=True)
    assert result.frame["open_time"].is_monotonic_increasing
    assert result.frame["open_time"].is_unique
    assert set(result.frame.loc[result.frame["provisional"], "open_time"] >= result.answered.end) <= {True}
    assert str(result.frame["open_time"].dtype) == "datetime64[us, UTC]"
    assert (final.dtypes.iloc[1:] == "float64").all()


@pytest.mark.parametrize(
    "now",
    [
        pytest.param(NOW, id="2025"),
        pytest.param(datetime(2023, 3, 10, 23, 59, 59, tzinfo=UTC), id="2023"),
        pytest.param(datetime(2023, 3, 11, 0, 0, 0, tzinfo=UTC), id="midnight"),
        pytest.param(LOCAL + 7 * HOUR, id="ahead of us"),
        pytest.param(LOCAL - 7 * HOUR, id="behind us"),
    ],
)
@pytest.mark.parametrize("exchange", TRAITS)
def test_pages_add_up_to_the_closed_candles_of_the_window(
    exchange: str, now: datetime, source: GeneratedSource, traffic: Traffic
) -> None:
    clock = Clock(now, frozen=True)
    traits = traits_of(exchange)
    symbols = [m.symbol for m in source.markets(exchange) if m.is_active(clock.now_ms())][:2]
    # Over two pages, a ragged one, the 24 hours at which okx parts its endpoints, and into the future.
    start = floor(now, MINUTE) - max(2 * traits.page * MINUTE, 29 * HOUR) - 7 * MINUTE
    window = Window(start, floor(now, MINUTE) + 30 * MINUTE)
    closed = settled(now)

    for symbol, result in zip(symbols, fetched(source, clock, exchange, symbols, window), strict=True):
        served = start if traits.depth is None else max(start, floor(now, MINUTE) - traits.depth)
        assert result.answered == Window(served, closed)
        assert result.exchange_time == now
        assert bool(result.note) == (served > start)
        assert result.window == window
        assert_true(result, source, exchange, symbol, clock.now_ms())
        assert len(result.frame) > result.answered.count(MINUTE) / 2
    assert len(traffic.candles()) >= 2 * len(symbols)


@pytest.mark.parametrize("exchange", TRAITS)
def test_a_window_of_one_minute_and_one_of_a_page_and_a_minute(
    exchange: str, source: GeneratedSource
) -> None:
    clock = Clock(NOW, frozen=True)
    symbol = source.markets(exchange)[0].symbol
    end = floor(NOW, MINUTE) - 2 * MINUTE
    for minutes in (1, min(traits_of(exchange).page + 1, 700)):
        window = Window(end - minutes * MINUTE, end)
        (result,) = fetched(source, clock, exchange, [symbol], window)
        assert result.answered == window
        assert result.note == ""
        assert_true(result, source, exchange, symbol, clock.now_ms())


@pytest.mark.parametrize("exchange", ["coinbaseexchange", "bitfinex", "kucoin"])
def test_minutes_without_a_trade_are_answered_and_absent(exchange: str, source: GeneratedSource) -> None:
    clock = Clock(NOW, frozen=True)
    thin = {"coinbaseexchange": "BTC/USDT", "bitfinex": "ETH/USD", "kucoin": "ETH/USDT"}[exchange]
    window = Window(floor(NOW, DAY) - DAY, floor(NOW, DAY))
    (result,) = fetched(source, clock, exchange, [thin], window)
    assert result.answered == window
    assert_true(result, source, exchange, thin, clock.now_ms())
    if exchange == "coinbaseexchange":
        assert len(result.frame) < 1440


@pytest.mark.parametrize("second", [0, 1, 44, 45, 59])
def test_young_candles_are_provisional_and_not_answered(second: int, source: GeneratedSource) -> None:
    minute = datetime(2024, 2, 29, 10, 15, tzinfo=UTC)
    now = minute + timedelta(seconds=second)
    for exchange in TRAITS:
        market = source.markets(exchange)[0]
        window = Window(minute - 10 * MINUTE, minute + 5 * MINUTE)
        (result,) = fetched(source, Clock(now, frozen=True), exchange, [market.symbol], window)
        assert result.answered == Window(
            window.start, minute if timedelta(seconds=second) >= GRACE else minute - MINUTE
        )
        assert_true(result, source, exchange, market.symbol, to_ms(now))
        young = result.frame.loc[result.frame["provisional"], "open_time"].tolist()
        assert minute - MINUTE in young or result.answered.end == minute
        assert all(opens <= now for opens in young)
        if exchange == "binance":
            assert minute in young


def test_a_minute_that_closes_between_two_pages_is_not_taken_as_it_stood(
    source: GeneratedSource, traffic: Traffic
) -> None:
    clock = Clock(datetime(2025, 3, 5, 12, 1, 44, tzinfo=UTC), frozen=True)
    minute = datetime(2025, 3, 5, 12, 0, tzinfo=UTC)
    window = Window(minute - 1500 * MINUTE, minute + 10 * MINUTE)

    def later() -> None:
        if len(traffic.candles()) == 1:
            clock.set(minute + MINUTE + GRACE, frozen=True)

    traffic.before = later
    (result,) = fetched(source, clock, "binance", ["BTC/USDT"], window)
    assert len(traffic.candles()) == 2
    assert result.answered == Window(window.start, minute)
    assert_true(result, source, "binance", "BTC/USDT", clock.now_ms())


def test_the_newest_page_is_asked_first(source: GeneratedSource, traffic: Traffic) -> None:
    end = floor(NOW, HOUR)
    fetched(source, Clock(NOW, frozen=True), "binance", ["BTC/USDT"], Window(end - 2500 * MINUTE, end))
    starts = [int(url.split("startTime=")[1].split("&")[0]) for url in traffic.candles()]
    assert len(starts) == 3
    assert starts == sorted(starts, reverse=True)


def test_pages_that_lie_in_the_exchanges_future_are_not_asked(
    source: GeneratedSource, traffic: Traffic
) -> None:
    end = floor(NOW, HOUR)
    clock = Clock(NOW, frozen=True)
    (result,) = fetched(source, clock, "gate", ["BTC/USDT"], Window(end - HOUR, end + 3 * DAY))
    assert result.answered == Window(end - HOUR, end)
    assert len(traffic.candles()) == 1
    (nothing,) = fetched(source, clock, "gate", ["BTC/USDT"], Window(end + HOUR, end + 2 * HOUR))
    assert nothing.frame.empty
    assert not nothing.answered
    assert len(traffic.candles()) == 1


def test_an_empty_window_is_the_callers_mistake(source: GeneratedSource) -> None:
    with pytest.raises(BaseExceptionGroup) as caught:
        fetched(source, Clock(NOW, frozen=True), "binance", ["BTC/USDT"], Window(NOW, NOW))
    assert caught.group_contains(ValueError, match="BTC/USDT: nothing to fetch in an empty window")


@pytest.mark.parametrize("exchange", ["kraken", "gate"])
def test_what_is_too_old_is_told_and_not_claimed(exchange: str, source: GeneratedSource) -> None:
    depth = traits_of(exchange).depth
    assert depth is not None
    oldest = floor(NOW, MINUTE) - depth
    clock, symbol = Clock(NOW, frozen=True), source.markets(exchange)[0].symbol

    # Wholly before, at the edge, and a single page over the edge, which gate refuses as a whole.
    (before,) = fetched(source, clock, exchange, [symbol], Window(oldest - 5 * HOUR, oldest - HOUR))
    assert before.frame.empty
    assert not before.answered
    assert f"no minutes before {oldest:%Y-%m-%d %H:%M} UTC" in before.note

    (edge,) = fetched(source, clock, exchange, [symbol], Window(oldest, oldest + HOUR))
    assert edge.answered == Window(oldest, oldest + HOUR)
    assert edge.note == ""
    assert_true(edge, source, exchange, symbol, clock.now_ms())

    (over,) = fetched(source, clock, exchange, [symbol], Window(oldest - HOUR, oldest + HOUR))
    assert over.answered == Window(oldest, oldest + HOUR)
    assert f"no minutes before {oldest:%Y-%m-%d %H:%M} UTC" in over.note
    assert_true(over, source, exchange, symbol, clock.now_ms())
    assert len(over.frame) == 60


def test_depth_that_shrinks_between_two_pages_is_not_claimed(
    source: GeneratedSource, traffic: Traffic
) -> None:
    clock = Clock(NOW, frozen=True)
    minute = floor(NOW, MINUTE)
    window = Window(minute - 900 * MINUTE, minute)

    def later() -> None:
        if len(traffic.candles()) == 1:
            clock.set(NOW + 2 * MINUTE, frozen=True)

    traffic.before = later
    (result,) = fetched(source, clock, "kraken", ["BTC/USD"], window)
    assert len(traffic.candles()) == 2
    assert result.answered == Window(minute - KRAKEN_DEPTH + 2 * MINUTE, minute)
    assert result.note
    assert_true(result, source, "kraken", "BTC/USD", clock.now_ms())


def test_markets_of_one_exchange_keep_to_its_rate_limit(
    source: GeneratedSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    paces: list[float] = []

    async def noted(self: SpotClient, cost: float | None = None) -> None:
        paces.append(self.rateLimit * (cost or 1))  # type: ignore[attr-defined]  # a ccxt exchange

    monkeypatch.setattr("ccxt.async_support.Exchange.throttle", noted)
    window = Window(floor(NOW, HOUR) - HOUR, floor(NOW, HOUR))
    fetched(source, Clock(NOW, frozen=True), "kraken", ["BTC/USD", "ETH/USD"], window)
    assert len(paces) >= 4  # two of the listings, two of the candles
    assert min(paces) >= 1000
