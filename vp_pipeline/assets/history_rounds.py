"""What the exchanges themselves are asked of a month, in rounds that are committed one by one.

Here belongs what a round asks for and when a market is not asked any further. What an answer says of each
minute is in `intake`.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Literal

from vp_pipeline.assets import intake
from vp_pipeline.assets.history_load import Loaded, missing
from vp_pipeline.assets.history_windows import gathered, pieces
from vp_pipeline.assets.intake import Answers
from vp_pipeline.exchanges import spot
from vp_pipeline.exchanges.errors import FetchError
from vp_pipeline.exchanges.pace import Pace
from vp_pipeline.exchanges.traits import traits_of
from vp_pipeline.settings import Settings
from vp_pipeline.storage import ledger
from vp_pipeline.storage.connection import transaction
from vp_pipeline.storage.ledger import Finding
from vp_pipeline.windows import DAY, Window, minus

# Minutes of a market in one round of requests: two make the longest month.
ROUND = 16 * DAY
_MOST_PIECES = 100
# Pieces of a round that are asked for side by side: enough that an exchange's limit is what is waited for.
_AT_ONCE = 5


class Rounds:
    """Rounds of requests to exchanges that serve years of minutes."""

    def __init__(self, settings: Settings, database_url: str) -> None:
        self._settings, self._url = settings, database_url

    async def run(self, loads: Sequence[Loaded], line: Pace | None) -> None:
        """Ask for what is left, side by side, a round at a time, each of which is kept during the next."""
        left = {load.number: gathered(missing(self._url, load), _page(load)) for load in loads}
        asked = [load for load in loads if left[load.number]]
        hosts = {load.market.exchange: self._settings.exchange_host(load.market.exchange) for load in asked}
        cache = self._settings.listings_folder
        keeping: asyncio.Task[None] | None = None
        try:
            while asked:
                rounds = {
                    load.number: pieces(left[load.number], _page(load), ROUND, _MOST_PIECES) for load in asked
                }
                wanted = {(load.market.exchange, load.market.symbol): rounds[load.number] for load in asked}
                outcomes = await spot.fetch_all(wanted, hosts, cache, at_once=_AT_ONCE, pace=line)
                answers = {
                    load.number: Answers(
                        load.market, rounds[load.number], outcomes[load.market.exchange, load.market.symbol]
                    )
                    for load in asked
                }
                if keeping is not None:
                    await keeping
                keeping = asyncio.create_task(asyncio.to_thread(self._keep, asked, answers))
                asked = [load for load in asked if _goes_on(load, answers[load.number], left)]
        finally:
            if keeping is not None:
                await keeping

    def _keep(self, asked: Sequence[Loaded], answers: Mapping[int, Answers]) -> None:
        """Store a round; why a market is not asked any further goes into the ledger."""
        with transaction(self._url) as connection:
            stored = intake.keep(connection, answers, intake.exchange_time(answers.values()), final=False)
        for load in asked:
            if load.number in stored:
                load.add("exchange", stored[load.number])
            error = _error_of(answers[load.number])
            if error is None:
                continue
            # A ban passes, and so does another source's trouble: then the load is to be repeated.
            gone = load.market.retired is not None and error.unlisted and not load.problems
            load.problems.append(str(error))
            state: Literal["unknown", "unfetchable"] = "unfetchable" if gone else "unknown"
            left = missing(self._url, load)
            with transaction(self._url) as connection:
                ledger.record(
                    connection, [Finding(load.number, window, state, error.reason) for window in left]
                )


def _error_of(answer: Answers) -> FetchError | None:
    return next((outcome for outcome in answer.outcomes if isinstance(outcome, FetchError)), None)


def _goes_on(load: Loaded, answer: Answers, left: dict[int, list[Window]]) -> bool:
    """Whether there is more to ask of a market after a round."""
    if _error_of(answer) is not None:
        return False
    done = Window(load.window.start, answer.windows[-1].end)
    left[load.number] = [part for window in left[load.number] for part in minus(window, [done])]
    return bool(left[load.number])


def _page(load: Loaded) -> int:
    return traits_of(load.market.exchange).page
