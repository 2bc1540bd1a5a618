"""The simulated markets: one history per seed, bars that are sums, and the traits of real markets."""

import subprocess
import sys
import time
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import numpy as np
import pytest
from scipy import stats

from vp_pipeline.sandbox.candles import DAY_MS, FUTURES, MINUTE_MS, STEPS_MS, Candles, Floats, Market
from vp_pipeline.sandbox.generator import GeneratedSource
from vp_pipeline.sandbox.universe import OMIT_EMPTY
from vp_pipeline.sandbox.wire import WIRES
from vp_pipeline_tests.sandbox.conftest import NOW

NOW_MS = int(NOW.timestamp()) * 1000
TODAY_MS = NOW_MS - NOW_MS % DAY_MS


def market(source: GeneratedSource, exchange: str, symbol: str) -> Market:
    return next(market for market in source.markets(exchange) if market.symbol == symbol)


def same(first: Candles, second: Candles) -> bool:
    return all(
        np.array_equal(getattr(first, field.name), getattr(second, field.name)) for field in fields(Candles)
    )


def days(source: GeneratedSource, exchange: str, symbol: str, count: int) -> Candles:
    return source.candles(
        market(source, exchange, symbol), MINUTE_MS, TODAY_MS - count * DAY_MS, TODAY_MS, NOW_MS
    )


def returns(candles: Candles) -> Floats:
    return np.diff(np.log(candles.close))


def test_another_process_makes_the_same_history(source: GeneratedSource) -> None:
    program = f"""
from hashlib import sha256
from vp_pipeline.sandbox.generator import GeneratedSource
source = GeneratedSource(seed=7)
bought = source.markets("kraken")[2]
candles = source.candles(bought, 60_000, {TODAY_MS}, {NOW_MS}, {NOW_MS})
print(sha256(candles.close.tobytes() + candles.volume.tobytes()).hexdigest())
"""
    there = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    bought = source.markets("kraken")[2]
    here = source.candles(bought, MINUTE_MS, TODAY_MS, NOW_MS, NOW_MS)
    assert there.stdout.strip() == sha256(here.close.tobytes() + here.volume.tobytes()).hexdigest()


def test_history_does_not_depend_on_what_was_asked_before(source: GeneratedSource) -> None:
    fresh = GeneratedSource(seed=7)
    start = TODAY_MS - 400 * DAY_MS + 17 * MINUTE_MS
    bitstamp = market(source, "bitstamp", "BTC/USD")
    source.candles(bitstamp, STEPS_MS["1h"], TODAY_MS - 500 * DAY_MS, TODAY_MS, NOW_MS)
    first = source.candles(bitstamp, MINUTE_MS, start, start + DAY_MS, NOW_MS)
    second = fresh.candles(bitstamp, MINUTE_MS, start, start + DAY_MS, NOW_MS)
    assert len(first) == 1440
    assert same(first, second)


def test_another_seed_makes_another_history(source: GeneratedSource) -> None:
    other = GeneratedSource(seed=8)
    assert not np.array_equal(
        days(source, "binance", "BTC/USDT", 1).close, days(other, "binance", "BTC/USDT", 1).close
    )


@pytest.mark.parametrize(
    ("exchange", "symbol"),
    [
        ("binance", "ETH/USDT"),
        ("kraken", "BTC/USDC"),
        ("coinbaseexchange", "BTC/USDT"),
        (FUTURES, "LINK/USDT"),
    ],
)
@pytest.mark.parametrize("interval", ["5m", "15m", "1h", "1d"])
def test_longer_bars_are_the_sums_of_their_minutes(
    exchange: str, symbol: str, interval: str, source: GeneratedSource
) -> None:
    step = STEPS_MS[interval]
    traded = market(source, exchange, symbol)
    start = TODAY_MS - 5 * DAY_MS
    bars = source.candles(traded, step, start, NOW_MS, NOW_MS)
    minutes = source.candles(traded, MINUTE_MS, start, NOW_MS, NOW_MS)
    assert minutes.open_time[-1] + 5 * MINUTE_MS > NOW_MS  # so the open bar, or one just closed, is included
    assert np.array_equal(bars.open_time, np.unique(minutes.open_time // step * step))
    for row, opened in enumerate(bars.open_time.tolist()):
        part = minutes.between(opened, opened + step)
        assert bars.open[row] == part.open[0]
        assert bars.high[row] == part.high.max()
        assert bars.low[row] == part.low.min()
        assert bars.close[row] == part.close[-1]
        lots = np.rint(part.volume * 10**traded.lot_decimals).sum()
        assert bars.volume[row] == lots / 10**traded.lot_decimals
        assert bars.trades[row] == part.trades.sum()
        assert bars.quote_volume[row] == pytest.approx(part.quote_volume.sum(), rel=1e-12)


def test_the_open_candle_moves_towards_the_closed_one_and_that_never_changes(source: GeneratedSource) -> None:
    btc = market(source, "binance", "BTC/USDT")
    opened = NOW_MS // MINUTE_MS * MINUTE_MS

    def at(milliseconds: int) -> Candles:
        return source.candles(btc, MINUTE_MS, opened, opened + 1, opened + milliseconds)

    seen = [at(milliseconds) for milliseconds in (1_000, 20_000, 40_000, 59_999)]
    closed = at(60_000)
    volumes = [candle.volume[0] for candle in (*seen, closed)]
    assert volumes == sorted(volumes)
    assert volumes[0] < volumes[-1] / 20
    assert {candle.open[0] for candle in seen} == {closed.open[0]}
    assert all(closed.low[0] <= candle.low[0] <= candle.close[0] <= candle.high[0] for candle in seen)
    assert same(closed, at(3 * DAY_MS))


def test_an_open_minute_is_the_same_whatever_range_it_is_asked_in(source: GeneratedSource) -> None:
    thin = market(source, "binanceus", "BTC/USDC")
    untraded = 0
    for minute in range(TODAY_MS, TODAY_MS + 60 * MINUTE_MS, MINUTE_MS):
        now = minute + 20_000
        alone = source.candles(thin, MINUTE_MS, minute, minute + 1, now)
        after_others = source.candles(thin, MINUTE_MS, minute - 5 * MINUTE_MS, minute + 1, now)
        assert same(alone, after_others.take(slice(-1, None)))
        if alone.trades[0] == 0:
            untraded += 1
            assert alone.close[0] == after_others.close[-2]
    assert untraded > 10


@pytest.mark.parametrize("exchange", list(WIRES))
def test_candles_are_sound_on_every_market(exchange: str, source: GeneratedSource) -> None:
    for traded in source.markets(exchange):
        end = traded.delisted_ms or TODAY_MS
        candles = source.candles(traded, MINUTE_MS, end - 2 * DAY_MS, end, NOW_MS)
        assert (candles.low <= np.minimum(candles.open, candles.close)).all()
        assert (candles.high >= np.maximum(candles.open, candles.close)).all()
        assert (candles.low > 0).all()
        assert ((candles.volume > 0) == (candles.trades > 0)).all()
        assert (candles.taker_buy_volume <= candles.volume).all()
        turnover = candles.quote_volume[candles.trades > 0] / candles.volume[candles.trades > 0]
        assert (turnover <= candles.high[candles.trades > 0] * 1.001).all()
        assert (turnover >= candles.low[candles.trades > 0] * 0.999).all()
        for prices in (candles.open, candles.high, candles.low, candles.close):
            assert np.array_equal(prices, np.round(prices, traded.price_decimals))
        if exchange in OMIT_EMPTY:
            assert (candles.trades > 0).all()
        else:
            assert len(candles) == 2 * 1440


def test_thin_markets_have_minutes_without_a_trade(source: GeneratedSource) -> None:
    missing = 1 - len(days(source, "coinbaseexchange", "BTC/USDT", 5)) / (5 * 1440)
    assert 0.02 < missing < 0.6
    kept = days(source, "binanceus", "BTC/USDC", 5)
    still = kept.trades == 0
    assert 0.1 < still.mean() < 0.9
    before = kept.close[np.flatnonzero(still[1:])]
    assert np.array_equal(kept.close[1:][still[1:]], before)


def test_venues_share_one_price_and_differ_in_size(source: GeneratedSource) -> None:
    binance = days(source, "binance", "BTC/USDT", 3)
    coinbase = days(source, "coinbaseexchange", "BTC/USD", 3)
    futures = days(source, FUTURES, "BTC/USDT", 3)
    euro = days(source, "kraken", "BTC/EUR", 3)
    assert 0 < np.abs(binance.close / coinbase.close - 1).max() < 0.01
    assert 0 < np.abs(binance.close / futures.close - 1).max() < 0.001
    assert 1.0 < (coinbase.close / euro.close).mean() < 1.25
    assert binance.volume.sum() > 2 * coinbase.volume.sum()
    assert np.corrcoef(returns(binance), returns(coinbase))[0, 1] > 0.98


def test_returns_have_fat_tails_and_clusters_but_no_memory(source: GeneratedSource) -> None:
    changes = returns(days(source, "binance", "BTC/USDT", 60))
    assert stats.kurtosis(changes) > 3  # 0 for a normal distribution
    lagged = np.corrcoef(changes[:-1], changes[1:])[0, 1]
    assert abs(lagged) < 0.05
    sizes = np.abs(changes)
    assert np.corrcoef(sizes[:-1], sizes[1:])[0, 1] > 0.1


def test_volume_and_volatility_peak_in_the_american_session(source: GeneratedSource) -> None:
    candles = days(source, "binance", "BTC/USDT", 60)
    hour = candles.open_time % DAY_MS // STEPS_MS["1h"]
    sizes = np.log(candles.high / candles.low)
    for column in (candles.volume, sizes):
        by_hour = np.array([column[hour == one].mean() for one in range(24)])
        assert by_hour.argmax() in (14, 15)
        assert by_hour[14:16].mean() > 1.5 * by_hour[3:6].mean()
    assert np.corrcoef(candles.volume, sizes)[0, 1] > 0.3


def test_weekends_are_quieter(source: GeneratedSource) -> None:
    btc = market(source, "binance", "BTC/USDT")
    bars = source.candles(btc, DAY_MS, TODAY_MS - 364 * DAY_MS, TODAY_MS, NOW_MS)
    weekday = (bars.open_time // DAY_MS + 3) % 7  # 1970-01-01 was a Thursday
    assert bars.volume[weekday >= 5].mean() < 0.8 * bars.volume[weekday < 5].mean()


def test_takers_buy_about_half(source: GeneratedSource) -> None:
    candles = days(source, "binance", "BTC/USDT", 30)
    share = candles.taker_buy_volume / candles.volume
    assert share.mean() == pytest.approx(0.5, abs=0.01)
    assert 0.03 < share.std() < 0.25


def test_years_of_daily_futures_bars_come_quickly() -> None:
    source = GeneratedSource(seed=11)
    start = int(datetime(2021, 1, 1, tzinfo=UTC).timestamp()) * 1000
    began = time.process_time()
    bars = [source.candles(one, DAY_MS, start, TODAY_MS, NOW_MS) for one in source.markets(FUTURES)[:5]]
    cold = time.process_time() - began
    assert all(len(block) == (TODAY_MS - start) // DAY_MS for block in bars)
    # Of what this machine takes for as many days of minutes, one after the other, half on average.
    month, other = TODAY_MS - 30 * DAY_MS, GeneratedSource(seed=11)
    began = time.process_time()
    other.candles(other.markets(FUTURES)[0], MINUTE_MS, month, TODAY_MS, NOW_MS)
    a_day = (time.process_time() - began) / 30
    assert cold < 2 * a_day * sum(map(len, bars))
    began = time.process_time()
    for one in source.markets(FUTURES)[:5]:
        source.candles(one, DAY_MS, start, TODAY_MS, NOW_MS)
    assert time.process_time() - began < cold / 20


def test_nothing_exists_before_2020_or_after_now(source: GeneratedSource) -> None:
    btc = market(source, "binance", "BTC/USDT")
    first = int(datetime(2020, 1, 1, tzinfo=UTC).timestamp()) * 1000
    assert source.candles(btc, MINUTE_MS, 0, first + 5 * MINUTE_MS, NOW_MS).open_time[0] == first
    future = NOW_MS + int(timedelta(days=1).total_seconds()) * 1000
    assert source.candles(btc, MINUTE_MS, NOW_MS, future, NOW_MS).open_time.size == 0
    assert source.candles(btc, MINUTE_MS, NOW_MS - MINUTE_MS, future, NOW_MS).open_time.size == 1


def test_a_negative_seed_is_refused() -> None:
    with pytest.raises(ValueError, match="negative"):
        GeneratedSource(seed=-1)
