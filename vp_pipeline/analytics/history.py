"""What a strategy may know: the daily history of its symbols.

Here belongs the history itself, and how it is completed from less than daily bars. What is made of it is for
the strategies.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

Floats = npt.NDArray[np.float64]

FIELDS = ("close", "high", "low", "volume")


@dataclass(frozen=True, eq=False)
class History:
    """Tables of days by symbols, all of the same shape, NaN where a symbol was not listed.

    `returns` are close to close, as fractions. Prices may be relative: of returns alone, a symbol's first
    close is its first growth of 1. `volume` is in base units, or 1 a day where nothing is known of it.
    """

    returns: pd.DataFrame
    close: pd.DataFrame
    high: pd.DataFrame
    low: pd.DataFrame
    volume: pd.DataFrame

    @classmethod
    def of_returns(cls, returns: pd.DataFrame) -> "History":
        """The prices these returns lead to, a day's range being from the close before to its own."""
        close = (1 + returns.clip(lower=-1 + 1e-9)).cumprod()
        before = close / (1 + returns.clip(lower=-1 + 1e-9))
        return cls(
            returns=returns,
            close=close,
            high=close.where(close >= before, before),
            low=close.where(close <= before, before),
            volume=returns.notna().astype(float).where(returns.notna()),
        )

    @classmethod
    def of_closes(cls, closes: pd.DataFrame) -> "History":
        """Of closing prices; the first close of a symbol has no return."""
        before = closes.shift(1).where(closes.shift(1).notna(), closes)
        return cls(
            returns=closes.pct_change(fill_method=None),
            close=closes,
            high=closes.where(closes >= before, before),
            low=closes.where(closes <= before, before),
            volume=closes.notna().astype(float).where(closes.notna()),
        )

    @classmethod
    def of_bars(cls, returns: pd.DataFrame, bars: Mapping[str, pd.DataFrame]) -> "History":
        """Of daily bars: tables named as `FIELDS`, in the order of `returns`.

        Raises:
            ValueError: a table is missing, or has other days or symbols.
        """
        for name in FIELDS:
            table = bars.get(name)
            if table is None or not (
                table.index.equals(returns.index) and table.columns.equals(returns.columns)
            ):
                raise ValueError(f"{name}: a table of the days and symbols of the returns is needed")
        return cls(returns, *(bars[name].astype(float) for name in FIELDS))

    def changed(self, seed: int) -> "History":
        """Another world: gains for losses of other sizes, and the prices and volumes that go with them.

        Which values are missing is left as it is. No return is -1 or below.
        """
        rng = np.random.default_rng(seed)
        values = self.returns.to_numpy(dtype=float)
        size = rng.uniform(0.5, 2, values.shape)
        still = np.where(values == 0, rng.normal(0, 0.05, values.shape), 0)
        steps = -np.log1p(np.maximum(values, -0.99)) * size + still
        factor = np.exp(rng.normal(0, 0.5, values.shape))

        def like(table: pd.DataFrame, changed: Floats) -> pd.DataFrame:
            return pd.DataFrame(changed, table.index, table.columns)

        return History(
            returns=like(self.returns, np.expm1(steps)),
            close=like(self.close, self.close.to_numpy() * factor),
            high=like(self.high, self.high.to_numpy() * factor * rng.uniform(1, 1.1, values.shape)),
            low=like(self.low, self.low.to_numpy() * factor * rng.uniform(0.9, 1, values.shape)),
            volume=like(self.volume, self.volume.to_numpy() * rng.uniform(0.1, 10, values.shape)),
        )

    def until(self, row: int, other: "History") -> "History":
        """This history before `row`, and the other from there on."""
        return History(
            *(
                pd.DataFrame(
                    np.concatenate((mine.to_numpy()[:row], theirs.to_numpy()[row:])),
                    mine.index,
                    mine.columns,
                )
                for mine, theirs in zip(self._tables(), other._tables(), strict=True)
            )
        )

    def _tables(self) -> tuple[pd.DataFrame, ...]:
        return self.returns, self.close, self.high, self.low, self.volume


def history_of(known: History | pd.DataFrame) -> History:
    """The history, or that of a table of returns."""
    return known if isinstance(known, History) else History.of_returns(known)
