"""What a quote currency is worth in US dollars, from the bitcoin markets themselves.

Direct trading of stablecoins against the dollar is thin; bitcoin trades against all of them. Here belongs
that comparison; what is done with a rate does not.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from vp_pipeline.analytics.grid import (
    HOURS,
    Bools,
    Floats,
    Grid,
    Ints,
    Times,
    Venue,
    expected,
    lay_out,
    utc_moment,
    utc_times,
)

DOLLAR = "USD"
STABLECOINS = frozenset(
    {"USDT", "USDC", "BUSD", "TUSD", "USDP", "PAX", "DAI", "FDUSD", "PYUSD", "GUSD", "USDD"}
)
MEDIAN_MINUTES = 15
CARRY_MINUTES = 60
_MINUTE = np.timedelta64(1, "m")


def quote_rates(
    candles: pd.DataFrame, venues: Sequence[Venue], end: pd.Timestamp | None = None
) -> pd.DataFrame:
    """Dollars for one unit of each quote currency, minute by minute.

    The rate of a quote is the median over the trailing 15 minutes of the price of BTC in dollars over its
    price in the quote, both the closes of all markets of that quote weighted by volume, of minutes in which
    both traded. The last known rate is carried for at most 60 minutes. The dollar is 1. Where no
    venue quoted in dollars is expected (`grid.expected`), stablecoins of the dollar are taken at par and
    other quotes have no rate. A rate follows from the trailing 24 hours of its hour alone.

    Args:
        candles: of BTC markets, with 24 hours before the first minute that matters: market_id, open_time,
            open, high, low, close, volume (base asset).
        venues: the BTC markets.
        end: rates are given up to this time, in the minutes from the first candle of their hour's trailing
            24 hours on; None: up to the last candle.

    Returns:
        quote, open_time, usd and markets: how many markets of the quote traded in the 15 minutes, at the
        dollar all dollar markets, 0 for a rate at par. Ordered by quote and time; minutes without a rate
        have no row.

    Raises:
        ValueError: the candles are not as `grid.lay_out` needs them.
    """
    quotes = sorted({venue.quote for venue in venues} | {DOLLAR})
    if candles.empty:
        return _table([], [], [], [])
    times = utc_times(candles["open_time"])
    stop = times.max() + _MINUTE if end is None else utc_moment(end)
    grid = lay_out(candles, venues, times.min().astype("datetime64[m]"), stop)
    columns = {q: [i for i, venue in enumerate(venues) if venue.quote == q] for q in quotes}
    dollars = _price(grid, columns[DOLLAR])
    # Whether there is a dollar market in the minute, whether it trades or not.
    comparable = np.asarray(expected(venues, grid.minutes)[:, columns[DOLLAR]].any(axis=1))
    given = _given(grid)
    names, minutes, rates, markets = [], [], [], []
    for quote in quotes:
        usd, count = _rate(grid, quote, columns[quote], dollars, comparable)
        known = np.isfinite(usd) & given
        names += [quote] * int(known.sum())
        minutes.append(grid.minutes[known])
        rates.append(usd[known])
        markets.append(count[known])
    return _table(names, minutes, rates, markets)


def _rate(
    grid: Grid, quote: str, columns: list[int], dollars: Floats, comparable: Bools
) -> tuple[Floats, Ints]:
    rows = len(grid.present)
    traded = _trailing_count(grid["volume"][:, columns] > 0)
    count = (traded > 0).sum(axis=1)
    if quote == DOLLAR:
        return np.ones(rows), count
    price = _price(grid, columns)
    ratio = pd.Series(dollars / price).rolling(MEDIAN_MINUTES, min_periods=1).median()
    known = ratio.notna().to_numpy()
    last = np.maximum.accumulate(np.where(known, np.arange(rows), -1))
    fresh = (last >= 0) & (np.arange(rows) - last <= CARRY_MINUTES)
    at_par = np.where(~comparable & (quote in STABLECOINS), 1.0, np.nan)
    return np.where(fresh, ratio.to_numpy()[last], at_par), np.where(fresh, count[last], 0)


def _given(grid: Grid) -> Bools:
    """Minutes from the first candle of their hour's trailing 24 hours on."""
    minute = grid.minutes.astype("datetime64[m]").astype(np.int64)
    newest = np.maximum.accumulate(np.where(grid.present.any(axis=1), minute, np.iinfo(np.int64).min))
    return newest >= minute // 60 * 60 - (HOURS - 1) * 60


def _price(grid: Grid, columns: list[int]) -> Floats:
    """Closes weighted by volume; NaN in minutes without a trade."""
    weights = np.nan_to_num(grid["volume"][:, columns])
    total = weights.sum(axis=1)
    summed = (np.nan_to_num(grid["close"][:, columns]) * weights).sum(axis=1)
    return np.asarray(np.divide(summed, total, out=np.full(len(total), np.nan), where=total > 0))


def _trailing_count(table: Bools) -> Ints:
    total = np.vstack([np.zeros((1, table.shape[1]), dtype=np.int64), np.cumsum(table, axis=0)])
    first = np.maximum(np.arange(len(table)) + 1 - MEDIAN_MINUTES, 0)
    return total[1:] - total[first]


def _table(names: list[str], minutes: list[Times], rates: list[Floats], markets: list[Ints]) -> pd.DataFrame:
    times = np.concatenate([*minutes, np.array([], dtype="datetime64[us]")]).astype("datetime64[us]")
    return pd.DataFrame(
        {
            "quote": pd.Series(names, dtype="str"),
            "open_time": pd.DatetimeIndex(times).tz_localize("UTC"),
            "usd": np.concatenate([*rates, np.array([], dtype=np.float64)]),
            "markets": np.concatenate([*markets, np.array([], dtype=np.int64)]),
        }
    )
