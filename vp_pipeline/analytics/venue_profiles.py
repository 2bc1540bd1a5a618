"""Volume by price of many venues, hour by hour and in US dollars: the parts of which every profile is a sum.

Here belongs making those parts of candles and adding them up. Each venue's volume stands at its own prices,
low and high times what its quote currency was worth in that minute, spread as `placement.uniform` does it.
Where parts are kept is not known here; what is read from a sum is in `value_area` and `nodes`.

Bought is what takers bought where the wire tells it; elsewhere the direction of the candle stands in for it,
as in `delta`. `known` says of how much volume it is told.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from vp_pipeline.analytics.delta import Delta
from vp_pipeline.analytics.grid import Bools, Times, utc_times
from vp_pipeline.analytics.placement import rows_between
from vp_pipeline.analytics.price_rows import Floats, Ints, PriceRows

MOST_ROWS = 50_000
"""A venue's hour with more rows has a price that is none, or rows that are too small."""

_FAR = 10.0
_EVIDENCE = 10
"""An hour with fewer candles does not show whether its rows are too small or one of its prices is none."""
_CELLS = 1_000_000
_PRICES = ("open", "high", "low", "close")


@dataclass(frozen=True, eq=False)
class Traded:
    """What was traded on the rows `first_row`, `first_row` + 1, ..., in base units.

    Attributes:
        bought: by takers, of `volume`.
        known: volume of which the wire tells how much takers bought; for the rest it is guessed.
        unpriced: volume that stands on no row, as its quote currency had no rate or its price was absurd.
        hours: hours that were added up.
    """

    first_row: int
    row_size: float
    volume: Floats
    bought: Floats
    known: float = 0.0
    unpriced: float = 0.0
    hours: int = 0

    @property
    def rows(self) -> PriceRows:
        """Volume by price."""
        return PriceRows(self.first_row, self.row_size, self.volume)

    @property
    def delta(self) -> Delta:
        """Bought and sold volume by price."""
        total = float(self.volume.sum())
        share = min(1.0, self.known / total) if total > 0 else 0.0
        return Delta(
            PriceRows(self.first_row, self.row_size, self.bought),
            PriceRows(self.first_row, self.row_size, np.maximum(self.volume - self.bought, 0.0)),
            share,
        )

    @classmethod
    def sum_of(cls, parts: Iterable["Traded"], row_size: float, hours: int | None = None) -> "Traded":
        """All together, in the order given; `hours` where the parts are of the same time.

        Raises:
            ValueError: a part has rows of another size.
        """
        given = list(parts)
        for part in given:
            if part.row_size != row_size:
                raise ValueError(f"rows of {part.row_size} and of {row_size} cannot be added")
        filled = [part for part in given if len(part.volume)]
        first = min((part.first_row for part in filled), default=0)
        count = max((part.first_row + len(part.volume) for part in filled), default=0) - first
        volume, bought = np.zeros(count), np.zeros(count)
        for part in filled:
            place = slice(part.first_row - first, part.first_row - first + len(part.volume))
            volume[place] += part.volume
            bought[place] += part.bought
        return cls(
            first,
            row_size,
            volume,
            bought,
            sum((part.known for part in given), 0.0),
            sum((part.unpriced for part in given), 0.0),
            sum(part.hours for part in given) if hours is None else hours,
        )


def hourly_profiles(
    candles: pd.DataFrame, usd: Floats, row_size: float
) -> dict[tuple[int, pd.Timestamp], Traded]:
    """The part of each venue and UTC hour with volume, by market number and hour.

    Args:
        candles: market_id, open_time (UTC), open, high, low, close, volume (base asset), taker_buy_volume
            (NaN where not known), ordered by market and time. One without positive prices, a finite volume
            of at least 0, or a range that is one, is no candle.
        usd: for each candle, dollars for one unit of its quote currency; NaN where not known.
        row_size: in dollars.

    Raises:
        ValueError: the rows are so small that most hours have most of their candles off `MOST_ROWS` rows
            around the median.
    """
    values = {name: candles[name].to_numpy(dtype=np.float64) for name in (*_PRICES, "volume")}
    counts = np.isfinite(values["volume"]) & (values["volume"] > 0) & (values["high"] >= values["low"])
    for name in _PRICES:
        counts &= np.isfinite(values[name]) & (values[name] > 0)
    values = {name: array[counts] for name, array in values.items()}
    market = candles["market_id"].to_numpy(dtype=np.int64)[counts]
    hour = utc_times(candles["open_time"])[counts].astype("datetime64[h]")
    if not len(market):
        return {}
    volume = values["volume"]
    bought, known = _bought(values, candles["taker_buy_volume"].to_numpy(dtype=np.float64)[counts])
    groups = np.flatnonzero(np.r_[True, (np.diff(market) != 0) | (hour[1:] != hour[:-1])])
    rate = usd[counts]
    low, high = values["low"] * rate, values["high"] * rate
    bottom, top, priced = _rows(low, high, row_size, groups)
    result: dict[tuple[int, pd.Timestamp], Traded] = {}
    ends = np.r_[groups[1:], len(market)]
    for block in _blocks(groups, ends, np.where(priced, top - bottom + 1, 0)):
        part = slice(int(groups[block[0]]), int(ends[block[-1]]))
        first, width, of_volume, of_bought = _spread(
            low[part] * (1 / row_size),
            high[part] * (1 / row_size),
            np.where(priced, volume, 0.0)[part],
            np.where(priced, bought, 0.0)[part],
            bottom[part],
            top[part],
            priced[part],
            groups[block] - part.start,
        )
        start = np.r_[0, np.cumsum(width)]
        for at, group in enumerate(block):
            candle, place = slice(groups[group], ends[group]), slice(start[at], start[at + 1])
            inside = priced[candle]
            result[int(market[groups[group]]), _aware(hour[groups[group]])] = Traded(
                int(first[at]),
                row_size,
                of_volume[place],
                of_bought[place],
                float(volume[candle][inside & known[candle]].sum()),
                float(volume[candle][~inside].sum()),
                1,
            )
    return result


def _bought(values: dict[str, Floats], taker: Floats) -> tuple[Floats, Bools]:
    """Bought volume, and where it is known; a number that cannot be is none."""
    volume = values["volume"]
    known = np.isfinite(taker) & (taker >= 0) & (taker <= volume * (1 + 1e-9))
    direction = (np.sign(values["close"] - values["open"]) + 1) / 2
    return np.minimum(np.where(known, taker, volume * direction), volume), known


def _rows(low: Floats, high: Floats, row_size: float, groups: Ints) -> tuple[Ints, Ints, Bools]:
    """First and last row of each candle, and which have any."""
    priced = np.isfinite(low) & np.isfinite(high)
    bottom, top = _ends(low, high, priced, row_size)
    wide = _extent(bottom, top, priced, groups)[1] > MOST_ROWS
    if not wide.any():
        return bottom, top, priced
    ends = np.r_[groups[1:], len(low)]
    had = np.add.reduceat(priced, groups, dtype=np.int64)
    for group in np.flatnonzero(wide):
        part = slice(groups[group], ends[group])
        middle = float(np.median(low[part][priced[part]]))
        priced[part] &= (low[part] >= middle / _FAR) & (high[part] <= middle * _FAR)
    bottom, top = _ends(low, high, priced, row_size)
    widths = _extent(bottom, top, priced, groups)[1]
    for group in np.flatnonzero(widths > MOST_ROWS):
        part = slice(groups[group], ends[group])
        inner = np.sort(bottom[part][priced[part]])
        first = inner[(len(inner) - 1) // 2] - MOST_ROWS // 2
        priced[part] &= (bottom[part] >= first) & (top[part] < first + MOST_ROWS)
    kept = np.add.reduceat(priced, groups, dtype=np.int64)
    telling = had >= _EVIDENCE
    if 2 * np.count_nonzero(telling & (2 * kept < had)) > np.count_nonzero(telling):
        raise ValueError(
            f"rows of {row_size} would be {int(widths.max()):,} for an hour of one venue, more than"
            f" {MOST_ROWS:,}: choose a larger row size"
        )
    bottom, top = _ends(low, high, priced, row_size)
    return bottom, top, priced


def _ends(low: Floats, high: Floats, priced: Bools, row_size: float) -> tuple[Ints, Ints]:
    bottom, top = rows_between(np.where(priced, low, 0.0), np.where(priced, high, 0.0), row_size)
    return bottom, np.maximum(bottom, top)


def _extent(bottom: Ints, top: Ints, priced: Bools, groups: Ints) -> tuple[Ints, Ints]:
    """First row and number of rows of each group."""
    far = np.int64(1) << 62
    first = np.minimum.reduceat(np.where(priced, bottom, far), groups)
    last = np.maximum.reduceat(np.where(priced, top, -far), groups)
    some = last >= first
    return np.where(some, first, 0), np.where(some, last - first + 1, 0)


def _blocks(groups: Ints, ends: Ints, cells: Ints) -> Iterable[Ints]:
    """Groups in stretches, each of about `_CELLS` cells, which bounds the memory."""
    before = np.r_[0, np.cumsum(cells)]
    block = before[ends] // _CELLS
    return np.split(np.arange(len(groups)), np.flatnonzero(np.diff(block)) + 1)


def _spread(
    low: Floats,
    high: Floats,
    volume: Floats,
    bought: Floats,
    bottom: Ints,
    top: Ints,
    priced: Bools,
    groups: Ints,
) -> tuple[Ints, Ints, Floats, Floats]:
    """First row, number of rows, volume and bought volume of each group, one after the other.

    A cell is a candle on a row. Prices are in rows.
    """
    first, width = _extent(bottom, top, priced, groups)
    origin = np.r_[0, np.cumsum(width)]
    group = np.repeat(np.arange(len(groups)), np.diff(np.r_[groups, len(low)]))
    count = np.where(priced, top - bottom + 1, 0)
    candle = np.repeat(np.arange(len(low)), count)
    within = np.arange(len(candle)) - np.repeat(np.cumsum(count) - count, count)
    row = bottom[candle] + within
    part = np.ones(len(candle))
    a, b = low[candle], high[candle]
    part = np.where(within == 0, row + 1 - a, part)
    part = np.where(row == top[candle], b - np.where(within == 0, a, row), part)
    share = np.where(count[candle] == 1, 1.0, part / np.maximum(b - a, 1e-300))
    cell = origin[:-1][group[candle]] + row - first[group[candle]]
    sums = [np.bincount(cell, share * held[candle], int(origin[-1])) for held in (volume, bought)]
    return first, width, sums[0].astype(np.float64), sums[1].astype(np.float64)


def _aware(hour: np.datetime64) -> pd.Timestamp:
    return pd.Timestamp(hour).tz_localize("UTC")


def dollars(candles: pd.DataFrame, quotes: dict[int, str], rates: pd.DataFrame) -> Floats:
    """For each candle, dollars for one unit of its market's quote currency; NaN where there is no rate.

    Args:
        candles: market_id, open_time.
        quotes: quote currency of each market.
        rates: as `quote_rates.quote_rates` makes them. The dollar needs none.
    """
    times: Times = utc_times(candles["open_time"])
    market = candles["market_id"].to_numpy(dtype=np.int64)
    usd: npt.NDArray[np.float64] = np.full(len(times), np.nan)
    for number, quote in quotes.items():
        own = market == number
        if quote == "USD":
            usd[own] = 1.0
            continue
        known = rates[rates["quote"] == quote]
        at, rate = utc_times(known["open_time"]), known["usd"].to_numpy(dtype=np.float64)
        if len(at) and own.any():
            place = np.minimum(np.searchsorted(at, times[own]), len(at) - 1)
            usd[own] = np.where(at[place] == times[own], rate[place], np.nan)
    return usd
