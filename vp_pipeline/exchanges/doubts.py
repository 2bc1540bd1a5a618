"""Is it true that an exchange has no candle there?

Here belongs asking again before an absence is believed; which absences are long enough is in `second_look`.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

from vp_pipeline.exchanges.answer import Answer
from vp_pipeline.exchanges.errors import FetchError
from vp_pipeline.exchanges.frames import Row, settled
from vp_pipeline.exchanges.second_look import DOUBTED, absences, count_in, rows_in, times_in
from vp_pipeline.exchanges.traits import RECENT
from vp_pipeline.windows import EPOCH, MINUTE, Window, from_ms

Ask = Callable[[str, Window, str], Awaitable[tuple[list[Row], Answer]]]
"""Rows of a symbol within a window, and the answer that brought them; the last text names the market."""


class Doubts:
    """One exchange's answers, of which long absences are asked for again.

    `ask` gets at most `most` minutes of a symbol, and `oldest` is the first minute served at a moment, None
    if all are; `recorded` says that a recording is served, whose markets may begin at any time.
    """

    def __init__(
        self, ask: Ask, most: int, oldest: Callable[[datetime | None], datetime | None], recorded: bool
    ) -> None:
        self._ask, self._most, self._oldest, self._recorded = ask, most, oldest, recorded
        self._known: dict[str, datetime] = {}  # by symbol, a final candle that this session has seen

    async def whole(self, symbol: str, page: Window, market: str) -> tuple[list[Row], Answer]:
        """Rows of a page and the answer that brought them, what is missing at its ends asked for again.

        A server in trouble answers with an empty list, one with too many rows drops the oldest. So a long
        absence is believed when a request for exactly it brings nothing, and an answer that shows the candle
        before it shows none in it; for a short one at the beginning the latter is enough. Of what is
        missing at the end it is for others to say whether a later candle has been seen.
        """
        rows, answer = await self._ask(symbol, page, market)
        moment = answer.now
        final = page.intersect(Window(EPOCH, settled(moment)))
        oldest = self._oldest(moment)
        if oldest is not None:
            final = final.intersect(Window(oldest, max(oldest, final.end)))
        absent = absences(rows, final, head=MINUTE)
        while absent:
            gap = absent.pop()
            self._note(symbol, rows, final)
            found = await self._again(symbol, gap, rows, moment, market)
            rows += found
            if count_in(found, gap):  # caught: from here on nothing is too short to be doubted
                absent += absences(found, gap, head=MINUTE, tail=MINUTE)
        self._note(symbol, rows, final)
        return rows, answer

    def _note(self, symbol: str, rows: Sequence[Row], final: Window) -> None:
        """Keep the newest final candle of this answer as one that is known to be there."""
        times = times_in(rows, final)
        if times:
            self._known[symbol] = from_ms(max(times))

    async def _again(
        self, symbol: str, gap: Window, rows: Sequence[Row], moment: datetime, market: str
    ) -> list[Row]:
        """Rows of the gap, asked for by itself; if there are none, asked for with a known candle too.

        Raises:
            FetchError: the exchange does not show the candle that is known to be there.
        """
        if gap.end - gap.start < DOUBTED:
            nearby = await self._nearby(symbol, gap, moment, market)
            if nearby is not None:
                return nearby
        shown, _ = await self._ask(symbol, gap, market)
        if count_in(shown, gap):
            return shown
        known = await self._beside(symbol, gap, rows, moment, market)
        if known is None:
            return []
        both = gap.hull(known)
        shown, _ = await self._ask(symbol, both if both.count(MINUTE) <= self._most else known, market)
        if not count_in(shown, known):
            reason = f"the exchange no longer shows its candle of {known.start:%Y-%m-%d %H:%M} UTC"
            raise FetchError(market, reason, retryable=True)
        return shown

    async def _nearby(self, symbol: str, gap: Window, moment: datetime, market: str) -> list[Row] | None:
        """Rows of a short gap; None if an answer that begins earlier shows no candle at all."""
        start = gap.start - DOUBTED
        both = Window(min(max(start, self._oldest(moment) or start), gap.start), gap.end)
        shown, _ = await self._ask(symbol, both, market)
        return rows_in(shown, gap) if count_in(shown, both) else None

    async def _beside(
        self, symbol: str, gap: Window, rows: Sequence[Row], moment: datetime, market: str
    ) -> Window | None:
        """The minute of the last candle before the gap, or else of one after it; None if neither is known.

        Raises:
            FetchError: neither is, and the gap is too recent to be from before the market's first candle.
        """
        before = Window(gap.start - MINUTE, gap.start)
        if count_in(rows, before):
            return before
        start = gap.start - self._most * MINUTE
        earlier = Window(min(max(start, self._oldest(moment) or start), gap.start), gap.start)
        times: list[int] = []
        if earlier:
            times = times_in((await self._ask(symbol, earlier, market))[0], earlier)
        known = from_ms(max(times)) if times else self._known.get(symbol)
        if known is not None:
            return Window(known, known + MINUTE)
        if gap.end > moment - RECENT and not self._recorded:
            reason = f"the exchange shows no candle at all since {start:%Y-%m-%d %H:%M} UTC"
            raise FetchError(market, f"{reason}: not believed while that is so recent", retryable=True)
        return None
