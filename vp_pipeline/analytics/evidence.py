"""How much a backtest proves, in a word and in reasons.

Here belong the levels and what each asks for; the figures they go by are computed elsewhere. The levels are
ours: thresholds are the usual 95 %, and each reason says which figure it rests on.
"""

import math
from dataclasses import dataclass
from typing import Literal

Level = Literal["none", "weak", "moderate", "strong"]

SURE = 0.95
MIN_DAYS, LONG_DAYS = 365, 2 * 365


@dataclass(frozen=True)
class Evidence:
    """`against` and `favour` are sentences: what speaks against the strategy, and what speaks for it."""

    level: Level
    against: tuple[str, ...]
    favour: tuple[str, ...]


@dataclass(frozen=True)
class Findings:
    """What the level goes by; ratios are annual and after costs, NaN where undefined.

    Without a `benchmark` there is no comparison.
    """

    days: int
    looks_ahead: bool
    sharpe: float
    sharpe_low: float
    psr: float
    dsr: float
    trials: int
    out_of_sample_sharpe: float
    excess_cagr: float = math.nan
    benchmark: str | None = None


def evidence(found: Findings) -> Evidence:
    """`none` if it looks ahead, never moved or lost; `strong` if nothing speaks against it; between, by PSR.

    `moderate` needs a probabilistic Sharpe ratio of 95 % with an interval above 0, a gain out of sample and a
    year of days.
    """
    against, favour = _reasons(found)
    if found.looks_ahead or not found.sharpe > 0:
        return Evidence("none", against, favour)
    if not against:
        return Evidence("strong", against, favour)
    sure = found.psr >= SURE and found.sharpe_low > 0
    moderate = sure and found.out_of_sample_sharpe > 0 and found.days >= MIN_DAYS
    return Evidence("moderate" if moderate else "weak", against, favour)


def _reasons(found: Findings) -> tuple[tuple[str, ...], tuple[str, ...]]:
    against: list[str] = []
    favour: list[str] = []

    def judge(good: bool, for_it: str, against_it: str) -> None:
        (favour if good else against).append(for_it if good else against_it)

    if found.looks_ahead:
        against.append("It looks ahead: its weights use days to come, so nobody could have held them.")
    if math.isnan(found.sharpe):
        return (*against, "Its returns never move: there is nothing to judge."), ()
    judge(found.sharpe > 0, "It gained after costs.", "It lost after costs.")
    if found.sharpe > 0:
        judge(
            found.sharpe_low > 0,
            "The interval of its Sharpe ratio is above 0.",
            "The interval of its Sharpe ratio holds 0: the gain may be luck.",
        )
        judge(
            found.dsr >= SURE,
            f"It is better than {_luck(found.trials)} (deflated Sharpe ratio {_share(found.dsr)}).",
            f"It may be no better than {_luck(found.trials)} (deflated Sharpe ratio {_share(found.dsr)},"
            f" below {SURE:.0%}).",
        )
    judge(
        found.out_of_sample_sharpe > 0,
        "It gained out of sample too.",
        "It did not gain out of sample.",
    )
    if found.benchmark is not None:
        judge(
            found.excess_cagr > 0,
            f"It grew more than {found.benchmark}.",
            f"It did not grow more than {found.benchmark}.",
        )
    judge(
        found.days >= LONG_DAYS,
        f"It rests on {found.days} days.",
        f"It rests on {found.days} days only.",
    )
    return tuple(against), tuple(favour)


def _luck(trials: int) -> str:
    return f"the best of {trials} variants that are worth nothing" if trials > 1 else "luck"


def _share(value: float) -> str:
    return "undefined" if math.isnan(value) else f"{value:.0%}"
