"""Whether the exchanges of the markets file answer, asked the way a tick asks.

Here belongs the probe of `vp exchanges`; it runs in a process of its own, since it imports ccxt.
"""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

from rich.console import Console
from rich.table import Table

from vp_pipeline.catalog import Catalog
from vp_pipeline.exchanges import spot
from vp_pipeline.exchanges.errors import FetchError
from vp_pipeline.exchanges.futures import EXCHANGE, FuturesClient
from vp_pipeline.windows import DAY, MINUTE, Window, floor


def reachable(console: Console, catalog: Catalog) -> bool:
    """Print a line for each exchange of the catalog; whether any spot exchange answers."""
    now = floor(datetime.now(UTC), MINUTE)
    window = Window(now - 5 * MINUTE, now)
    first = {market.exchange: market.symbol for market in reversed(catalog.live_markets())}
    with ThreadPoolExecutor(1) as pool:
        futures = pool.submit(_futures_answer, catalog, now)
        wanted = {key: [window] for key in first.items()}
        outcomes = asyncio.run(spot.fetch_all(wanted, {}, None))
        refusals = {exchange: _refusal(outcomes[exchange, symbol][0]) for exchange, symbol in first.items()}
        answer = futures.result()
    if answer is not None:
        refusals[EXCHANGE] = answer
    table = Table("exchange", "answers", "why not", box=None)
    for exchange, refusal in refusals.items():
        table.add_row(exchange, "no" if refusal else "yes", refusal)
    console.print(table)
    return any(not refusal for exchange, refusal in refusals.items() if exchange != EXCHANGE)


def _refusal(outcome: object) -> str:
    return outcome.reason if isinstance(outcome, FetchError) else ""


def _futures_answer(catalog: Catalog, now: datetime) -> str | None:
    if not catalog.klines:
        return None
    day = floor(now, DAY)
    try:
        FuturesClient().fetch(catalog.klines[0].symbol, "1d", DAY, Window(day - DAY, day))
    except FetchError as error:
        return error.reason
    return ""
