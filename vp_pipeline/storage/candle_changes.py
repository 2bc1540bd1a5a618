"""Which candles of an answer are new, and which differ from what is stored.

Here belongs the comparison, as arrays, without a database. Reading and writing is for `candles`.
"""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

# Columns of `Minutes.values`. The last two may be NaN: not known.
VALUES = ("open", "high", "low", "close", "volume", "quote_volume", "taker_buy_volume")
KNOWN = 5
CLOSE, VOLUME = VALUES.index("close"), VALUES.index("volume")

Mask = npt.NDArray[np.bool_]
Index = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Minutes:
    """Candles of any markets, sorted and unique by market and minute.

    market (n,) int16; minute (n,) int64, minutes since the Unix epoch; provisional (n,);
    values (n, 7) as in `VALUES`.
    """

    market: npt.NDArray[np.int16]
    minute: npt.NDArray[np.int64]
    provisional: Mask
    values: npt.NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.minute)

    def take(self, which: Mask | Index) -> "Minutes":
        """These rows alone."""
        return Minutes(self.market[which], self.minute[which], self.provisional[which], self.values[which])

    @property
    def key(self) -> npt.NDArray[np.int64]:
        """See `sorting_key`."""
        return sorting_key(self.market, self.minute)

    @classmethod
    def concatenate(cls, parts: "list[Minutes]") -> Self:
        """All rows of the parts, which come in order."""
        return cls(
            np.concatenate([np.empty(0, np.int16), *(part.market for part in parts)]),
            np.concatenate([np.empty(0, np.int64), *(part.minute for part in parts)]),
            np.concatenate([np.empty(0, np.bool_), *(part.provisional for part in parts)]),
            np.concatenate([np.empty((0, len(VALUES))), *(part.values for part in parts)]),
        )


@dataclass(frozen=True)
class Changes:
    """What an answer changes.

    `insert` and `update` are rows to write; `before` are the stored rows that `update` takes the place
    of. `finalized` (provisional became final) and `revised` (final, and now other numbers) are masks of
    `update`; what is neither is a provisional candle that went on, or a final one of which more is known.
    """

    insert: Minutes
    update: Minutes
    before: Minutes
    finalized: Mask
    revised: Mask

    @property
    def final(self) -> Minutes:
        """Final rows that are new or changed."""
        return Minutes.concatenate(
            [self.insert.take(~self.insert.provisional), self.update.take(~self.update.provisional)]
        )


def sorting_key(market: npt.NDArray[np.int16], minute: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """One number a row, that sorts as (market, minute) does."""
    return (market.astype(np.int64) << 40) + minute


def compare(stored: Minutes, new: Minutes) -> Changes:
    """What `new` adds to or changes in `stored`, which holds at least the minutes of `new`'s windows.

    A provisional row never replaces a final one. A number that is not known never replaces a known one.
    """
    place = np.searchsorted(stored.key, new.key)
    found = np.zeros(len(new), dtype=bool)
    inside = place < len(stored)
    found[inside] = stored.key[place[inside]] == new.key[inside]
    before, after = stored.take(place[found]), new.take(found)
    merged = np.where(np.isnan(after.values), before.values, after.values)
    after = Minutes(after.market, after.minute, after.provisional, merged)

    # Not known and now known is a difference, but no revision.
    other = (merged != before.values) & ~np.isnan(merged)
    another = (other & ~np.isnan(before.values)).any(axis=1)
    allowed = before.provisional | ~after.provisional
    changed = allowed & (other.any(axis=1) | (before.provisional & ~after.provisional))
    before, after, another = before.take(changed), after.take(changed), another[changed]
    return Changes(
        insert=new.take(~found),
        update=after,
        before=before,
        finalized=before.provisional & ~after.provisional,
        revised=~before.provisional & another,
    )


def per_market(markets: npt.NDArray[np.int16], which: Mask | None = None) -> dict[int, int]:
    """How many rows each market has."""
    chosen: npt.NDArray[Any] = markets if which is None else markets[which]
    numbers, counts = np.unique(chosen, return_counts=True)
    return dict(zip(numbers.tolist(), counts.tolist(), strict=True))
