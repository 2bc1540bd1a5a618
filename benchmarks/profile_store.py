"""A window of years from the profile store against reading its candles and computing the profile anew.

Candles of some venues over years are made up (prices follow random walks from 20,000 dollars, with the spread
of real minutes), stored, and their profiles made as the platform makes them. Then three windows are asked
for: whole years, one that begins and ends at odd minutes, and the latter by venue. The other way reads the
same window's candles by our own reader, block by block, the columns that are needed alone, and spreads their
volume; it is the faster of what was there before. Both give the same rows, which is checked. Medians of the
runs; database in the page cache as far as it fits.

Run it with `python benchmarks/profile_store.py [--years N] [--venues N] [--runs N]`.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial

import numpy as np
import pandas as pd
import psycopg
from claims import Point, Ratio, tell
from made_up import START, database

from vp_pipeline.analytics.price_rows import PriceRows, volume_by_price
from vp_pipeline.analytics.venue_profiles import Traded
from vp_pipeline.storage import candles, profiles
from vp_pipeline.storage.connection import Connection, transaction
from vp_pipeline.storage.markets import market_ids
from vp_pipeline.windows import DAY, HOUR, MINUTE, Window

ROW_SIZE = 10.0
CHUNK = 30 * DAY
GOAL, GOAL_YEARS = 500.0, 10
WHOLE = "whole years, all venues"


def venue_candles(seed: int, window: Window, first: float) -> pd.DataFrame:
    """A random walk of minutes, 60 % a year, that returns to where it began on the long run."""
    rng = np.random.default_rng([seed, (window.start - START) // DAY])
    count = window.count(MINUTE)
    walk = np.log(first / 20_000) * 0.999 ** (np.arange(count) / 1440) + np.cumsum(
        rng.normal(0, 0.6 / np.sqrt(525_600), count)
    )
    close = 20_000 * np.exp(walk)
    opened = np.r_[first, close[:-1]]
    spread = np.abs(rng.normal(0, 3e-4, (2, count)))
    volume = rng.exponential(2.0, count)
    return pd.DataFrame(
        {
            "open_time": pd.date_range(window.start, periods=count, freq="min"),
            "open": opened,
            "high": np.maximum(opened, close) * (1 + spread[0]),
            "low": np.minimum(opened, close) * (1 - spread[1]),
            "close": close,
            "volume": volume,
            "taker_buy_volume": volume * rng.random(count),
        }
    )


def fill(url: str, venues: int, window: Window) -> tuple[dict[int, str], float]:
    """Store candles and profiles; the markets, and how long the profiles took."""
    names = [(f"exchange{number}", "BTC/USD") for number in range(venues)]
    with transaction(url) as connection:
        numbers = sorted(market_ids(connection, names).values())
        profiles.set_row_size(connection, "BTC", ROW_SIZE)
    quotes = dict.fromkeys(numbers, "USD")
    price, seconds = 20_000.0, 0.0
    for part in window.split(CHUNK):
        with transaction(url) as connection:
            frames = {number: venue_candles(number, part, price) for number in numbers}
            candles.store(connection, frames)
        price = float(frames[numbers[0]]["close"].iloc[-1])
        started = time.perf_counter()
        with transaction(url) as connection:
            profiles.make(connection, "BTC", quotes, part)
        seconds += time.perf_counter() - started
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE candle")
        connection.execute("VACUUM ANALYZE profile")
        connection.execute("CHECKPOINT")
    return quotes, seconds


def from_candles(connection: Connection, numbers: list[int], window: Window) -> PriceRows:
    """The profile of the window without the store."""
    columns = ["low", "high", "volume"]
    rows = PriceRows(0, ROW_SIZE, np.zeros(0))
    for number in numbers:
        for frame in candles.read_blocks(connection, number, window, columns=columns):
            rows += volume_by_price(frame, ROW_SIZE)
    return rows


def timed(runs: int, way: Callable[[], object]) -> float:
    """The median time in seconds; a run of less than a second has one before it to warm up."""
    started = time.perf_counter()
    way()
    times = [time.perf_counter() - started]
    if times[0] < 1:
        times = []
    while len(times) < runs:
        started = time.perf_counter()
        way()
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def check_same(stored: Traded, direct: PriceRows) -> None:
    """Raise if the two ways do not give the same rows."""
    one, other = stored.rows.trimmed(), direct.trimmed()
    apart = np.abs(one.volume - other.between(one.first_row, len(one.volume)).volume).max()
    if apart > 1e-9 * other.total or abs(one.total - other.total) > 1e-9 * other.total:
        raise AssertionError(f"the two ways differ by {apart} of {other.total}")


def raw_copy(connection: Connection) -> None:
    """The limit of whole years: what is stored of them, as the server copies it out."""
    rows = "SELECT * FROM profile WHERE level = 'year' AND market_id = 0"
    with connection.cursor().copy(f"COPY ({rows}) TO STDOUT (FORMAT binary)".encode()) as copy:
        for _ in copy:
            pass


def grow(connection: Connection, numbers: list[int], window: Window) -> None:
    """Tell the report how both ways grow with the years that are asked for."""
    for years in (1, 2, 5, 10):
        part = Window(window.start, window.start.replace(year=window.start.year + years))
        if part.end <= window.end:
            quick = timed(5, partial(profiles.total, connection, "BTC", part))
            slow = timed(1, partial(from_candles, connection, numbers, part))
            tell(
                Point("profile from the store, ours", "years", years, quick),
                Point("profile from candles", "years", years, slow),
            )


def measure(url: str, numbers: list[int], window: Window, years: int, runs: int) -> None:
    """Print the table."""
    odd = Window(window.start + 17 * HOUR + 23 * MINUTE, window.end - 40 * DAY - 5 * HOUR - 11 * MINUTE)
    with transaction(url) as connection:
        check_same(profiles.total(connection, "BTC", odd), from_candles(connection, numbers, odd))
        slow = timed(min(runs, 2), lambda: from_candles(connection, numbers, odd))
        ways: dict[str, Callable[[], object]] = {
            WHOLE: lambda: profiles.total(connection, "BTC", window),
            "odd minutes, all venues": lambda: profiles.total(connection, "BTC", odd),
            "odd minutes, by venue": lambda: profiles.profile(connection, "BTC", odd),
        }
        print(f"From candles: {slow * 1000:,.0f} ms\n")
        print("| from the store | ms | times faster |\n|---|---|---|")
        for name, way in ways.items():
            quick = timed(max(runs, 5), way)
            print(f"| {name} | {quick * 1000:.1f} | {slow / quick:,.0f} |")
            what = f"profile of {years} years, {name}"
            goal = GOAL if years >= GOAL_YEARS else None
            tell(Ratio(what, "reading its candles", quick, slow, goal=goal))
            if way is ways[WHOLE]:
                limit = timed(max(runs, 5), lambda: raw_copy(connection))
                tell(Ratio(what, "raw COPY of its years", quick, limit, kind="limit"))
        grow(connection, numbers, window)


def sizes(url: str, venues: int, years: float, seconds: float) -> None:
    """Print what is stored."""
    with transaction(url) as connection:
        found = connection.execute(
            "SELECT pg_total_relation_size('profile'), (SELECT sum(pg_total_relation_size(relid))"
            " FROM pg_partition_tree('candle') WHERE isleaf), (SELECT count(*) FROM profile)"
        ).fetchone()
        hourly = connection.execute(
            "SELECT avg(pg_column_size(profile.*)) FROM profile WHERE level = 'hour' AND market_id <> 0"
        ).fetchone()
    if found is None or hourly is None:
        raise AssertionError("nothing is stored")
    whole, of_candles, rows = found
    each = whole / (venues * years)
    print(
        f"\nStored: {each / 1e6:.1f} MB a venue and year with all sums,"
        f" {float(hourly[0]):.0f} bytes a venue's hour, {whole / float(of_candles):.0%} of its candles;"
        f" {rows:,} rows."
        f" Made at {venues * years * 8760 / seconds:,.0f} venue-hours a second."
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="The profile store against candles.")
    parser.add_argument("--years", type=int, default=10)
    parser.add_argument("--venues", type=int, default=2)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    window = Window(START, (START + timedelta(days=366 * options.years)).replace(month=1, day=1))
    with database() as (url, _):
        quotes, seconds = fill(url, options.venues, window)
        rows = options.venues * window.count(MINUTE)
        print(f"{options.years} years of {options.venues} venues: {rows:,} candles, rows of {ROW_SIZE:g}.")
        measure(url, list(quotes), window, options.years, options.runs)
        sizes(url, options.venues, options.years, seconds)


if __name__ == "__main__":
    main()
