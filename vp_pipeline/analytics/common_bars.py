"""The bars that several symbols have in common, and those that only some of them have.

Here belongs making symbols comparable: a difference between two tables may come from the bars alone if one
symbol was listed later or has holes. What is computed of the common bars is in `sessions`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from vp_pipeline.analytics.bar_returns import BarReturns

STRETCHES = ("symbol", "first", "last", "bars")


@dataclass(frozen=True, eq=False)
class CommonBars:
    """`returns` of the common bars, by symbol; what was left out to get there.

    `counts` has a row for each symbol: bars, how many are common, how many others of the symbols lack
    (`not_in_all`), how many of all symbols' bars it lacks (`lacks`), and first and last bar. `lacking` has
    the STRETCHES that a symbol lacks though another has them. `unequal` common bars have a return in some
    symbols only: an outlier, or no bar before it; they are left out of all.
    """

    returns: dict[str, BarReturns]
    counts: pd.DataFrame
    lacking: pd.DataFrame
    unequal: int

    @property
    def bars(self) -> int:
        """Bars of each symbol that are compared."""
        return len(next(iter(self.returns.values())))


def common_bars(returns: Mapping[str, BarReturns]) -> CommonBars:
    """What symbols have in common.

    Args:
        returns: of bars of one length, by symbol.

    Raises:
        ValueError: no symbols, or bars of several lengths.
    """
    if not returns:
        raise ValueError("no symbols to compare")
    lengths = {found.bar for found in returns.values()}
    if len(lengths) > 1:
        raise ValueError(f"bars of {len(lengths)} lengths cannot be compared: choose one")
    bar = lengths.pop()
    times = {symbol: found.open_time.as_unit("us") for symbol, found in returns.items()}
    shared, everything = next(iter(times.values())), next(iter(times.values()))
    for index in times.values():
        shared, everything = shared.intersection(index), everything.union(index)
    rows, stretches = [], []
    for symbol, index in times.items():
        lacked = everything.difference(index)
        stretches += [(symbol, *stretch) for stretch in _stretches(lacked, bar)]
        ends = (index[0], index[-1]) if len(index) else (pd.NaT, pd.NaT)
        rows.append((symbol, len(index), len(shared), len(index) - len(shared), len(lacked), *ends))
    columns = ["symbol", "bars", "common", "not_in_all", "lacks", "first", "last"]
    kept = {symbol: found.where(np.asarray(times[symbol].isin(shared))) for symbol, found in returns.items()}
    known = np.stack([np.isfinite(found.return_pct) for found in kept.values()])
    everywhere, somewhere = known.all(axis=0), known.any(axis=0)
    return CommonBars(
        {symbol: found.where(np.asarray(everywhere)) for symbol, found in kept.items()},
        pd.DataFrame(rows, columns=columns),
        pd.DataFrame(stretches, columns=list(STRETCHES)),
        int((somewhere & ~everywhere).sum()),
    )


def _stretches(times: pd.DatetimeIndex, bar: pd.Timedelta) -> list[tuple[pd.Timestamp, pd.Timestamp, int]]:
    """First and last of each run of neighbouring bars, and how many it has."""
    if len(times) == 0:
        return []
    breaks = np.flatnonzero(np.diff(times) > bar.to_timedelta64()) + 1
    firsts, lasts = np.append(0, breaks), np.append(breaks, len(times)) - 1
    return [(times[a], times[b], int(b - a + 1)) for a, b in zip(firsts, lasts, strict=True)]
