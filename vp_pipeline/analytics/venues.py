"""Which venues are left out of the aggregate, hour by hour, and why.

Here belong the three verdicts - dead, duplicate, units - each judged from an hour's trailing 24 hours.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt
import pandas as pd

from vp_pipeline.analytics.grid import Bools, Floats, Grid, hourly_sum, trailing, trailing_sum

VERDICTS = ("", "dead", "duplicate", "units")
_DEAD, _DUPLICATE, _UNITS = 1, 2, 3

DEAD_CANDLES = 60
SAME_MINUTES = 30
SAME_SHARE = 0.95
SAME_TOLERANCE = 1e-9
UNIT_FACTOR = (0.9, 1.1)


@dataclass(frozen=True)
class Judgement:
    """Verdicts of hours x venues, as places in `VERDICTS`, and a reason for each that is not 0."""

    verdict: npt.NDArray[np.int8]
    reasons: dict[tuple[int, int], str]


def judge(grid: Grid, lead: int) -> Judgement:
    """Judge every hour of a grid from its 24th on.

    - dead: at least 60 candles in the trailing 24 hours, none with volume, all at one price.
    - duplicate: of the minutes in which two venues have volume, at least 30 and 95 % are the same in open,
      high, low, close and volume, in the trailing 24 hours or in the hour alone. The later venue of the
      list is left out; the lead is never the later one.
    - units: the wire's turnover over volume x typical price is not within 0.9 and 1.1.

    Args:
        grid: whole hours.
        lead: the column of the lead, -1 for none.
    """
    hours = len(grid.present) // 60 - 23
    verdict = np.zeros((hours, len(grid.venues)), dtype=np.int8)
    reasons: dict[tuple[int, int], str] = {}
    for code, column, at, said in (*_units(grid), *_duplicates(grid, lead), *_dead(grid)):
        for hour in np.flatnonzero(at):
            verdict[hour, column] = code
            reasons[int(hour), column] = said if isinstance(said, str) else said[hour]
    return Judgement(verdict, reasons)


_Found = tuple[int, int, Bools, str | list[str]]


def _dead(grid: Grid) -> Iterator[_Found]:
    candles = trailing_sum(grid.present)
    traded = trailing_sum(grid.present & (grid["volume"] > 0))
    shape = (-1, 60, len(grid.venues))
    low = np.where(grid.present, grid["low"], np.inf).reshape(shape).min(axis=1)
    high = np.where(grid.present, grid["high"], -np.inf).reshape(shape).max(axis=1)
    lowest, highest = trailing(low).min(axis=-1), trailing(high).max(axis=-1)
    dead = (candles >= DEAD_CANDLES) & (traded == 0) & (lowest == highest)
    for column in np.flatnonzero(dead.any(axis=0)):
        said = [
            f"no volume and one price, {price:.10g}, in {count:.0f} candles of 24 hours"
            for price, count in zip(lowest[:, column], candles[:, column], strict=True)
        ]
        yield _DEAD, int(column), dead[:, column], said


def _duplicates(grid: Grid, lead: int) -> Iterator[_Found]:
    names = [venue.name for venue in grid.venues]
    order = sorted(range(len(names)), key=lambda column: (column != lead, column))
    columns = {
        name: np.ascontiguousarray(grid[name].T) for name in ("close", "open", "high", "low", "volume")
    }
    traded = np.ascontiguousarray((grid["volume"] > 0).T)
    hours = len(grid.present) // 60 - 23
    taken = np.zeros((hours, len(names)), dtype=bool)
    for first, later in sorted(combinations(order, 2), key=lambda pair: order.index(pair[1])):
        both = traded[first] & traded[later]
        same = both.copy()
        for table in columns.values():
            if np.count_nonzero(same) < SAME_MINUTES * SAME_SHARE:
                break
            same &= _equal(table[first], table[later])
        else:
            many, alike = _enough(both, same)
            # Of three alike the second and third are both left out because of the first.
            found = alike & ~taken[:, first] & ~taken[:, later]
            taken[:, later] |= found
            said = [f"the same candles as {names[first]} in {part} minutes" for part in many]
            yield _DUPLICATE, later, found, said


def _enough(both: Bools, same: Bools) -> tuple[list[str], Bools]:
    pair = np.stack([both, same], axis=1)
    alone = hourly_sum(pair)[23:]
    day = trailing_sum(pair)
    verdicts = [
        (counts[:, 0] >= SAME_MINUTES) & (counts[:, 1] >= SAME_SHARE * counts[:, 0])
        for counts in (day, alone)
    ]
    counts = np.where(verdicts[0][:, None], day, alone)
    return [f"{alike:.0f} of {either:.0f}" for either, alike in counts], verdicts[0] | verdicts[1]


def _equal(one: Floats, other: Floats) -> Bools:
    return np.abs(one - other) <= SAME_TOLERANCE * np.maximum(np.abs(one), np.abs(other))


def _units(grid: Grid) -> Iterator[_Found]:
    known = grid.present & np.isfinite(grid["quote_volume"])
    volume = trailing_sum(np.where(known, grid["volume"], 0.0))
    value = trailing_sum(np.where(known, grid["volume"] * grid.typical, 0.0))
    turnover = trailing_sum(np.where(known, grid["quote_volume"], 0.0))
    some = (value > 0) | (turnover > 0)
    factor = np.divide(turnover, value, out=np.full_like(value, np.inf), where=value > 0)
    wrong = some & ~((factor >= UNIT_FACTOR[0]) & (factor <= UNIT_FACTOR[1]))
    for column in np.flatnonzero(wrong.any(axis=0)):
        said = [
            describe_units(float(v), float(w), float(t), grid.venues[column].name) if bad else ""
            for bad, v, w, t in zip(
                wrong[:, column], volume[:, column], value[:, column], turnover[:, column], strict=True
            )
        ]
        yield _UNITS, int(column), wrong[:, column], said


def describe_units(volume: float, value: float, turnover: float, name: str) -> str:
    """What a disagreement of units looks like, and the remedy.

    Args:
        volume: sum of the volumes; value: of volume x typical price; turnover: as the wire gives it.
        name: the market as `exchange BASE/QUOTE`.
    """
    base, quote = name.split()[-1].split("/") if "/" in name else ("the base", "the quote")
    if value == 0:
        return f"the wire gives a turnover of {turnover:.6g} {quote} and no volume"
    factor = turnover / value
    text = f"turnover is {factor:.4g} times volume x price"
    price = value / volume
    if turnover == 0:
        return f"{text}: the wire gives a volume and no turnover"
    if _near(turnover, volume):
        return f'{text}: volume is counted in {quote}; set volume_unit = "quote" in the markets file'
    if _near(factor, price):
        return f'{text}: volume is already in {base}; set volume_unit = "base" in the markets file'
    contract = _round_number(factor)
    if contract is not None:
        return (
            f"{text}: volume is counted in contracts of {contract:g} {base}; "
            "no volume_unit of the markets file says that, remove the market"
        )
    contract = _round_number(turnover / volume)
    if contract is not None:
        return (
            f"{text}: volume is counted in contracts of {contract:g} {quote}; "
            "no volume_unit of the markets file says that, remove the market"
        )
    return f"{text}: the unit is not recognised; check volume_unit in the markets file"


def _near(one: float, other: float) -> bool:
    return UNIT_FACTOR[0] <= one / other <= UNIT_FACTOR[1]


def _round_number(value: float) -> float | None:
    """1, 2 or 5 times a power of ten, if the value is within 3 % of it."""
    power = 10.0 ** np.floor(np.log10(value))
    for number in (power, 2 * power, 5 * power, 10 * power):
        if abs(value / number - 1) < 0.03:
            return float(number)
    return None


def as_table(judgement: Judgement, hours: pd.DatetimeIndex, grid: Grid) -> pd.DataFrame:
    """hour, market_id, verdict and reason, a row for each hour of each venue left out."""
    places = np.argwhere(judgement.verdict > 0)
    numbers = np.array([venue.number for venue in grid.venues], dtype=np.int64)
    return pd.DataFrame(
        {
            "hour": hours[places[:, 0]],
            "market_id": numbers[places[:, 1]],
            "verdict": pd.Series(
                [VERDICTS[judgement.verdict[hour, column]] for hour, column in places], dtype="str"
            ),
            "reason": pd.Series(
                [judgement.reasons[int(hour), int(column)] for hour, column in places], dtype="str"
            ),
        }
    )
