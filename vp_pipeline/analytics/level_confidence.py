"""How sure the levels of a profile are, by resampling what they rest on.

Here belong intervals and stability of POC, VAH, VAL and nodes; the levels themselves are in `value_area` and
`nodes`. A profile is a sum over blocks of time and over venues, by one placement rule. Each draw takes as
many blocks and venues as there are, with repetition, and one of the rules at random; `by` has the interval of
each of the three alone. Same input and seed, same result.

An interval is the range between the percentiles of the draws. A level's stability is the share of the draws
that put it within `TOLERANCE` of the value area's height (a row at least) of where it is. An interval knows
only the time and the venues that it has seen.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from vp_pipeline.analytics.errors import NotEnoughData
from vp_pipeline.analytics.nodes import VolumeNodes, volume_nodes
from vp_pipeline.analytics.price_rows import CANDLE_RULES, Floats, PriceRows, volume_by_price
from vp_pipeline.analytics.value_area import value_area

SAMPLES = 200
LEVEL = 0.90
"""Share of the draws inside an interval."""
TOLERANCE = 0.05
BLOCK = pd.Timedelta(hours=1)
"""Length of the blocks of time, aligned at midnight UTC."""

Interval = tuple[float, float]


@dataclass(frozen=True)
class Sureness:
    """A level's price, its interval, how stable it is (0 to 1), and the interval of each cause alone."""

    name: str
    price: float
    interval: Interval
    stability: float
    by: Mapping[str, Interval]


@dataclass(frozen=True)
class Confidence:
    """POC, VAH and VAL, and the high volume nodes; what they rest on."""

    levels: tuple[Sureness, ...]
    nodes: tuple[Sureness, ...]
    level: float
    samples: int
    blocks: int
    venues: int


@dataclass(frozen=True, eq=False)
class _Parts:
    """Volume by rule, venue and block on shared rows: an array (CANDLE_RULES, venues, blocks, rows).

    The first rule, `uniform`, is that of the profile in question.
    """

    first_row: int
    row_size: float
    volume: "np.ndarray[tuple[int, int, int, int], np.dtype[np.float64]]"

    def rows(self, volume: Floats) -> PriceRows:
        return PriceRows(self.first_row, self.row_size, volume)


def level_confidence(
    candles: Mapping[str, pd.DataFrame],
    row_size: float,
    *,
    samples: int = SAMPLES,
    seed: int = 0,
) -> Confidence:
    """Intervals and stability of the levels of all venues' candles together.

    Args:
        candles: of each venue, as `volume_by_price` needs them for all rules, with open_time (UTC).
        row_size: as there.
        samples: draws.
        seed: of the random numbers.

    Raises:
        NotEnoughData: no volume, or fewer than two blocks of time.
        ValueError: no samples.
    """
    if samples < 1:
        raise ValueError(f"cannot draw {samples} samples")
    parts = _parts(candles, row_size)
    _, venues, blocks, _ = parts.volume.shape
    if blocks < 2:
        raise NotEnoughData(f"{blocks} block of {BLOCK}: intervals need two or more")
    own = parts.rows(parts.volume[0].sum(axis=(0, 1)))
    area = value_area(own)
    nodes = volume_nodes(own) if (own.volume > 0).sum() > 1 else None
    draws = {
        cause: _draws(parts, cause, samples, np.random.default_rng([seed, number]))
        for number, cause in enumerate(("all", "time", "venues", "placement"))
    }
    found = {
        cause: np.array([_levels(parts.rows(drawn)) for drawn in many if drawn.sum() > 0])
        for cause, many in draws.items()
    }
    near = max(row_size, TOLERANCE * (area.vah - area.val))
    levels = tuple(
        _sureness(name, price, {cause: values[:, at] for cause, values in found.items()}, near)
        for at, (name, price) in enumerate((("POC", area.poc), ("VAH", area.vah), ("VAL", area.val)))
    )
    of_nodes = _node_sureness(parts, nodes, draws["all"]) if nodes else ()
    return Confidence(levels, of_nodes, LEVEL, samples, blocks, venues)


def _parts(candles: Mapping[str, pd.DataFrame], row_size: float) -> _Parts:
    profiles = {
        (at_rule, at_venue, start): volume_by_price(part, row_size, name)
        for at_venue, frame in enumerate(candles.values())
        for start, part in frame.groupby(frame["open_time"].dt.floor(BLOCK))
        for at_rule, name in enumerate(CANDLE_RULES)
    }
    if not any(rows.total > 0 for rows in profiles.values()):
        raise NotEnoughData("no venue has volume")
    starts = sorted({start for _, _, start in profiles})
    first = min(rows.first_row for rows in profiles.values())
    count = max(rows.first_row + len(rows.volume) for rows in profiles.values()) - first
    volume = np.zeros((len(CANDLE_RULES), len(candles), len(starts), count))
    for (at_rule, at_venue, start), rows in profiles.items():
        volume[at_rule, at_venue, starts.index(start)] = rows.between(first, count).volume
    return _Parts(first, row_size, volume)


def _draws(parts: _Parts, cause: str, samples: int, rng: np.random.Generator) -> Floats:
    """Profiles (samples, rows) in which one cause, or all, is left to chance."""
    rules, venues, blocks, rows = parts.volume.shape
    chosen = np.zeros(samples, dtype=np.int64)
    of_venue, of_block = np.ones((samples, venues)), np.ones((samples, blocks))
    if cause in ("all", "placement"):
        chosen = rng.integers(0, rules, samples)
    if cause in ("all", "venues"):
        of_venue = rng.multinomial(venues, np.full(venues, 1 / venues), samples).astype(np.float64)
    if cause in ("all", "time"):
        of_block = rng.multinomial(blocks, np.full(blocks, 1 / blocks), samples).astype(np.float64)
    drawn = np.empty((samples, rows))
    for at_rule in range(rules):
        of_rule = chosen == at_rule
        weights = (of_venue[of_rule, :, None] * of_block[of_rule, None, :]).reshape(-1, venues * blocks)
        drawn[of_rule] = weights @ parts.volume[at_rule].reshape(venues * blocks, rows)
    return drawn


def _levels(rows: PriceRows) -> tuple[float, float, float]:
    area = value_area(rows)
    return area.poc, area.vah, area.val


def _sureness(name: str, price: float, found: Mapping[str, Floats], near: float) -> Sureness:
    intervals = {cause: _interval(values) for cause, values in found.items()}
    stable = float(np.mean(np.abs(found["all"] - price) <= near * (1 + 1e-9)))
    return Sureness(name, price, intervals.pop("all"), stable, intervals)


def _node_sureness(parts: _Parts, nodes: VolumeNodes, draws: Floats) -> tuple[Sureness, ...]:
    """A node is there again in a draw if a high node stands within half its width of it."""
    drawn = [
        np.array([node.price for node in volume_nodes(parts.rows(one), bandwidth=nodes.curve.bandwidth).high])
        for one in draws
        if (one > 0).sum() > 1
    ]
    found = []
    for node in nodes.high:
        nearest = np.array(
            [prices[np.argmin(np.abs(prices - node.price))] for prices in drawn if len(prices)]
        )
        again = nearest[np.abs(nearest - node.price) <= node.width / 2]
        interval = _interval(again) if len(again) else (np.nan, np.nan)
        found.append(Sureness("high node", node.price, interval, len(again) / max(1, len(drawn)), {}))
    return tuple(found)


def _interval(values: Floats) -> Interval:
    low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)
