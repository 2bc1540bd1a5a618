"""The aggregate: its sums and prices by another way, and that an hour does not depend on the cut."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vp_pipeline.analytics.aggregate import LOOKBACK, Aggregated, Venue, aggregate
from vp_pipeline.analytics.grid import PRICES
from vp_pipeline.analytics.quote_rates import quote_rates
from vp_pipeline_tests.analytics.venue_candles import DAY_BEFORE, START, at_par, flat, recorded, walk

HOUR = pd.Timedelta(hours=1)
VENUES = [
    Venue(7, "binance BTC/USDT", "USDT"),
    Venue(3, "kraken BTC/USD", "USD"),
    Venue(11, "okx BTC/USDT", "USDT"),
    Venue(5, "gate BTC/EUR", "EUR"),
]
RATES = at_par("USD", "USDT")


def of(candles: pd.DataFrame, venues: list[Venue] = VENUES, hours: int = 1, lead: int = 7) -> Aggregated:
    return aggregate(candles, venues, lead, START, START + hours * HOUR, RATES)


def flickering(seed: int) -> pd.DataFrame:
    """Three days of four markets: minutes missing at random, outages of hours, one market doubled."""
    rng = np.random.default_rng(seed)
    minutes = 3 * 1440
    frames = [walk(venue.number, minutes, seed=seed) for venue in VENUES[:3]]
    twin = frames[1].assign(market_id=5)
    twin.loc[: 20 * 60, "close"] *= 1.001
    cut = []
    for frame in [*frames, twin]:
        keep = rng.random(minutes) > rng.choice([0.0, 0.05, 0.5])
        for _ in range(3):
            first = rng.integers(0, minutes)
            keep[first : first + rng.integers(1, 1500)] = False
        cut.append(frame[keep])
    candles = pd.concat(cut, ignore_index=True)
    shuffled: pd.DataFrame = candles.sample(frac=1, random_state=seed)
    return shuffled


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.lists(st.integers(1, 47), max_size=6, unique=True))
def test_an_hour_does_not_depend_on_how_the_time_is_cut(seed: int, cuts: list[int]) -> None:
    candles = flickering(seed)
    rates = at_par("USD", "USDT", "EUR")
    whole = aggregate(candles, VENUES, 7, START, START + 48 * HOUR, rates)
    edges = [0, *sorted(cuts), 48]
    parts = []
    for first, last in pairwise(edges):
        begin, end = START + first * HOUR, START + last * HOUR
        near = candles["open_time"].between(begin - LOOKBACK, end, inclusive="left")
        parts.append(aggregate(candles[near], VENUES, 7, begin, end, rates))
    for name in ("minutes", "verdicts"):
        together = pd.concat([getattr(part, name) for part in parts], ignore_index=True)
        pd.testing.assert_frame_equal(together, getattr(whole, name), check_exact=True)


def test_long_stretches_are_computed_in_blocks_with_the_same_result() -> None:
    candles = pd.concat([walk(7, 66 * 1440), walk(3, 66 * 1440)[::3]])
    venues = VENUES[:2]
    whole = aggregate(candles, venues, 7, START, START + 64 * 24 * HOUR, RATES)
    middle = START + 30 * 24 * HOUR
    parts = [
        aggregate(candles, venues, 7, START, middle, RATES),
        aggregate(candles, venues, 7, middle, START + 64 * 24 * HOUR, RATES),
    ]
    pd.testing.assert_frame_equal(whole.minutes, pd.concat([p.minutes for p in parts], ignore_index=True))


def test_it_is_what_pandas_makes_of_a_recording(recorded_data: Path) -> None:
    candles, venues = recorded(recorded_data / "minute_2023-03-09_12")
    rates = quote_rates(candles, venues)
    start = pd.Timestamp("2023-03-10", tz="UTC")
    result = aggregate(candles, venues, 1, start, start + 24 * HOUR, rates)
    assert result.verdicts.empty
    quote = {venue.number: venue.quote for venue in venues}
    table = candles[candles["open_time"].between(start, start + 24 * HOUR, inclusive="left")]
    table = table.assign(quote=table["market_id"].map(quote)).merge(rates, on=["quote", "open_time"])
    table["price"] = table["close"] * table["usd"]
    typical = (table["high"] + table["low"] + table["close"]) / 3
    table["turnover"] = table["quote_volume"].fillna(table["volume"] * typical) * table["usd"]
    traded = table[table["volume"] > 0]
    middle = traded.groupby("open_time")["price"].transform("median")
    capped = traded["price"].clip(middle * 0.995, middle * 1.005)
    volume = traded.groupby("open_time")["volume"].sum()

    def mean(prices: pd.Series) -> pd.Series:
        return (prices * traded["volume"]).groupby(traded["open_time"]).sum() / volume

    minutes = result.minutes.set_index("open_time")
    grouped = table.groupby("open_time")
    expected = pd.DataFrame(
        {
            "volume": grouped["volume"].sum(),
            "vwap": mean(traded["price"]),
            "robust_price": mean(capped),
            "quote_volume_usd": grouped["turnover"].sum(),
            "taker_buy_volume": grouped["taker_buy_volume"].sum(min_count=1),
            "markets": grouped.size(),
        }
    )
    pd.testing.assert_frame_equal(minutes[expected.columns], expected, check_freq=False, rtol=1e-12)
    lead = table[table["market_id"] == 1].set_index("open_time")[list(PRICES)]
    pd.testing.assert_frame_equal(minutes[list(PRICES)], lead, check_freq=False)


def test_columns_and_the_names_of_those_that_are_not_there() -> None:
    result = of(flat({(7, 0): (100.0, 2.0), (3, 0): (101.0, 1.0), (3, 1): (102.0, 4.0)}))
    assert list(result.minutes.columns) == [
        "open_time", *PRICES, "price_market", "volume", "vwap", "robust_price", "quote_volume_usd",
        "taker_buy_volume", "markets", "missing", "left_out",
    ]  # fmt: skip
    minutes = result.minutes
    assert minutes["open_time"].tolist() == [START, START + pd.Timedelta(minutes=1)]
    assert minutes["volume"].tolist() == [3.0, 4.0]
    assert minutes["close"].tolist() == [100.0, 102.0]
    assert minutes["price_market"].tolist() == ["binance BTC/USDT", "kraken BTC/USD"]
    assert minutes["markets"].tolist() == [2, 1]
    assert minutes["missing"].tolist() == [
        "okx BTC/USDT, gate BTC/EUR",
        "binance BTC/USDT, okx BTC/USDT, gate BTC/EUR",
    ]
    assert minutes["left_out"].tolist() == ["", ""]
    assert minutes["vwap"].tolist() == pytest.approx([301 / 3, 102.0])


def test_a_retired_venue_is_expected_until_then() -> None:
    venues = [VENUES[0], Venue(3, "kraken BTC/USD", "USD", until=START + pd.Timedelta(minutes=1))]
    result = of(flat({(7, 0): (100.0, 1.0), (7, 1): (100.0, 1.0)}), venues)
    assert result.minutes["missing"].tolist() == ["kraken BTC/USD", ""]


def test_the_robust_price_caps_a_venue_that_is_far_off() -> None:
    result = of(flat({(7, 0): (100.0, 1.0), (3, 0): (100.2, 1.0), (11, 0): (150.0, 2.0)})).minutes
    assert result["vwap"].tolist() == pytest.approx([500.2 / 4])
    assert result["robust_price"].tolist() == pytest.approx([(100 + 100.2 + 2 * 100.2 * 1.005) / 4])


def test_a_venue_without_a_rate_is_in_the_volume_alone() -> None:
    minutes = of(flat({(7, 0): (100.0, 1.0), (5, 0): (90.0, 3.0), (5, 1): (90.0, 3.0)})).minutes
    assert minutes["volume"].tolist() == [4.0, 3.0]
    assert minutes["vwap"].tolist() == pytest.approx([100.0, np.nan], nan_ok=True)
    assert minutes["quote_volume_usd"].tolist() == pytest.approx([100.0, np.nan], nan_ok=True)


def test_turnover_and_taker_volume_as_given_else_estimated_and_left_out() -> None:
    candles = flat({(7, 0): (100.0, 2.0), (3, 0): (100.0, 1.0), (3, 1): (100.0, 0.0)})
    candles.loc[0, ["quote_volume", "taker_buy_volume"]] = [201.0, 0.5]
    minutes = of(candles).minutes
    assert minutes["quote_volume_usd"].tolist() == pytest.approx([301.0, 0.0])
    assert minutes["taker_buy_volume"].tolist() == pytest.approx([0.5, np.nan], nan_ok=True)
    assert np.isnan(minutes["vwap"].iloc[1])


@pytest.mark.parametrize("bad", [("close", np.inf), ("low", 0.0), ("volume", -1.0), ("volume", np.nan)])
def test_a_candle_that_cannot_be_one_is_none(bad: tuple[str, float]) -> None:
    candles = flat({(7, 0): (100.0, 2.0), (3, 0): (100.0, 1.0)})
    candles.loc[0, bad[0]] = bad[1]
    minutes = of(candles, VENUES[:2]).minutes
    assert minutes[["volume", "markets", "missing"]].to_numpy().tolist() == [[1.0, 1, "binance BTC/USDT"]]


def test_nothing_makes_an_empty_table_of_the_same_columns() -> None:
    some, none = of(flat({(7, 0): (1.0, 1.0)})), of(flat({}))
    assert none.minutes.empty
    assert none.verdicts.empty
    assert none.minutes.dtypes.to_dict() == some.minutes.dtypes.to_dict()


def test_what_cannot_be_aggregated_is_refused() -> None:
    one = flat({(7, 0): (1.0, 1.0)})
    with pytest.raises(ValueError, match="market 99 is none of 7, 3, 11, 5"):
        of(one.assign(market_id=99))
    with pytest.raises(ValueError, match="two candles of one minute"):
        of(pd.concat([one, one]))
    with pytest.raises(ValueError, match="no whole minute"):
        of(one.assign(open_time=one["open_time"] + pd.Timedelta(seconds=1)))
    with pytest.raises(ValueError, match="whole UTC hours"):
        aggregate(one, VENUES, 7, START + pd.Timedelta(minutes=1), START + HOUR, RATES)
    with pytest.raises(ValueError, match="end after its start"):
        aggregate(one, VENUES, 7, START, START, RATES)


def test_the_order_of_rows_and_their_index_do_not_matter() -> None:
    candles = pd.concat([walk(venue.number, 26 * 60) for venue in VENUES], ignore_index=True)
    shuffled = candles.sample(frac=1, random_state=1)
    pd.testing.assert_frame_equal(
        of(candles, hours=2).minutes, of(shuffled, hours=2).minutes, check_exact=True
    )
    assert candles["open_time"].min() == DAY_BEFORE
