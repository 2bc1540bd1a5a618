"""The profile store: any window and any venues are a sum, and equal to what the candles give directly."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vp_pipeline.analytics.price_rows import PriceRows, volume_by_price
from vp_pipeline.analytics.venue_profiles import Traded
from vp_pipeline.storage import candles, profile_rows, profiles, rows
from vp_pipeline.storage.connection import Connection, transaction
from vp_pipeline.storage.markets import market_ids
from vp_pipeline.storage.tables import QUOTE_RATE, VENUE_VERDICT
from vp_pipeline.windows import DAY, HOUR, MINUTE, Window
from vp_pipeline_tests.analytics.deltas import delta_by_price
from vp_pipeline_tests.dumps import dump

START = datetime(2025, 12, 30, 20, tzinfo=UTC)
ALL = Window(START, START + timedelta(hours=60))
LEFT_OUT_HOUR = START + 5 * HOUR
QUOTES = ("USD", "USDT", "USDC")
SIZE = 10.0


@dataclass(frozen=True, repr=False)
class Stored:
    """A database with 60 hours of three venues over a turn of the year, one of them left out of an hour."""

    url: str
    frames: dict[int, pd.DataFrame]
    quotes: dict[int, str]
    rates: pd.DataFrame

    @property
    def left_out(self) -> int:
        return max(self.frames)

    def candles(self, number: int, window: Window) -> pd.DataFrame:
        """In US dollars, those with a rate and volume."""
        frame: pd.DataFrame = self.frames[number]
        frame = frame[(frame["open_time"] >= window.start) & (frame["open_time"] < window.end)]
        if self.quotes[number] != "USD":
            own = self.rates[self.rates["quote"] == self.quotes[number]].set_index("open_time")["usd"]
            usd = own.reindex(frame["open_time"]).to_numpy()
        else:
            usd = np.ones(len(frame))
        frame = frame.assign(low=frame["low"] * usd, high=frame["high"] * usd)
        counts = np.isfinite(frame["low"].to_numpy()) & (frame["volume"].to_numpy() > 0)
        found: pd.DataFrame = frame.loc[counts]
        return found

    def direct(self, number: int, window: Window, *, left_out: bool = False) -> PriceRows:
        """The profile from the candles, without the store."""
        frame = self.candles(number, window)
        if number == self.left_out and not left_out:
            frame = frame[frame["open_time"].dt.floor("h") != pd.Timestamp(LEFT_OUT_HOUR)]
        return volume_by_price(frame, SIZE)


def venue(seed: int, price: float, taker: bool) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    minutes = ALL.count(MINUTE)
    close = price * np.exp(np.cumsum(rng.normal(0, 1e-3, minutes)))
    opened = np.r_[close[0], close[:-1]]
    volume = rng.exponential(2.0, minutes) * (rng.random(minutes) > 0.1)
    frame = pd.DataFrame(
        {
            "open_time": pd.date_range(START, periods=minutes, freq="min").as_unit("us"),
            "open": opened,
            "high": np.maximum(opened, close) * (1 + np.abs(rng.normal(0, 3e-4, minutes))),
            "low": np.minimum(opened, close) * (1 - np.abs(rng.normal(0, 3e-4, minutes))),
            "close": close,
            "volume": volume,
            "quote_volume": np.nan,
            "taker_buy_volume": volume * rng.random(minutes) if taker else np.nan,
        }
    )
    return frame[rng.random(minutes) > 0.05].reset_index(drop=True)


@pytest.fixture(scope="module")
def stored(database_url: str) -> Stored:
    minutes = pd.date_range(START, ALL.end, freq="min", inclusive="left").as_unit("us")
    rates = pd.concat(
        [
            pd.DataFrame({"quote": quote, "open_time": minutes, "usd": usd, "markets": 1})
            for quote, usd in (("USDT", np.linspace(1.001, 0.999, len(minutes))), ("USDC", 0.93))
        ],
        ignore_index=True,
    )
    # Nobody knows what a USDC was worth in these minutes.
    gap = (rates["quote"] == "USDC") & (rates["open_time"] >= START + 10 * HOUR + 7 * MINUTE)
    rates = rates[~(gap & (rates["open_time"] < START + 10 * HOUR + 20 * MINUTE))]
    with transaction(database_url) as connection:
        names = [("exchange", f"BTC/{quote}") for quote in QUOTES]
        numbers = market_ids(connection, names)
        ordered = sorted(numbers[name] for name in names)
        frames = {
            number: venue(seed, 60_000.0 if seed < 2 else 64_000.0, taker=seed == 1)
            for seed, number in enumerate(ordered)
        }
        quotes = {numbers[name]: name[1].split("/")[1] for name in names}
        candles.store(connection, frames)
        rows.replace(connection, QUOTE_RATE, rates, {}, ALL)
        verdict = {"hour": LEFT_OUT_HOUR, "market_id": ordered[-1], "verdict": "dead", "reason": "test"}
        rows.replace(connection, VENUE_VERDICT, pd.DataFrame([verdict]), {"base": "BTC"}, ALL)
        profiles.set_row_size(connection, "BTC", SIZE)
        profiles.make(connection, "BTC", quotes, ALL)
    return Stored(database_url, frames, quotes, rates)


@pytest.fixture
def connection(stored: Stored) -> Iterator[Connection]:
    """An open transaction that is not kept."""
    with transaction(stored.url) as connection:
        yield connection
        connection.rollback()


def same(one: PriceRows, other: PriceRows) -> None:
    first = min(one.first_row, other.first_row) if one.total and other.total else 0
    count = max(rows.first_row + len(rows.volume) for rows in (one, other)) - first
    volumes = [rows.between(first, count).volume for rows in (one, other)]
    np.testing.assert_allclose(volumes[0], volumes[1], rtol=0, atol=1e-12 * max(1.0, one.total))
    assert one.total == pytest.approx(other.total, rel=1e-12)


def windows(step: timedelta) -> st.SearchStrategy[Window]:
    moments = st.integers(0, ALL.count(step))
    pairs = st.tuples(moments, moments).filter(lambda pair: pair[0] != pair[1])
    return pairs.map(lambda pair: Window(START + min(pair) * step, START + max(pair) * step))


any_window = given(window=st.one_of(windows(HOUR), windows(MINUTE)))
unhurried = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@unhurried
@any_window
def test_any_window_equals_what_the_candles_give(
    stored: Stored, connection: Connection, window: Window
) -> None:
    found = profiles.profile(connection, "BTC", window)
    direct = {number: stored.direct(number, window) for number in stored.frames}
    assert set(found) == {number for number, part in direct.items() if part.total > 0}
    for number, part in found.items():
        same(part.rows, direct[number])
        bought = delta_by_price(stored.candles(number, window), SIZE).bought
        if number != stored.left_out:
            same(PriceRows(part.first_row, SIZE, part.bought), bought)
    same(profiles.total(connection, "BTC", window).rows, PriceRows.sum_of(direct.values()))


@unhurried
@given(data=st.data())
def test_any_split_adds_up(connection: Connection, data: st.DataObject) -> None:
    cuts = data.draw(st.lists(st.integers(1, ALL.count(MINUTE) - 1), max_size=4).map(sorted))
    moments = [START, *(START + cut * MINUTE for cut in cuts), ALL.end]
    parts = [profiles.total(connection, "BTC", Window(start, end)) for start, end in pairwise(moments)]
    whole = profiles.total(connection, "BTC", ALL)
    summed = Traded.sum_of(parts, SIZE)
    same(whole.rows, summed.rows)
    assert whole.known == pytest.approx(summed.known, rel=1e-12)
    assert whole.unpriced == pytest.approx(summed.unpriced, rel=1e-12)


@unhurried
@given(data=st.data(), window=windows(HOUR))
def test_any_venues_are_the_sum_of_theirs(
    stored: Stored, connection: Connection, data: st.DataObject, window: Window
) -> None:
    chosen = data.draw(st.sets(st.sampled_from(sorted(stored.frames))))
    every = profiles.profile(connection, "BTC", window)
    some = profiles.profile(connection, "BTC", window, chosen)
    assert set(some) == chosen & set(every)
    for number, part in some.items():
        assert np.array_equal(part.volume, every[number].volume)


def test_a_venue_left_out_is_kept_but_counts_in_no_total(stored: Stored, connection: Connection) -> None:
    hour = Window(LEFT_OUT_HOUR, LEFT_OUT_HOUR + HOUR)
    assert stored.left_out not in profiles.profile(connection, "BTC", hour)
    for window in (hour, ALL, Window(hour.start + 10 * MINUTE, hour.end - MINUTE)):
        kept = profiles.profile(connection, "BTC", window, left_out=True)
        same(kept[stored.left_out].rows, stored.direct(stored.left_out, window, left_out=True))
        counted = [stored.direct(number, window) for number in stored.frames]
        same(profiles.total(connection, "BTC", window).rows, PriceRows.sum_of(counted))


def test_volume_without_a_rate_is_told_and_on_no_row(stored: Stored, connection: Connection) -> None:
    window = Window(START + 10 * HOUR, START + 11 * HOUR)
    number = next(n for n, quote in stored.quotes.items() if quote == "USDC")
    frame = stored.frames[number]
    inside = frame[(frame["open_time"] >= window.start) & (frame["open_time"] < window.end)]
    minute = inside["open_time"].dt.minute
    lost = float(inside.loc[(minute >= 7) & (minute < 20), "volume"].sum())
    part = profiles.profile(connection, "BTC", window)[number]
    assert lost > 0
    assert part.unpriced == pytest.approx(lost, rel=1e-12)
    assert part.rows.total + part.unpriced == pytest.approx(float(inside["volume"].sum()), rel=1e-12)


def test_days_months_and_years_are_written_when_they_are_over(connection: Connection) -> None:
    found = connection.execute(
        "SELECT level, to_char(start_time, 'YYYY-MM-DD'), hours FROM profile"
        " WHERE base = 'BTC' AND level <> 'hour' AND market_id = 0 ORDER BY start_time, level"
    ).fetchall()
    assert found == [
        ("year", "2025-01-01", 28),
        ("month", "2025-12-01", 28),
        ("day", "2025-12-30", 4),
        ("day", "2025-12-31", 24),
        ("day", "2026-01-01", 24),
    ], "the second of January has begun only"


def test_total_says_how_many_hours_were_made(connection: Connection) -> None:
    assert profiles.total(connection, "BTC", Window(START - DAY, ALL.end + DAY)).hours == 60
    assert profiles.total(connection, "BTC", Window(START, START + 30 * MINUTE)).hours == 0


def test_the_same_hours_give_the_same_bytes_in_whatever_order(stored: Stored, database_url: str) -> None:
    before = dump(database_url)["profile"]
    with transaction(database_url) as connection:
        assert profiles.make(connection, "BTC", stored.quotes, ALL) == []
    assert dump(database_url)["profile"] == before
    with transaction(database_url) as connection:
        connection.execute("DELETE FROM profile")
        for part in reversed(list(ALL.split(7 * HOUR))):
            profiles.make(connection, "BTC", stored.quotes, part)
    assert dump(database_url)["profile"] == before


def test_a_changed_candle_changes_its_hour_and_what_holds_it(stored: Stored, connection: Connection) -> None:
    before = profiles.total(connection, "BTC", ALL)
    number = min(stored.frames)
    changed = stored.frames[number].iloc[[100]].assign(volume=1_000.0)
    candles.store(connection, {number: changed})
    hour = profile_rows.period("hour", changed["open_time"].iloc[0].to_pydatetime())
    assert profiles.make(connection, "BTC", stored.quotes, hour) == [hour.start]
    added = 1_000.0 - float(stored.frames[number]["volume"].iloc[100])
    after = profiles.total(connection, "BTC", ALL)
    assert after.rows.total == pytest.approx(before.rows.total + added, rel=1e-12)
    year = connection.execute("SELECT volume FROM profile WHERE level = 'year' AND market_id = 0").fetchone()
    assert year is not None
    assert np.frombuffer(year[0], "<f8").sum() == pytest.approx(
        profiles.total(connection, "BTC", Window(START, START + 28 * HOUR)).rows.total, rel=1e-12
    )


def test_another_row_size_takes_all_hours_back(stored: Stored, connection: Connection) -> None:
    assert profiles.set_row_size(connection, "BTC", SIZE) == []
    lost = profiles.set_row_size(connection, "BTC", 25.0)
    assert lost == [hour.start for hour in ALL.split(HOUR)]
    assert profiles.hours_made(connection, "BTC") == []
    profiles.make(connection, "BTC", stored.quotes, ALL)
    assert profiles.total(connection, "BTC", ALL).row_size == 25.0


def test_absurd_prices_stand_on_no_row(stored: Stored, connection: Connection) -> None:
    number = min(stored.frames)
    absurd = stored.frames[number].iloc[[100]].assign(high=1e9)
    candles.store(connection, {number: absurd})
    hour = profile_rows.period("hour", absurd["open_time"].iloc[0].to_pydatetime())
    profiles.make(connection, "BTC", stored.quotes, hour)
    part = profiles.profile(connection, "BTC", hour)[number]
    assert part.unpriced == pytest.approx(float(absurd["volume"].iloc[0]))
    assert len(part.volume) < 1_000


def test_what_is_not_stored_is_an_error_that_says_what_to_do(connection: Connection) -> None:
    with pytest.raises(ValueError, match="materialize profile_hours/eth"):
        profiles.total(connection, "ETH", ALL)
    with pytest.raises(ValueError, match="whole UTC hours"):
        profiles.make(connection, "BTC", {}, Window(START + MINUTE, START + HOUR))
