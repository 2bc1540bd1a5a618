"""A platform with history, without its processes: a simulated world with its clock, markets, a database."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd

from vp_pipeline.catalog import Market
from vp_pipeline.recordings.candle_file import COLUMNS
from vp_pipeline.sandbox.candles import MINUTE_MS, Candles
from vp_pipeline.sandbox.clock import Clock
from vp_pipeline.sandbox.generator import GeneratedSource
from vp_pipeline.settings import Settings
from vp_pipeline.storage import candles, ledger
from vp_pipeline.storage.connection import transaction
from vp_pipeline.storage.ledger import Run
from vp_pipeline.storage.markets import market_ids
from vp_pipeline.windows import Window, to_ms
from vp_pipeline_tests.assets import recordings

MARKETS = """
[instruments.BTC]
row_size = 10
lead = "binance BTC/USDT"

[[markets]]
exchange = "binance"
symbol = "BTC/USDT"

[[markets]]
exchange = "binance"
symbol = "BTC/BUSD"
retired = 2023-12-15

[[markets]]
exchange = "ftx"
symbol = "BTC/USD"
retired = 2022-11-12

[[markets]]
exchange = "bitstamp"
symbol = "BTC/USD"

[[markets]]
exchange = "coinbaseexchange"
symbol = "BTC/USDT"

[[markets]]
exchange = "kraken"
symbol = "BTC/USD"

[[klines]]
symbol = "BTCUSDT"
interval = "15m"

[[klines]]
symbol = "ETHUSDT"
interval = "1d"
"""


@dataclass
class Platform:
    """What a test of history works with."""

    settings: Settings
    source: GeneratedSource
    clock: Clock
    sandbox: str

    @property
    def url(self) -> str:
        return self.settings.database_url.get_secret_value()

    def forget(self) -> None:
        """Empty the tables that a load fills."""
        with transaction(self.url) as connection:
            connection.execute("TRUNCATE candle, coverage_run, stale_hour, archive_file, revision, kline")

    def market(self, name: str) -> Market:
        return next(market for market in self.settings.catalog.markets if market.name == name)

    def faults(self, *faults: dict[str, object]) -> None:
        """Put these faults in force, in place of those before."""
        recordings.put(self.sandbox, "faults", {"faults": list(faults)})

    def revise(self, *paths: str) -> None:
        """Give these files of the archive, and no others, another content."""
        recordings.put(self.sandbox, "archive", {"revised": list(paths)})

    def record(self, name: str, window: Window, like: str = "binance BTC/USDT", step: int = 1) -> Path:
        """Write a file of a person's own: every `step`-th minute of another market."""
        exchange, symbol = name.split()
        truth = self.truth(like, window)
        path = self.settings.history_folder / "minute_own" / f"{exchange}_{symbol.replace('/', '-')}.csv.gz"
        path.parent.mkdir(parents=True, exist_ok=True)
        frame = pd.DataFrame(
            {
                "open_time_ms": truth.open_time,
                **{column: getattr(truth, column) for column in COLUMNS},
            }
        )
        frame.iloc[::step].to_csv(path, index=False)
        return path

    def truth(self, name: str, window: Window) -> Candles:
        exchange, symbol = name.split()
        market = next(m for m in self.source.markets(exchange) if m.symbol == symbol)
        start, stop = to_ms(window.start), to_ms(window.end)
        return self.source.candles(market, MINUTE_MS, start, stop, stop + MINUTE_MS)

    def stored(self, name: str, window: Window) -> pd.DataFrame:
        exchange, symbol = name.split()
        with transaction(self.url) as connection:
            number = market_ids(connection, [(exchange, symbol)])[exchange, symbol]
            return candles.read(connection, [number], window)

    def runs(self, name: str, window: Window) -> list[Run]:
        exchange, symbol = name.split()
        with transaction(self.url) as connection:
            number = market_ids(connection, [(exchange, symbol)])[exchange, symbol]
            return ledger.runs(connection, [number], window)[number]

    def assert_true(self, name: str, window: Window) -> None:
        """The table holds exactly the sandbox's candles of the window."""
        truth, stored = self.truth(name, window), self.stored(name, window)
        assert len(stored) == len(truth)
        times = stored["open_time"].to_numpy(dtype="datetime64[ms]").astype("int64")
        assert times.tolist() == truth.open_time.tolist()
        for column in ("open", "high", "low", "close", "volume"):
            assert stored[column].tolist() == getattr(truth, column).tolist(), column


def settings_of(home: Path, database_url: str, sandbox: str, markets: str = MARKETS) -> Settings:
    """Settings of a simulated platform."""
    (home / "markets.toml").write_text(markets)
    return Settings.model_validate(
        {
            "home": home,
            "source": "sandbox",
            "markets_file": home / "markets.toml",
            "database_url": database_url,
            "exchange_url": sandbox,
        }
    )


def month(year: int, number: int) -> Window:
    """A calendar month."""
    start = datetime(year, number, 1, tzinfo=UTC)
    return Window(start, datetime(year + number // 12, number % 12 + 1, 1, tzinfo=UTC))
