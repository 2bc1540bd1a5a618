"""The poller: rounds of asking the leads and storing what they say, until told to stop.

Here belong the rounds and what is said of trouble. Asking is in `leads`, the tables in `storage.latest`.
"""

import asyncio
import contextlib
import logging
import signal
from collections.abc import Mapping
from datetime import UTC, datetime

import psycopg

from vp_pipeline.catalog import Market
from vp_pipeline.exchanges.errors import FetchError
from vp_pipeline.poller.leads import Leads, Reading
from vp_pipeline.settings import Settings
from vp_pipeline.storage import latest
from vp_pipeline.storage.latest import AsyncConnection, Horizon
from vp_pipeline.windows import HOUR, MINUTE, Window, floor

LOG = logging.getLogger(__name__)
# No more is asked for than this: a tick that is so late has other troubles.
LONGEST = HOUR
DATABASE = "the database"
LONGEST_PAUSE = 60.0
CONNECT_SECONDS = 3
# A row lost in a crash of the server is read again seconds later: no commit waits for the disk.
_OPTIONS = "-c synchronous_commit=off -c statement_timeout=5s -c lock_timeout=2s -c timezone=UTC"


class Incidents:
    """What is in trouble now: told when it begins and when it is over, not at each round between."""

    def __init__(self) -> None:
        self._open: set[str] = set()

    def begun(self, what: str, why: str) -> None:
        """It is in trouble, perhaps still."""
        if what not in self._open:
            self._open.add(what)
            LOG.warning("%s: %s", what, why)

    def over(self, what: str) -> None:
        """It is not, or no longer."""
        if what in self._open:
            self._open.remove(what)
            LOG.info("%s: answers again", what)


class Poller:
    """The rounds of one installation."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        by_name = {market.name: market for market in settings.catalog.markets}
        self._leads = {base: by_name[one.lead] for base, one in settings.catalog.instruments.items()}
        self._asking = Leads(settings, list(self._leads.values()))
        self._incidents = Incidents()

    async def run(self) -> None:
        """Round after round. A database that does not answer is tried again, ever more seldom."""
        LOG.info("polling %s", ", ".join(market.name for market in self._leads.values()))
        failures = 0
        try:
            while True:
                started = asyncio.get_running_loop().time()
                try:
                    await self.round()
                    failures = 0
                    self._incidents.over(DATABASE)
                    pause = self._settings.poll_seconds - (asyncio.get_running_loop().time() - started)
                except psycopg.Error as error:
                    failures += 1
                    self._incidents.begun(DATABASE, " ".join(str(error).split()))
                    pause = min(2.0**failures, LONGEST_PAUSE)
                await asyncio.sleep(max(pause, 1.0))
        finally:
            await self.close()

    async def round(self) -> None:
        """Ask every lead that may be asked, and store what it says.

        Raises:
            psycopg.Error: the database does not answer.
        """
        async with await psycopg.AsyncConnection.connect(
            self._settings.database_url.get_secret_value(),
            autocommit=True,
            application_name="vp",
            connect_timeout=CONNECT_SECONDS,
            options=_OPTIONS,
        ) as connection:
            now = datetime.now(UTC)
            quotes = {base: market.quote for base, market in self._leads.items()}
            known = await latest.horizons(connection, quotes, now)
            outcomes = await self._asking.ask(self._windows(known, now))
            async with connection.transaction():
                for base, market in self._leads.items():
                    if market in outcomes:
                        await self._keep(connection, base, known[base].usd, outcomes[market])

    async def close(self) -> None:
        """Close the clients."""
        await self._asking.close()

    def _windows(self, known: Mapping[str, Horizon], now: datetime) -> dict[Market, Window]:
        """What to ask for: from the aggregate's end on. Nothing before there is an aggregate."""
        minute = floor(now, MINUTE)
        end = minute + 2 * MINUTE  # an exchange's clock may be ahead of ours
        windows = {}
        for base, horizon in known.items():
            if horizon.start is not None and horizon.start < end:
                windows[self._leads[base]] = Window(max(horizon.start, minute - LONGEST), end)
        return windows

    async def _keep(
        self, connection: AsyncConnection, base: str, usd: float | None, outcome: Reading | FetchError
    ) -> None:
        market = self._leads[base]
        if isinstance(outcome, Reading) and usd is not None:
            self._incidents.over(market.name)
            minutes = outcome.minutes(usd, market)
            await latest.replace(connection, base, market.name, minutes, outcome.read_at)
            return
        unknown = f"what {market.quote} is worth in US dollars is not known for this hour"
        trouble = outcome.reason if isinstance(outcome, FetchError) else unknown
        self._incidents.begun(market.name, trouble)
        await latest.note_trouble(connection, base, market.name, trouble)


async def serve(settings: Settings) -> None:
    """Poll until SIGTERM or SIGINT; what is under way then is given up at once."""
    told = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, told.set)
    polling, stopping = asyncio.create_task(Poller(settings).run()), asyncio.create_task(told.wait())
    await asyncio.wait({polling, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    polling.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await polling
    LOG.info("stopped")
