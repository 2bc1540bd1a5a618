"""Rates of quote currencies from bitcoin markets, on made and on recorded candles."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from vp_pipeline.analytics.grid import Venue
from vp_pipeline.analytics.quote_rates import quote_rates
from vp_pipeline_tests.analytics.venue_candles import START, flat, recorded

USD, USDC, USDC_2, EUR = (
    Venue(1, "coinbase BTC/USD", "USD"),
    Venue(2, "kraken BTC/USDC", "USDC"),
    Venue(4, "okx BTC/USDC", "USDC"),
    Venue(3, "kraken BTC/EUR", "EUR"),
)


def series(rates: pd.DataFrame, quote: str) -> pd.Series:
    return rates[rates["quote"] == quote].set_index("open_time")["usd"]


def at(minute: int) -> pd.Timestamp:
    return START + pd.Timedelta(minutes=minute)


def test_the_depeg_of_usdc_on_a_recording(recorded_data: Path) -> None:
    candles, venues = recorded(recorded_data / "minute_2023-03-09_12")
    rates = quote_rates(candles, venues)
    usdc = series(rates, "USDC")
    assert str(usdc.idxmin()).startswith("2023-03-11 07:")
    assert 0.87 < usdc.min() < 0.90
    # At its lowest hours about 0.9; before it broke and at par of the dollar for the others.
    night = usdc["2023-03-11 06:30":"2023-03-11 08:30"]
    assert 0.88 < night.median() < 0.92
    assert usdc["2023-03-09"].between(0.998, 1.002).all()
    assert series(rates, "USDT").between(0.99, 1.02).all()
    assert series(rates, "EUR").between(1.05, 1.09).all()
    assert (series(rates, "USD") == 1).all()
    assert len(rates) == 4 * 4 * 1440


def test_the_price_of_a_quote_is_weighted_by_volume() -> None:
    rates = quote_rates(
        flat({(1, 0): (100.0, 1.0), (2, 0): (100.0, 3.0), (4, 0): (120.0, 1.0)}), [USD, USDC, USDC_2]
    )
    assert series(rates, "USDC").tolist() == pytest.approx([100 / 105])
    assert rates.loc[rates["quote"] == "USDC", "markets"].tolist() == [2]


def test_the_median_of_15_minutes_ignores_a_spike_and_then_moves() -> None:
    spike = {(2, m): (200.0 if m == 20 else 100.0 if m < 30 else 125.0, 1.0) for m in range(60)}
    usdc = series(quote_rates(flat({(1, m): (100.0, 1.0) for m in range(60)} | spike), [USD, USDC]), "USDC")
    assert (usdc[: at(30)] == 1.0).all()
    assert usdc[at(36)] == 1.0
    assert usdc[at(37)] == pytest.approx(0.8)


def test_minutes_in_which_one_did_not_trade_do_not_count() -> None:
    rows = {(1, m): (100.0, 1.0) for m in range(10)} | {(2, m): (50.0, 0.0) for m in range(10)}
    assert series(quote_rates(flat(rows), [USD, USDC]), "USDC").empty
    rows[2, 4] = (200.0, 1.0)
    assert series(quote_rates(flat(rows), [USD, USDC]), "USDC").tolist() == [0.5] * 6


def test_a_rate_is_carried_for_an_hour() -> None:
    rows = {(1, 0): (100.0, 1.0), (2, 0): (80.0, 1.0), (1, 200): (100.0, 1.0)}
    rates = quote_rates(flat(rows), [USD, USDC])
    usdc = series(rates, "USDC")
    assert usdc.index[-1] == at(14 + 60)
    assert (usdc == 1.25).all()
    assert (rates["markets"][rates["quote"] == "USDC"] == 1).all()
    longer = quote_rates(flat({(1, 0): (100.0, 1.0), (2, 0): (80.0, 1.0)}), [USD, USDC], end=at(30))
    assert len(series(longer, "USDC")) == 30


def test_without_a_dollar_market_stablecoins_are_at_par_and_others_unknown() -> None:
    rates = quote_rates(flat({(2, 0): (100.0, 1.0), (3, 0): (95.0, 1.0)}), [USDC, EUR])
    assert rates[["quote", "usd", "markets"]].to_numpy().tolist() == [["USD", 1.0, 0], ["USDC", 1.0, 0]]


def test_when_the_last_dollar_market_is_retired_stablecoins_go_to_par() -> None:
    ends = Venue(1, "ftx BTC/USD", "USD", until=at(5))
    rows = {(2, minute): (100.0, 1.0) for minute in range(200)}
    usdc = series(quote_rates(flat(rows), [ends, USDC]), "USDC")
    assert usdc.index[0] == at(5)
    rows |= {(1, minute): (90.0, 1.0) for minute in range(5)}
    usdc = series(quote_rates(flat(rows), [ends, USDC]), "USDC")
    # What was known is carried to its end, as it is in an outage.
    assert usdc[[at(4), at(60), at(120)]].tolist() == [0.9, 0.9, 1.0]


def test_a_rate_depends_on_its_lookback_alone() -> None:
    rng = np.random.default_rng(3)
    rows = {
        (number, minute): (float(rng.uniform(90, 110)), 1.0)
        for minute in range(600)
        for number in (1, 2)
        if rng.random() < (0.02 if 200 < minute < 400 else 0.5)
    }
    whole = quote_rates(flat(rows), [USD, USDC], end=at(600))
    late = quote_rates(flat({key: v for key, v in rows.items() if key[1] >= 325}), [USD, USDC], end=at(600))
    pd.testing.assert_series_equal(series(whole, "USDC")[at(400) :], series(late, "USDC")[at(400) :])


def test_no_candles_no_rates() -> None:
    none = quote_rates(flat({}), [USD])
    assert none.empty
    assert none.dtypes.to_dict() == quote_rates(flat({(1, 0): (1.0, 1.0)}), [USD]).dtypes.to_dict()
