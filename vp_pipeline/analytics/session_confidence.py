"""How sure the numbers of a session table are.

Here belong intervals and the share of the day's realized variance; the numbers themselves are in `sessions`,
tests in `session_tests`, how the numbers hold over time in `session_stability`.

The block of the bootstrap is a UTC day: a resample draws as many days as there are, with replacement, and
every day brings all its bars along, so that what bars of a day have to do with each other is kept. For groups
with a weekday days are drawn within their weekday, so that every resample has as many of each. What
neighbouring days have to do with each other is not kept: as volatile days come in runs, intervals of a level
are rather too narrow, while in a comparison of groups the common level mostly cancels. Intervals lie between
percentiles of the resamples, stretched from the value by sqrt(d / (d - 1)) for a group of d days, as
resampling takes d days for all there could be. A group seen on a single day has none. Same bars and seed,
same numbers.
"""

import numpy as np
import numpy.typing as npt
import pandas as pd

from vp_pipeline.analytics.bar_returns import WEEKDAYS
from vp_pipeline.analytics.price_rows import Floats
from vp_pipeline.analytics.session_sums import FIELDS, GROUPINGS, GROUPS, DailySums, grouped, of_cells
from vp_pipeline.analytics.sessions import KEYS, describe, ratio, variance

Counts = npt.NDArray[np.integer]

SAMPLES = 1_000
LEVEL = 0.95
FULL_DAY = 0.9
"""Share of a day's bars that need a return, for the day to count in the mean of the daily shares."""

_RESAMPLED = (
    "returns",
    "sum",
    "squares",
    "volume",
    "volume_bars",
    "taker",
    "taker_volume",
    "trades",
    "trades_volume",
)
INTERVALS = (
    "volatility",
    "mean_volume",
    "taker_share",
    "volume_per_trade",
    "variance_share",
    "daily_share",
    "relative",
)
COLUMNS = (
    "daily_share",
    "full_days",
    "relative",
    *(f"{name}_{end}" for name in INTERVALS for end in ("low", "high")),
)


def session_confidence(
    sums: DailySums, samples: int = SAMPLES, level: float = LEVEL, seed: int = 0
) -> pd.DataFrame:
    """COLUMNS for each of GROUPS, after the group's grouping, weekday, session and minute.

    `relative` is the group's volatility over that of all other bars of its grouping; `daily_share` the mean
    over the `full_days` full days of the group's share of the day's realized variance, of sessions and
    quarters only; volatility_low and _high are those of a bar.

    Args:
        sums: of at least one bar.
        samples: resamples.
        level: share of the resamples inside an interval.
        seed: of the random numbers.

    Raises:
        ValueError: fewer than two samples, or a level outside (0, 1).
    """
    if samples < 2 or not 0 < level < 1:
        raise ValueError(f"cannot draw {samples} samples for a level of {level}")
    found = describe(sums)
    rng = np.random.default_rng(seed)
    weights = day_weights(sums, samples, rng)
    resampled = _figures(_resampled_totals(sums, weights, day_weights(sums, samples, rng, by_weekday=True)))
    totals = dict(zip(FIELDS, grouped(sums.values, sums.weekday)[:, None], strict=True))
    own = _figures(totals | {"raw": grouped(sums.squares(), sums.weekday)[None]})
    resampled["daily_share"], own["daily_share"], full_days = _daily_shares(sums, weights)
    frame = found[list(KEYS[:-1])].copy()
    frame["daily_share"], frame["full_days"] = own["daily_share"][0], full_days
    frame["relative"] = own["relative"][0]
    days = found["days"].to_numpy()
    for name in INTERVALS:
        low, high = _interval(own[name][0], resampled[name], level, days)
        frame[f"{name}_low"], frame[f"{name}_high"] = low, high
    return frame


def day_weights(sums: DailySums, samples: int, rng: np.random.Generator, by_weekday: bool = False) -> Floats:
    """How often each resample has each day, samples x days; drawn within their weekday if `by_weekday`."""
    there = sums.field("bars").sum(axis=(1, 2)) > 0
    strata = [there & (sums.weekday == day) for day in range(len(WEEKDAYS))] if by_weekday else [there]
    weights = np.zeros((samples, sums.days))
    for stratum in strata:
        days = np.flatnonzero(stratum)
        if len(days):
            drawn = rng.integers(0, len(days), (samples, len(days)))
            flat = drawn + np.arange(samples)[:, None] * len(days)
            counts = np.bincount(flat.ravel(), minlength=samples * len(days))
            weights[:, days] = counts.reshape(samples, len(days))
    return weights


def _resampled_totals(sums: DailySums, weights: Floats, by_weekday: Floats) -> dict[str, Floats]:
    """Sums of each resample and group, samples x GROUPS."""
    totals: dict[str, Floats] = {}
    own = [sums.weekday == day for day in range(len(WEEKDAYS))]
    fields = {name: sums.field(name) for name in _RESAMPLED} | {"raw": sums.squares()}
    for name, values in fields.items():
        sessions = values.sum(axis=2)
        cells = np.stack([by_weekday[:, days] @ sessions[days] for days in own], axis=1)
        of_all = weights @ values.reshape(sums.days, -1)
        total = of_cells(of_all.reshape(len(weights), 1, *values.shape[1:]).repeat(len(WEEKDAYS), axis=1))
        # Of seven times the same: what has a weekday is replaced, the rest is a seventh.
        total /= len(WEEKDAYS)
        total[:, GROUPINGS["weekday"]] = cells.sum(axis=2)
        total[:, GROUPINGS["weekday_session"]] = cells.reshape(len(weights), -1)
        totals[name] = total
    return totals


def _figures(totals: dict[str, Floats]) -> dict[str, Floats]:
    """The figures of INTERVALS but for the daily share, samples x GROUPS."""
    moments = [totals[name] for name in ("returns", "sum", "squares")]
    of_rest, share = np.empty_like(moments[0]), np.empty_like(moments[0])
    for place in GROUPINGS.values():
        raw = totals["raw"][:, place]
        share[:, place] = ratio(raw, raw.sum(axis=1, keepdims=True))
        rest = [part[:, place].sum(axis=1, keepdims=True) - part[:, place] for part in moments]
        of_rest[:, place] = variance(*rest)
    of_group = variance(*moments)
    return {
        "volatility": np.sqrt(of_group),
        "mean_volume": ratio(totals["volume"], totals["volume_bars"]),
        "taker_share": ratio(totals["taker"], totals["taker_volume"]),
        "volume_per_trade": ratio(totals["trades_volume"], totals["trades"]),
        "variance_share": share,
        "relative": np.sqrt(ratio(of_group, of_rest)),
    }


def _daily_shares(sums: DailySums, weights: Floats) -> tuple[Floats, Floats, int]:
    """Mean share of the day's realized variance, of each resample and of the days themselves; full days."""
    squares, returns = sums.squares(), sums.field("returns").sum(axis=(1, 2))
    of_day = squares.sum(axis=(1, 2))
    full = (returns >= FULL_DAY * (pd.Timedelta(days=1) / sums.bar)) & (of_day > 0)
    share = np.full((sums.days, len(GROUPS)), 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        share[:, GROUPINGS["session"]] = squares.sum(axis=2) / of_day[:, None]
        share[:, GROUPINGS["quarter"]] = squares.sum(axis=1) / of_day[:, None]
    share[~full] = 0
    several = [rows @ share for rows in (weights, np.ones((1, sums.days)))]
    counts = [rows @ full for rows in (weights, np.ones((1, sums.days)))]
    undefined = np.ones(len(GROUPS), dtype=np.bool_)
    undefined[GROUPINGS["session"]] = undefined[GROUPINGS["quarter"]] = False
    resampled, own = (ratio(part, count[:, None]) for part, count in zip(several, counts, strict=True))
    resampled[:, undefined] = own[:, undefined] = np.nan
    return resampled, own, int(full.sum())


def _interval(own: Floats, values: Floats, level: float, days: Counts) -> tuple[Floats, Floats]:
    """Between the percentiles of each column, stretched; NaN where a resample has no value."""
    low, high = np.full((2, values.shape[1]), np.nan)
    known = np.isfinite(values).all(axis=0) & (days > 1)
    if known.any():
        ends = np.quantile(values[:, known], [(1 - level) / 2, (1 + level) / 2], axis=0)
        stretch = np.sqrt(days[known] / (days[known] - 1))
        low[known], high[known] = own[known] + (ends - own[known]) * stretch
    return low, high
