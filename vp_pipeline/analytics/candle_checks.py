"""What is wrong with candles, as findings that say what, where and how much.

Here belong checks of stored candles by venue. Whether a venue is left out of the aggregate is judged in
`venues`, regular holes are looked for in `periodic_holes`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from vp_pipeline.analytics.grid import PRICES, Bools, Floats, Venue
from vp_pipeline.analytics.periodic_holes import periodic_hole

DEVIATION = 0.02
"""The largest deviation from the median that passes, as a share of it."""


@dataclass(frozen=True)
class CandleFinding:
    """One thing wrong at one venue: how many candles or minutes of how many, and the worst of them.

    `worst` says how much, `when` is its open time.
    """

    venue: str
    what: str
    count: int
    of: int
    when: pd.Timestamp
    worst: str

    def __str__(self) -> str:
        """One plain sentence."""
        return (
            f"{self.venue}: {self.what} in {self.count} of {self.of} minutes"
            f", worst at {self.when:%Y-%m-%d %H:%M} UTC: {self.worst}."
        )


@dataclass(frozen=True)
class Stale:
    """A venue whose newest candle is too old; `last` is None where there is none."""

    venue: str
    last: pd.Timestamp | None
    minutes: int

    def __str__(self) -> str:
        """One plain sentence."""
        if self.last is None:
            return f"{self.venue}: there is no candle at all."
        newest = f"{self.last:%Y-%m-%d %H:%M} UTC"
        return f"{self.venue}: the newest candle is of {newest}, {self.minutes} minutes ago."


def check_sanity(candles: pd.DataFrame, venues: Sequence[Venue]) -> list[CandleFinding]:
    """Candles that cannot be: low above open or close, high below, a volume below 0, values not finite.

    Args:
        candles: market_id, open_time, open, high, low, close, volume, in any order.
        venues: those to look at.
    """
    open_, high, low, close = (candles[name].to_numpy(dtype=np.float64) for name in PRICES)
    volume = candles["volume"].to_numpy(dtype=np.float64)
    finite = np.asarray(np.isfinite([open_, high, low, close, volume]).all(axis=0))
    bottom, top = np.fmin(open_, close), np.fmax(open_, close)
    none = np.zeros(len(candles))
    tests: list[tuple[str, Bools, Floats, str]] = [
        ("a price or the volume is no finite number", ~finite, none, "no finite number"),
        ("low is above open or close", finite & (low > bottom), low - bottom, "by {:.10g}"),
        ("high is below open or close", finite & (high < top), top - high, "by {:.10g}"),
        ("the volume is negative", finite & (volume < 0), -volume, "-{:.10g}"),
    ]
    market = candles["market_id"].to_numpy()
    findings = []
    for venue in venues:
        own = market == venue.number
        for what, wrong, much, said in tests:
            rows = np.flatnonzero(own & wrong)
            if len(rows):
                row = rows[np.argmax(much[rows])]
                when = candles["open_time"].iloc[row]
                findings.append(
                    CandleFinding(
                        venue.name, what, len(rows), int(own.sum()), when, said.format(float(much[row]))
                    )
                )
    return findings


def check_deviation(
    candles: pd.DataFrame, venues: Sequence[Venue], rates: pd.DataFrame
) -> list[CandleFinding]:
    """Venues whose price was far from the others' in some minute.

    Compared are closes in US dollars of venues that traded in the minute with the median of them all; a
    minute with fewer than three such venues is not looked at, as nobody could say who is wrong.

    Args:
        candles: market_id, open_time, close, volume, in any order.
        venues: those to look at.
        rates: as `quote_rates.quote_rates` makes them.
    """
    quotes = {venue.number: venue.quote for venue in venues}
    table = candles.loc[candles["volume"] > 0, ["market_id", "open_time", "close"]]
    table = table.assign(quote=table["market_id"].map(quotes))
    table = table.merge(rates[["quote", "open_time", "usd"]], on=["quote", "open_time"])
    table["price"] = table["close"] * table["usd"]
    minutes = table.groupby("open_time")["price"]
    table["median"] = minutes.transform("median")
    table = table[minutes.transform("size") >= 3]
    table["off"] = table["price"] / table["median"] - 1
    findings = []
    for venue in venues:
        own = table[table["market_id"] == venue.number]
        far = own[own["off"].abs() > DEVIATION]
        if len(far):
            worst = far.iloc[int(far["off"].abs().to_numpy().argmax())]
            what = f"the price is more than {DEVIATION:.4g} of the median away from it"
            much = f"{worst['off']:+.2%}, {worst['price']:.8g} against {worst['median']:.8g} US dollars"
            findings.append(CandleFinding(venue.name, what, len(far), len(own), worst["open_time"], much))
    return findings


def check_holes(candles: pd.DataFrame, venues: Sequence[Venue]) -> list[CandleFinding]:
    """Venues that lack minutes at a regular distance, as an error of paging makes them.

    Args:
        candles: market_id and open_time, in any order.
        venues: those to look at; each is looked at from its first candle to its last.
    """
    findings = []
    for venue in venues:
        times = candles.loc[candles["market_id"] == venue.number, "open_time"]
        if times.empty:
            continue
        first = times.min()
        row = ((times - first) // pd.Timedelta(minutes=1)).to_numpy(dtype=np.int64)
        present = np.zeros(row.max() + 1, dtype=bool)
        present[row] = True
        hole = periodic_hole(present)
        if hole is not None:
            what = f"a minute is missing in every {hole.period}"
            when = first + pd.Timedelta(minutes=hole.first)
            much = f"{hole.holes} of {hole.places} such minutes, an error of paging"
            findings.append(CandleFinding(venue.name, what, hole.holes, len(present), when, much))
    return findings


def check_staleness(
    last: Iterable[tuple[Venue, pd.Timestamp | None]], now: pd.Timestamp, limit: pd.Timedelta
) -> list[Stale]:
    """Venues whose newest candle is older than `limit`; a retired venue is not looked at.

    Args:
        last: the open time of each venue's newest final candle, None where there is none.
        now: the exchanges' time.
        limit: the largest age of the end of that minute.
    """
    findings = []
    for venue, newest in last:
        if venue.until is not None and venue.until <= now:
            continue
        if newest is None:
            findings.append(Stale(venue.name, None, 0))
            continue
        age = now - newest - pd.Timedelta(minutes=1)
        if age > limit:
            findings.append(Stale(venue.name, newest, int(age // pd.Timedelta(minutes=1))))
    return findings
