"""What a poller works on: a database with an aggregate that ended minutes ago, and simulated exchanges."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import psycopg
from pydantic import AnyHttpUrl, SecretStr

from vp_pipeline.exchanges import spot
from vp_pipeline.exchanges.patience import Patience
from vp_pipeline.sandbox.candles import MINUTE_MS
from vp_pipeline.sandbox.generator import GeneratedSource
from vp_pipeline.settings import Settings
from vp_pipeline.storage import latest, rows
from vp_pipeline.storage.connection import transaction
from vp_pipeline.storage.latest import Latest
from vp_pipeline.storage.tables import AGGREGATE
from vp_pipeline.windows import MINUTE, Window, floor, to_ms
from vp_pipeline_tests.assets import recordings
from vp_pipeline_tests.site import seed

RATE = 0.998
MARKETS = """
[instruments.BTC]
row_size = 10
lead = "kraken BTC/USD"

[instruments.ETH]
row_size = 1
lead = "binance ETH/USDT"

[[markets]]
exchange = "kraken"
symbol = "BTC/USD"

[[markets]]
exchange = "binance"
symbol = "ETH/USDT"
"""


@dataclass
class Installed:
    """An installation; `now` is the time that stands still at its exchanges, its aggregate ends at `end`."""

    settings: Settings
    sandbox: str
    source: GeneratedSource
    now: datetime
    end: datetime

    @property
    def url(self) -> str:
        return self.settings.database_url.get_secret_value()

    def aggregated(self, base: str, end: datetime) -> None:
        """Let the aggregate end there."""
        with transaction(self.url) as connection:
            rows.replace(connection, AGGREGATE, seed.minutes(end - 30 * MINUTE, 30), {"base": base})

    def list_markets(self) -> None:
        """What a tick leaves behind: the exchanges' listings on disk."""
        markets = [tuple(one.name.split()) for one in self.settings.catalog.markets]
        window = Window(self.end - 5 * MINUTE, self.end)
        hosts = {exchange: self.settings.exchange_host(exchange) for exchange, _ in markets}
        wanted = {(exchange, symbol): [window] for exchange, symbol in markets}
        asyncio.run(spot.fetch_all(wanted, hosts, self.settings.listings_folder, Patience(attempts=1)))

    def stand_still(self, now: datetime) -> None:
        """Let it be this time at the exchanges."""
        self.now = now
        recordings.put(self.sandbox, "clock", {"now": now.isoformat(), "frozen": True})

    def faults(self, *faults: dict[str, object]) -> None:
        """Put these in force, in place of those before."""
        recordings.put(self.sandbox, "faults", {"faults": list(faults)})

    def read(self, base: str) -> Latest:
        """What readers see."""
        with transaction(self.url) as connection:
            found = latest.read(connection, base)
        assert found is not None
        return found

    def truth(self, market: str, window: Window) -> pd.DataFrame:
        """What the exchange shows of the window now."""
        exchange, symbol = market.split()
        listed = next(one for one in self.source.markets(exchange) if one.symbol == symbol)
        now = to_ms(self.now)
        found = self.source.candles(listed, MINUTE_MS, to_ms(window.start), to_ms(window.end), now)
        names = ("open_time", "open", "high", "low", "close", "volume")
        return pd.DataFrame({name: getattr(found, name) for name in names})


def installed(database_url: str, home: Path, sandbox: str, source: GeneratedSource) -> Installed:
    """An installation whose aggregates ended six minutes ago, with a rate for USDT."""
    markets_file = home / "markets.toml"
    markets_file.write_text(MARKETS)
    settings = Settings(
        home=home,
        source="sandbox",
        markets_file=markets_file,
        database_url=SecretStr(database_url),
        exchange_url=AnyHttpUrl(sandbox),
        poll_seconds=5,
    )
    now = datetime.now(UTC).replace(microsecond=0)
    here = Installed(settings, sandbox, source, now, floor(now, MINUTE) - 6 * MINUTE)
    here.stand_still(now)
    with psycopg.connect(database_url) as connection:
        connection.execute("TRUNCATE site.lead_minute, site.lead_read, quote_rate")
        connection.execute(
            "INSERT INTO quote_rate (quote, open_time, usd, markets) VALUES ('USDT', %s, %s, 1)",
            [here.end - MINUTE, RATE],
        )
    for base in settings.catalog.instruments:
        here.aggregated(base, here.end)
    return here
