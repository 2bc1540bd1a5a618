"""Quirks of simulated markets: doubled feeds, dead markets, hours without candles."""

from dataclasses import fields

import numpy as np
import pytest
from click.testing import CliRunner

from vp_pipeline.sandbox.candles import MINUTE_MS, Candles, Market
from vp_pipeline.sandbox.command import sandbox
from vp_pipeline.sandbox.generator import GeneratedSource
from vp_pipeline.sandbox.quirks import QuirkySource, parse
from vp_pipeline_tests.sandbox.conftest import NOW

NOW_MS = round(NOW.timestamp() * 1000)
START = NOW_MS - NOW_MS % 3_600_000 - 6 * 3_600_000
OUTAGE = "kraken 2025-03-05T07:00Z 2025-03-05T09:30Z"


@pytest.fixture(scope="module")
def quirky(source: GeneratedSource) -> QuirkySource:
    return QuirkySource(source, parse(["htx BTC/USDT=binance BTC/USDT"], ["bitfinex BTC/USD"], [OUTAGE]))


def market(source: GeneratedSource, exchange: str, symbol: str) -> Market:
    return next(one for one in source.markets(exchange) if one.symbol == symbol)


def six_hours(source: QuirkySource | GeneratedSource, one: Market) -> Candles:
    return source.candles(one, MINUTE_MS, START, START + 360 * MINUTE_MS, NOW_MS)


def same(one: Candles, other: Candles) -> bool:
    return all(np.array_equal(getattr(one, f.name), getattr(other, f.name)) for f in fields(one))


def test_a_market_doubles_anothers_feed(source: GeneratedSource, quirky: QuirkySource) -> None:
    double, original = market(source, "htx", "BTC/USDT"), market(source, "binance", "BTC/USDT")
    assert same(six_hours(quirky, double), six_hours(source, original))
    assert not same(six_hours(source, double), six_hours(source, original))
    other = market(source, "htx", "ETH/USDT")
    assert same(six_hours(quirky, other), six_hours(source, other))


def test_a_dead_market_has_one_price_and_no_volume(source: GeneratedSource, quirky: QuirkySource) -> None:
    dead = six_hours(quirky, market(source, "bitfinex", "BTC/USD"))
    assert len(dead) > 350
    assert (np.diff(dead.open_time) == MINUTE_MS).all()
    assert np.unique([dead.open, dead.high, dead.low, dead.close]).size == 1
    assert dead.volume.max() == 0


def test_an_outage_has_no_candles(source: GeneratedSource, quirky: QuirkySource) -> None:
    for one in source.markets("kraken"):
        whole, holed = six_hours(source, one), six_hours(quirky, one)
        hidden = whole.take(
            (whole.open_time >= START + 3_600_000) & (whole.open_time < START + 210 * MINUTE_MS)
        )
        assert len(hidden) == 150
        assert set(whole.open_time) - set(holed.open_time) == set(hidden.open_time)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--double", "htx BTC/USDT"], "does not name two markets"),
        (["--double", "htx BTC/USDT=binance NOPE/USDT"], "no market 'binance NOPE/USDT'"),
        (["--dead", "gate"], "is not an exchange and a symbol"),
        (["--dead", "gate NOPE/USD"], "no market 'gate NOPE/USD'"),
        (["--outage", "kraken yesterday today"], "'yesterday' is not an ISO 8601 instant"),
        (["--outage", "kraken 2025-03-05"], "two instants"),
        (["--outage", "kraken 2025-03-06 2025-03-05"], "ends before it begins"),
        (["--outage", "krakn 2025-03-05 2025-03-06"], "no exchange 'krakn'"),
    ],
)
def test_a_wrong_quirk_is_explained(options: list[str], problem: str) -> None:
    result = CliRunner().invoke(sandbox, options)
    assert result.exit_code == 2
    assert problem in result.output
