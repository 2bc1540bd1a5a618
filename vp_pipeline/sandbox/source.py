"""The one interface between the wire formats and whatever provides candles."""

from collections.abc import Sequence
from typing import Literal, Protocol

from vp_pipeline.sandbox.candles import Candles, Market

Label = Literal["simulated", "recorded"]


class CandleSource(Protocol):
    """Markets and their candles, at any instant of the sandbox clock."""

    @property
    def label(self) -> Label:
        """Whether the candles are made up or recorded."""
        ...

    @property
    def description(self) -> str:
        """The label and what tells this source from another of its kind, such as `simulated, seed 7`."""
        ...

    def markets(self, exchange: str) -> Sequence[Market]:
        """The markets of one exchange, by ccxt id; futures are those of `candles.FUTURES`."""
        ...

    def candles(self, market: Market, step_ms: int, start_ms: int, stop_ms: int, now_ms: int) -> Candles:
        """Candles of `step_ms` that open in [start_ms, stop_ms) and not after `now_ms`, oldest first.

        A source that can knows the candle of the open minute as it stands at `now_ms`; one that cannot
        leaves it out. A closed candle never changes.
        """
        ...
