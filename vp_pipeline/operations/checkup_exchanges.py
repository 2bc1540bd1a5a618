"""Whether every exchange answers for every market of ours, and what time it says it is.

Here belongs asking them; it imports ccxt, so that only a command that asks imports it.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from statistics import median

from vp_pipeline.catalog import Catalog
from vp_pipeline.exchanges import spot
from vp_pipeline.exchanges.errors import FetchError
from vp_pipeline.exchanges.frames import Fetched
from vp_pipeline.exchanges.futures import EXCHANGE, FuturesClient
from vp_pipeline.exchanges.patience import Patience
from vp_pipeline.operations.checkup import Check
from vp_pipeline.windows import DAY, MINUTE, Window, floor

# The grace after which a candle counts as final leaves no more than that.
MOST_SKEW = timedelta(seconds=30)
_PATIENCE = Patience(attempts=2)
_NOTHING = timedelta(0)
Outcome = Fetched | FetchError


@dataclass(frozen=True)
class Answers:
    """What an exchange answered by symbol, between two moments of this machine's clock."""

    exchange: str
    outcomes: dict[str, Outcome]
    began: datetime
    ended: datetime

    @property
    def skew(self) -> timedelta | None:
        """How far this machine is ahead of the exchange at least; 0 if both may agree."""
        times = [found.exchange_time for found in self.outcomes.values() if isinstance(found, Fetched)]
        if not times:
            return None
        # A Date header has whole seconds, cut off.
        behind, ahead = self.ended - min(times), self.began - max(times) - timedelta(seconds=1)
        if ahead > _NOTHING:
            return ahead
        return min(behind, _NOTHING)

    @property
    def check(self) -> Check:
        """One line."""
        refused = {s: found for s, found in self.outcomes.items() if isinstance(found, FetchError)}
        if not refused:
            return Check(self.exchange, f"answers for {', '.join(self.outcomes)}")
        by_reason: dict[str, list[str]] = {}
        for symbol, error in refused.items():
            by_reason.setdefault(error.reason, []).append(symbol)
        found = "; ".join(f"{', '.join(symbols)}: {reason}" for reason, symbols in by_reason.items())
        if any(error.retryable for error in refused.values()):
            remedy = "try again in a minute; else see this machine's network and the exchange's status page"
        else:
            remedy = "correct the market in the markets file, retire it, or reach the exchange from elsewhere"
        return Check(self.exchange, found, remedy)


def ask(catalog: Catalog, host_of: Callable[[str], str | None], now: datetime) -> list[Answers]:
    """The answers of all exchanges of the catalog, asked side by side for a few minutes before `now`."""
    with ThreadPoolExecutor(1) as pool:
        futures = pool.submit(_ask_futures, catalog, host_of(EXCHANGE), now)
        answers = asyncio.run(_ask_spot(catalog, host_of, now))
        return answers + futures.result()


def skew(answers: list[Answers]) -> timedelta | None:
    """How far this machine is ahead of most exchanges; None if none told the time."""
    known = [answer.skew.total_seconds() for answer in answers if answer.skew is not None]
    return timedelta(seconds=median(known)) if known else None


async def _ask_spot(catalog: Catalog, host_of: Callable[[str], str | None], now: datetime) -> list[Answers]:
    symbols: dict[str, list[str]] = {}
    for market in catalog.live_markets():
        symbols.setdefault(market.exchange, []).append(market.symbol)

    async def one(exchange: str) -> Answers:
        began = datetime.now(UTC)
        end = floor(now, MINUTE) - MINUTE
        window = Window(end - 5 * MINUTE, end)
        wanted = {(exchange, symbol): [window] for symbol in symbols[exchange]}
        found = await spot.fetch_all(wanted, {exchange: host_of(exchange)}, None, _PATIENCE)
        outcomes = {symbol: results[0] for (_, symbol), results in found.items()}
        return Answers(exchange, outcomes, began, datetime.now(UTC))

    return list(await asyncio.gather(*map(one, symbols)))


def _ask_futures(catalog: Catalog, host: str | None, now: datetime) -> list[Answers]:
    if not catalog.klines:
        return []
    began = datetime.now(UTC)
    day = floor(now, DAY)
    client = FuturesClient(host, _PATIENCE)
    outcomes: dict[str, Outcome] = {}
    for symbol in dict.fromkeys(series.symbol for series in catalog.klines):
        try:
            outcomes[symbol] = client.fetch(symbol, "1d", DAY, Window(day - DAY, day))
        except FetchError as error:
            outcomes[symbol] = error
    return [Answers(EXCHANGE, outcomes, began, datetime.now(UTC))]
