"""Who is left out of the aggregate, and that honest markets are not."""

import numpy as np
import pandas as pd
import pytest

from vp_pipeline.analytics.aggregate import Aggregated, Venue, aggregate
from vp_pipeline.analytics.venues import describe_units
from vp_pipeline_tests.analytics.venue_candles import DAY_BEFORE, START, at_par, walk

HOUR = pd.Timedelta(hours=1)
VENUES = [
    Venue(7, "binance BTC/USDT", "USDT"),
    Venue(3, "kraken BTC/USDT", "USDT"),
    Venue(5, "gate BTC/USDT", "USDT"),
]
TWO_DAYS = 2 * 1440
RATES = at_par("USD", "USDT")


def of(*frames: pd.DataFrame, lead: int = 7, venues: list[Venue] = VENUES) -> Aggregated:
    return aggregate(pd.concat(frames), venues, lead, START, START + 24 * HOUR, RATES)


def with_turnover(frame: pd.DataFrame, times: float = 1.0) -> pd.DataFrame:
    typical = (frame["high"] + frame["low"] + frame["close"]) / 3
    return frame.assign(quote_volume=frame["volume"] * typical * times)


def test_honest_markets_are_not_left_out() -> None:
    result = of(*(with_turnover(walk(venue.number, TWO_DAYS)) for venue in VENUES))
    assert result.verdicts.empty
    assert (result.minutes["left_out"] == "").all()
    assert (result.minutes["markets"] == 3).all()


def test_a_market_that_stands_still_is_dead() -> None:
    still = walk(3, TWO_DAYS).assign(open=4e4, high=4e4, low=4e4, close=4e4, volume=0.0)
    result = of(walk(7, TWO_DAYS), still)
    assert result.verdicts["hour"].tolist() == list(pd.date_range(START, periods=24, freq="h"))
    assert set(result.verdicts["market_id"]) == {3}
    assert set(result.verdicts["verdict"]) == {"dead"}
    assert result.verdicts["reason"].iloc[0] == "no volume and one price, 40000, in 1440 candles of 24 hours"
    assert (result.minutes["left_out"] == "kraken BTC/USDT (dead)").all()
    assert (result.minutes["missing"] == "gate BTC/USDT").all()
    assert (result.minutes["markets"] == 1).all()


@pytest.mark.parametrize(
    "alive",
    [{"volume": 1e-9}, {"high": 4e4 + 0.01}],
    ids=["one trade", "another price"],
)
def test_a_market_with_one_sign_of_life_is_not_dead(alive: dict[str, float]) -> None:
    still = walk(3, TWO_DAYS).assign(open=4e4, high=4e4, low=4e4, close=4e4, volume=0.0)
    for name, value in alive.items():
        still.loc[1439 + 60, name] = value
    result = of(walk(7, TWO_DAYS), still)
    # The sign is in the last minute of the first hour: it counts in the 24 hours from there on.
    assert result.verdicts.empty


def test_a_few_candles_are_too_few_to_call_a_market_dead() -> None:
    still = walk(3, 59, first=START).assign(open=4e4, high=4e4, low=4e4, close=4e4, volume=0.0)
    assert of(walk(7, TWO_DAYS), still).verdicts.empty


def test_of_a_feed_under_two_names_the_later_is_left_out() -> None:
    twin = walk(5, TWO_DAYS)
    result = of(walk(7, TWO_DAYS), twin.assign(market_id=3), twin)
    assert set(result.verdicts["market_id"]) == {5}
    assert set(result.verdicts["reason"]) == {"the same candles as kraken BTC/USDT in 1440 of 1440 minutes"}
    assert len(result.verdicts) == 24
    alone = of(walk(7, TWO_DAYS), twin.assign(market_id=3), venues=VENUES[:2])
    assert result.minutes["volume"].tolist() == alone.minutes["volume"].tolist()


def test_three_of_a_kind_leave_one() -> None:
    feed = walk(7, TWO_DAYS)
    result = of(feed, feed.assign(market_id=3), feed.assign(market_id=5))
    assert (result.minutes["markets"] == 1).all()
    assert set(result.verdicts["reason"]) == {"the same candles as binance BTC/USDT in 1440 of 1440 minutes"}


def test_the_lead_is_never_the_later_one() -> None:
    feed = walk(7, TWO_DAYS)
    result = of(feed, feed.assign(market_id=5), lead=5)
    assert set(result.verdicts["market_id"]) == {7}
    assert (result.minutes["price_market"] == "gate BTC/USDT").all()


def test_a_doubled_feed_is_seen_in_its_first_hour() -> None:
    feed, own = walk(7, TWO_DAYS), walk(3, TWO_DAYS)
    from_noon = own["open_time"] >= START + 12 * HOUR
    result = of(feed, pd.concat([own[~from_noon], feed[from_noon].assign(market_id=3)]))
    assert result.verdicts["hour"].min() == START + 12 * HOUR
    assert len(result.verdicts) == 12
    assert result.verdicts["reason"].iloc[0] == "the same candles as binance BTC/USDT in 60 of 60 minutes"


def test_shared_prices_or_few_shared_minutes_are_no_duplicate() -> None:
    feed = walk(7, TWO_DAYS)
    other = feed.assign(market_id=3, volume=feed["volume"] * 1.001)
    assert of(feed, other).verdicts.empty
    rare = feed.assign(market_id=3).iloc[1440::60]
    assert of(feed, rare.head(20)).verdicts.empty


@pytest.mark.parametrize(
    ("scale", "said"),
    [
        (40_000.0, 'volume is counted in USDT; set volume_unit = "quote"'),
        (1 / 40_000.0, 'volume is already in BTC; set volume_unit = "base"'),
        (1000.0, "volume is counted in contracts of 0.001 BTC"),
        (400.0, "volume is counted in contracts of 100 USDT"),
        (3.3, "the unit is not recognised"),
    ],
)
def test_volume_in_another_unit_is_left_out_and_said(scale: float, said: str) -> None:
    wrong = with_turnover(walk(3, TWO_DAYS))
    wrong["volume"] *= scale
    result = of(walk(7, TWO_DAYS), wrong)
    assert set(result.verdicts["verdict"]) == {"units"}
    assert len(result.verdicts) == 24
    for reason in result.verdicts["reason"]:
        assert reason.startswith("turnover is ")
        assert said in reason
    assert result.minutes["volume"].tolist() == of(walk(7, TWO_DAYS)).minutes["volume"].tolist()


@pytest.mark.parametrize(("factor", "out"), [(0.89, True), (0.91, False), (1.09, False), (1.11, True)])
def test_the_bounds_of_unit_agreement(factor: float, out: bool) -> None:
    result = of(walk(7, TWO_DAYS), with_turnover(walk(3, TWO_DAYS), factor))
    assert result.verdicts.empty is not out


def test_a_day_of_wrong_units_ends_when_it_has_left_the_trailing_day() -> None:
    market = with_turnover(walk(3, 3 * 1440))
    market.loc[: 1440 + 59, "volume"] *= 1000
    result = aggregate(
        pd.concat([walk(7, 3 * 1440), market]), VENUES, 7, START, START + 48 * HOUR, at_par("USDT")
    )
    assert result.verdicts["hour"].max() <= START + 24 * HOUR
    assert START in set(result.verdicts["hour"])


def test_turnover_without_volume_and_volume_without_turnover() -> None:
    assert describe_units(0.0, 0.0, 5.0, "x BTC/USD") == "the wire gives a turnover of 5 USD and no volume"
    assert "no turnover" in describe_units(1.0, 5.0, 0.0, "x BTC/USD")
    nothing = walk(3, TWO_DAYS).assign(volume=0.0, quote_volume=0.0)
    assert of(walk(7, TWO_DAYS), nothing).verdicts.empty


def test_a_left_out_lead_gives_no_price() -> None:
    result = of(with_turnover(walk(7, TWO_DAYS), 5.0), walk(3, TWO_DAYS))
    assert (result.minutes["price_market"] == "kraken BTC/USDT").all()
    assert (result.minutes["left_out"] == "binance BTC/USDT (units)").all()
    assert not np.isnan(result.minutes["close"]).any()
    assert DAY_BEFORE < START
