"""Checks of candles: each finds what was put in, says it plainly, and finds nothing in honest candles."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from vp_pipeline.analytics.candle_checks import (
    check_deviation,
    check_holes,
    check_sanity,
    check_staleness,
)
from vp_pipeline.analytics.grid import Venue
from vp_pipeline.analytics.periodic_holes import periodic_hole
from vp_pipeline.analytics.quote_rates import quote_rates
from vp_pipeline_tests.analytics.venue_candles import START, at_par, flat, recorded, walk

VENUES = [
    Venue(1, "kraken BTC/USD", "USD"),
    Venue(2, "okx BTC/USDT", "USDT"),
    Venue(3, "htx BTC/USDT", "USDT"),
]
RATES = at_par("USD", "USDT")


def test_honest_candles_have_no_findings() -> None:
    candles = pd.concat([walk(number, 1440, seed=1) for number in (1, 2, 3)])
    assert check_sanity(candles, VENUES) == []
    assert check_deviation(candles, VENUES, RATES) == []
    assert check_holes(candles, VENUES) == []


def test_candles_that_cannot_be() -> None:
    candles = flat({(1, minute): (100.0, 1.0) for minute in range(10)} | {(2, 0): (100.0, 1.0)})
    candles.loc[2, "low"] = 101.0
    candles.loc[3, "low"] = 107.5
    candles.loc[4, "high"] = 99.0
    candles.loc[5, "volume"] = -3.0
    candles.loc[6, "open"] = np.nan
    assert [str(finding) for finding in check_sanity(candles, VENUES)] == [
        "kraken BTC/USD: a price or the volume is no finite number in 1 of 10 minutes, "
        "worst at 2024-01-02 00:06 UTC: no finite number.",
        "kraken BTC/USD: low is above open or close in 2 of 10 minutes, "
        "worst at 2024-01-02 00:03 UTC: by 7.5.",
        "kraken BTC/USD: high is below open or close in 1 of 10 minutes, "
        "worst at 2024-01-02 00:04 UTC: by 1.",
        "kraken BTC/USD: the volume is negative in 1 of 10 minutes, worst at 2024-01-02 00:05 UTC: -3.",
    ]


def test_a_price_far_from_the_others() -> None:
    rows = {(number, minute): (100.0, 1.0) for number in (1, 2, 3) for minute in range(10)}
    rows[2, 4], rows[2, 5], rows[3, 7] = (97.0, 1.0), (110.0, 1.0), (150.0, 0.0)
    (finding,) = check_deviation(flat(rows), VENUES, RATES)
    assert str(finding) == (
        "okx BTC/USDT: the price is more than 0.02 of the median away from it in 2 of 9 minutes, "
        "worst at 2024-01-02 00:05 UTC: +10.00%, 110 against 100 US dollars."
    )


def test_the_quote_is_allowed_for_and_two_venues_are_too_few() -> None:
    rows = {(1, 0): (100.0, 1.0), (2, 0): (125.0, 1.0), (3, 0): (125.0, 1.0)}
    rates = at_par("USD", "USDT")
    cheap = rates.assign(usd=np.where(rates["quote"] == "USDT", 0.8, 1.0))
    assert check_deviation(flat(rows), VENUES, cheap) == []
    assert len(check_deviation(flat(rows), VENUES, rates)) == 1
    del rows[3, 0]
    assert check_deviation(flat(rows), VENUES, rates) == []


def test_the_recordings_one_paging_error_is_found_and_nothing_else(recorded_data: Path) -> None:
    candles, venues = recorded(recorded_data / "minute_2023-03-09_12")
    findings = check_holes(candles, venues)
    assert [finding.venue for finding in findings] == ["cryptocom BTC/USD", "cryptocom BTC/USDT"]
    assert all("a minute is missing in every 301" in str(finding) for finding in findings)
    assert all(finding.count == 19 for finding in findings)


def test_recorded_candles_are_sane_and_near_each_other(recorded_data: Path) -> None:
    candles, venues = recorded(recorded_data / "minute_2023-03-09_12")
    assert check_sanity(candles, venues) == []
    findings = check_deviation(candles, venues, quote_rates(candles, venues))
    # The thin dollar-coin markets were apart from each other in the night of the broken peg.
    assert [finding.venue.split()[1] for finding in findings] == ["BTC/USDC"] * 3
    assert all(finding.when.day == 11 and finding.count < 0.06 * finding.of for finding in findings)
    # Without rates the broken peg alone would make whole venues look wrong.
    blind = check_deviation(candles, venues, at_par("USD", "USDC", first=candles["open_time"].min()))
    assert max(finding.count / finding.of for finding in blind) > 0.1


@pytest.mark.parametrize(("period", "phase"), [(2, 1), (60, 59), (301, 300), (1440, 3)])
def test_a_hole_in_every_so_many_minutes(period: int, phase: int) -> None:
    present = np.random.default_rng(1).random(12 * 1440) > 0.05
    present[phase::period] = False
    found = periodic_hole(present)
    assert found is not None
    assert (found.period, found.first, found.holes) == (period, phase, found.places)


@pytest.mark.parametrize("rate", [0.0001, 0.01, 0.1, 0.3, 0.5])
def test_random_holes_and_outages_have_no_period(rate: float) -> None:
    for seed in range(5):
        rng = np.random.default_rng(seed)
        present = rng.random(5 * 1440) > rate
        assert periodic_hole(present) is None
        present[1000:1400] = False
        assert periodic_hole(present) is None


def test_no_minutes_and_no_candles_have_no_period() -> None:
    assert periodic_hole(np.ones(0, dtype=bool)) is None
    assert periodic_hole(np.zeros(100, dtype=bool)) is None
    assert check_holes(flat({}), VENUES) == []


def test_a_market_whose_newest_candle_is_old() -> None:
    now = START + pd.Timedelta(minutes=60)
    retired = Venue(4, "ftx BTC/USD", "USD", until=START)
    last = [
        (VENUES[0], START + pd.Timedelta(minutes=49)),
        (VENUES[1], START + pd.Timedelta(minutes=48)),
        (VENUES[2], None),
        (retired, None),
    ]
    assert [str(finding) for finding in check_staleness(last, now, pd.Timedelta(minutes=10))] == [
        "okx BTC/USDT: the newest candle is of 2024-01-02 00:48 UTC, 11 minutes ago.",
        "htx BTC/USDT: there is no candle at all.",
    ]
