"""Do the levels of a profile work? Touch and hold rates against levels of no meaning at the same distance.

Here belongs the experiment; the levels come from `value_area` and `naked_levels`. It looks at nothing that
was not known when it begins: a day's study takes levels of ended days, and measures them on its own candles.

- Distance: how far a level is from the day's open, in shares of the `reach`, the mean high - low of the days
  before it (up to `REACH_DAYS`).
- Touch: a candle of the day has low <= level <= high.
- Hold: after the touch the price moves away by `REACTION` of the reach to the side it came from, before it
  goes as far beyond the level, within the day. A touch after which neither happens is not counted, nor one by
  a candle that does both.
- Control: each level's mirror image, exactly as far on the other side of the open. A price without memory or
  drift meets both equally often; a band of distances would not do, since near levels are met out of
  proportion more often than far ones.

Rates are sums over sums; their intervals, and that of the difference, are from a bootstrap of blocks of days.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from vp_pipeline.analytics.bootstrap import stationary_rows
from vp_pipeline.analytics.errors import NotEnoughData
from vp_pipeline.analytics.price_rows import Floats

REACH_DAYS, REACTION = 5, 0.1
SAMPLES = 1_000
LEVEL = 0.95
"""Share of the resamples inside an interval."""
COLUMNS = (
    "level",
    "rate",
    "days",
    "tried",
    "value",
    "low",
    "high",
    "control",
    "control_low",
    "control_high",
    "difference",
    "difference_low",
    "difference_high",
)


@dataclass(frozen=True, eq=False)
class StudyDay:
    """A day's candles (columns open, low, high, without missing prices) and levels known before it."""

    candles: pd.DataFrame
    levels: Mapping[str, Sequence[float]]


class _Counts(NamedTuple):
    """Of one kind of level on one day: tried, touched, resolved touches, held."""

    tried: float
    touched: float
    resolved: float
    held: float


def level_study(days: Sequence[StudyDay], *, samples: int = SAMPLES) -> pd.DataFrame:
    """Touch and hold rate of each kind of level beside those of its controls.

    Args:
        days: consecutive days, oldest first; the first has no reach yet and is not studied.
        samples: resamples, the same ones at every call.

    Returns:
        Columns `COLUMNS`, two rows for each kind: `rate` is touch (of the levels tried) or hold (of the
        touches that were resolved), `tried` what it is a share of.

    Raises:
        NotEnoughData: fewer than two days.
    """
    if len(days) < 2:
        raise NotEnoughData(f"{len(days)} day: a study needs two or more, and many more to say anything")
    ranges = np.array([day.candles["high"].max() - day.candles["low"].min() for day in days])
    kinds = list(dict.fromkeys(kind for day in days for kind in day.levels))
    own = np.zeros((len(kinds), len(days) - 1, 4))
    control = np.zeros_like(own)
    for at, day in enumerate(days[1:]):
        reach = float(ranges[max(0, at + 1 - REACH_DAYS) : at + 1].mean())
        opened = float(day.candles["open"].iloc[0])
        for of_kind, kind in enumerate(kinds):
            prices = np.array(day.levels.get(kind, ()), dtype=np.float64)
            own[of_kind, at] = _counts(day.candles, prices, reach)
            control[of_kind, at] = _counts(day.candles, 2 * opened - prices, reach)
    rng = np.random.default_rng(0)
    picks = stationary_rows(len(days) - 1, samples, max(1.0, (len(days) - 1) ** (1 / 3)), rng)
    lines = [
        (kind, rate, int((own[at, :, 0] > 0).sum()), *_line(own[at], control[at], picks, of))
        for at, kind in enumerate(kinds)
        for rate, of in (("touch", (1, 0)), ("hold", (3, 2)))
    ]
    return pd.DataFrame(lines, columns=list(COLUMNS))


def _counts(candles: pd.DataFrame, prices: Floats, reach: float) -> _Counts:
    low, high = (candles[name].to_numpy(dtype=np.float64) for name in ("low", "high"))
    opened = float(candles["open"].iloc[0])
    outcomes = [_outcome(low, high, opened, float(price), REACTION * reach) for price in prices]
    touched = sum(outcome is not None for outcome in outcomes)
    held, broken = (sum(outcome == one for outcome in outcomes) for one in (1, -1))
    return _Counts(len(prices), touched, held + broken, held)


def _outcome(low: Floats, high: Floats, opened: float, price: float, away: float) -> int | None:
    """None if it was not touched, 1 if it held, -1 if it broke, 0 if neither is certain."""
    met = (low <= price) & (high >= price)
    if not met.any():
        return None
    after = slice(int(np.argmax(met)), None)
    above, below = high[after] >= price + away, low[after] <= price - away
    back, through = (above, below) if opened > price else (below, above)
    first_back = int(np.argmax(back)) if back.any() else len(back)
    first_through = int(np.argmax(through)) if through.any() else len(through)
    # Of the touching candle itself it is not known which came first.
    if first_back == first_through or min(first_back, first_through) == 0:
        return 0
    return 1 if first_back < first_through else -1


def _line(
    own: Floats,
    control: Floats,
    picks: "np.ndarray[tuple[int, int], np.dtype[np.intp]]",
    of: tuple[int, int],
) -> tuple[float, ...]:
    """Tried; rate and interval of the levels, of the controls, and of the difference."""
    part, whole = of
    rates = [_ratio(sums[:, part].sum(), sums[:, whole].sum()) for sums in (own, control)]
    drawn = [_ratio(sums[picks, part].sum(axis=1), sums[picks, whole].sum(axis=1)) for sums in (own, control)]
    values = (rates[0], rates[1], rates[0] - rates[1])
    resampled = (drawn[0], drawn[1], drawn[0] - drawn[1])
    result: list[float] = [float(own[:, whole].sum())]
    for value, many in zip(values, resampled, strict=True):
        known = many[np.isfinite(many)]
        ends = np.quantile(known, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]) if len(known) else (np.nan, np.nan)
        result += [float(value), float(ends[0]), float(ends[1])]
    return tuple(result)


def _ratio(part: Floats, whole: Floats) -> Floats:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.divide(part, whole))
