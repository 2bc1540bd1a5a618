"""Many markets' candles made into one series.

Here belong the columns of the aggregate. Who is left out is in `venues`, whose prices count in
`price_market`, what a quote currency is worth in `quote_rates`; where candles come from is elsewhere.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from vp_pipeline.analytics.grid import (
    HOURS,
    PRICES,
    Bools,
    Floats,
    Grid,
    Times,
    Venue,
    expected,
    lay_out,
    trailing_sum,
    utc_moment,
)
from vp_pipeline.analytics.price_market import price_markets
from vp_pipeline.analytics.venues import VERDICTS, as_table, judge

LOOKBACK = pd.Timedelta(hours=HOURS)
ROBUST_CAP = 0.005
_BLOCK = np.timedelta64(31 * 24, "h")
_HOUR = np.timedelta64(1, "h")

__all__ = ["LOOKBACK", "Aggregated", "Venue", "aggregate"]


@dataclass(frozen=True)
class Aggregated:
    """Rows of the aggregate, and who was left out of which hour."""

    minutes: pd.DataFrame
    verdicts: pd.DataFrame


def aggregate(
    candles: pd.DataFrame,
    venues: Sequence[Venue],
    lead: int,
    start: pd.Timestamp,
    end: pd.Timestamp,
    rates: pd.DataFrame,
) -> Aggregated:
    """One row for each minute of [start, end) in which a venue that is not left out has a candle.

    An hour's rows depend on its trailing 24 hours alone, however the time is cut into calls.

    Args:
        candles: final candles of [start - 24 h, end), in any order: market_id, open_time, open, high, low,
            close, volume (base asset), quote_volume and taker_buy_volume (NaN where not known).
        venues: every market that could report; the order decides between equals.
        lead: number of the venue whose prices the rows carry; none of the venues for no lead.
        start: whole hour, UTC.
        end: whole hour, UTC.
        rates: as `quote_rates.quote_rates` makes them: quote, open_time, usd.

    Returns:
        minutes, ordered by open_time:
            open_time; open, high, low, close as the market named in price_market traded, not converted;
            volume: sum in the base asset; vwap: closes of the venues with volume in the minute, in US
            dollars, weighted by volume; robust_price: the same with each price first capped to the median
            of them +-0.5 %; quote_volume_usd: turnover, where not given volume x (high + low + close) / 3,
            in US dollars; taker_buy_volume: sum in the base asset over the venues that give it, NaN if
            none; markets: number of venues with a candle; missing: names of the expected ones without;
            left_out: name (verdict) of those left out. A venue whose quote has no rate in a minute is in
            volume and not in vwap, robust_price and quote_volume_usd; these are NaN if no other is there.
        verdicts: hour, market_id, verdict (dead, duplicate or units) and reason; see `venues.judge`.

    Raises:
        ValueError: start or end is no whole UTC hour, end is not after start, or the candles are not as
            `grid.lay_out` needs them.
    """
    first, last = _whole_hour(start), _whole_hour(end)
    if last <= first:
        raise ValueError(f"the aggregate needs an end after its start, not {start} to {end}")
    blocks = [
        _block(candles, venues, lead, begin, min(begin + _BLOCK, last), rates)
        for begin in np.arange(first, last, _BLOCK)
    ]
    return Aggregated(
        pd.concat([block.minutes for block in blocks], ignore_index=True),
        pd.concat([block.verdicts for block in blocks], ignore_index=True),
    )


def _block(
    candles: pd.DataFrame,
    venues: Sequence[Venue],
    lead: int,
    start: np.datetime64,
    end: np.datetime64,
    rates: pd.DataFrame,
) -> Aggregated:
    """The same for a stretch that is small enough for tables of minutes x venues."""
    day = lay_out(candles, venues, start - (HOURS - 1) * _HOUR, end)
    column = next((i for i, venue in enumerate(venues) if venue.number == lead), -1)
    judgement = judge(day, column)
    left_out = judgement.verdict > 0
    hours = np.arange(start, end, _HOUR)
    traded = trailing_sum(day["volume"])
    chosen = price_markets(day.present, ~left_out, traded, column)

    grid = _rows(day, (HOURS - 1) * 60)
    included = grid.present & ~np.repeat(left_out, 60, axis=0)
    awaited = ~np.repeat(left_out, 60, axis=0) & expected(venues, grid.minutes)
    labels = [
        ", ".join(
            f"{venue.name} ({VERDICTS[code]})" for venue, code in zip(venues, codes, strict=True) if code
        )
        for codes in judgement.verdict
    ]
    rows = np.flatnonzero(included.any(axis=1))
    at = chosen[rows]
    usd = _in_dollars(venues, grid.minutes, rates)
    names = np.array([venue.name for venue in venues], dtype=object)
    minutes = pd.DataFrame(
        {
            "open_time": _aware(grid.minutes[rows]),
            **{price: grid[price][rows, at] for price in PRICES},
            "price_market": pd.Series(names[at], dtype="str"),
            "volume": np.where(included, grid["volume"], 0.0).sum(axis=1)[rows],
            **{name: values[rows] for name, values in _dollars(grid, included, usd).items()},
            "taker_buy_volume": _sum_of_known(grid["taker_buy_volume"], included)[rows],
            "markets": included.sum(axis=1)[rows],
            "missing": pd.Series(_names_of(awaited & ~included, names)[rows], dtype="str"),
            "left_out": pd.Series(np.repeat(np.array(labels, dtype=object), 60)[rows], dtype="str"),
        }
    )
    return Aggregated(minutes, as_table(judgement, _aware(hours), grid))


def _rows(grid: Grid, first: int) -> Grid:
    values = {name: table[first:] for name, table in grid.values.items()}
    return Grid(grid.start + np.timedelta64(first, "m"), grid.venues, grid.present[first:], values)


def _whole_hour(moment: pd.Timestamp) -> np.datetime64:
    if moment.utcoffset() != pd.Timedelta(0) or moment != moment.floor("h"):
        raise ValueError(f"the aggregate is made of whole UTC hours, {moment} is none")
    return utc_moment(moment)


def _aware(times: Times) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(times.astype("datetime64[us]")).tz_localize("UTC")


def _in_dollars(venues: Sequence[Venue], minutes: Times, rates: pd.DataFrame) -> Floats:
    """Minutes x venues: dollars for one unit of the quote, NaN where not known."""
    table = np.full((len(minutes), len(venues)), np.nan)
    index = _aware(minutes)
    by_quote: dict[str, Floats] = {}
    for column, venue in enumerate(venues):
        if venue.quote not in by_quote:
            known = rates.loc[rates["quote"] == venue.quote].set_index("open_time")["usd"]
            by_quote[venue.quote] = known.reindex(index).to_numpy(dtype=np.float64)
        table[:, column] = by_quote[venue.quote]
    return table


def _dollars(grid: Grid, included: Bools, usd: Floats) -> dict[str, Floats]:
    """vwap, robust_price and quote_volume_usd of every minute."""
    rated = included & np.isfinite(usd)
    weighted = rated & (grid["volume"] > 0)
    weights = np.where(weighted, grid["volume"], 0.0)
    prices = np.where(weighted, grid["close"] * usd, np.nan)
    middle = _median(prices)[:, None]
    capped = np.clip(prices, middle * (1 - ROBUST_CAP), middle * (1 + ROBUST_CAP))
    turnover = np.where(rated, grid.turnover * usd, 0.0).sum(axis=1)
    return {
        "vwap": _mean(prices, weights),
        "robust_price": _mean(capped, weights),
        "quote_volume_usd": np.where(rated.any(axis=1), turnover, np.nan),
    }


def _mean(prices: Floats, weights: Floats) -> Floats:
    total = weights.sum(axis=1)
    summed = np.where(weights > 0, prices * weights, 0.0).sum(axis=1)
    return np.asarray(np.divide(summed, total, out=np.full(len(total), np.nan), where=total > 0))


def _median(table: Floats) -> Floats:
    """Of each row, over what is not NaN; NaN if nothing is."""
    ordered = np.sort(table, axis=1)
    count = np.isfinite(table).sum(axis=1)
    rows = np.arange(len(table))
    lower, upper = ordered[rows, np.maximum(count - 1, 0) // 2], ordered[rows, count // 2]
    return np.asarray((lower + upper) / 2)


def _sum_of_known(table: Floats, included: Bools) -> Floats:
    known = included & np.isfinite(table)
    return np.where(known.any(axis=1), np.where(known, table, 0.0).sum(axis=1), np.nan)


def _names_of(chosen: Bools, names: npt.NDArray[np.object_]) -> npt.NDArray[np.object_]:
    """Comma separated, of each row. Rows are many, distinct ones few: each is named once."""
    patterns, which = np.unique(np.packbits(chosen, axis=1), axis=0, return_inverse=True)
    picked = np.unpackbits(patterns, axis=1, count=len(names)).astype(bool)
    said = np.array([", ".join(names[pattern]) for pattern in picked], dtype=object)
    return said[which.reshape(-1)]
