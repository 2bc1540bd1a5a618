"""A platform on simulated exchanges whose time the test sets, and the truth to compare it with."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import pandas as pd
from dagster import AssetKey, DagsterInstance, Definitions, ExecuteInProcessResult

from vp_pipeline.assets.keys import HOUR_FORMAT, TICK_JOB, range_tags
from vp_pipeline.sandbox.candles import MINUTE_MS
from vp_pipeline.sandbox.generator import GeneratedSource
from vp_pipeline.settings import Settings
from vp_pipeline.storage import candles, ledger
from vp_pipeline.storage.connection import transaction
from vp_pipeline.storage.ledger import Run
from vp_pipeline.storage.markets import market_ids
from vp_pipeline.windows import MINUTE, Window, to_ms
from vp_pipeline_tests.assets import recordings
from vp_pipeline_tests.dumps import dump

START = datetime.fromisoformat("2025-03-04T10:00:00+00:00")
QUARTER = timedelta(minutes=15)
MARKETS = ("binance BTC/USDT", "coinbaseexchange BTC/USD", "htx BTC/USDT", "kraken BTC/USD", "okx BTC/USDT")
MARKETS_FILE = """
[instruments.BTC]
row_size = 10
lead = "binance BTC/USDT"
""" + "".join(
    f'[[markets]]\nexchange = "{name.split()[0]}"\nsymbol = "{name.split()[1]}"\n' for name in MARKETS
)
PRICES = ["open", "high", "low", "close", "volume"]


@dataclass
class Simulated:
    """What a test works with."""

    settings: Settings
    definitions: Definitions
    instance: DagsterInstance
    sandbox: str
    source: GeneratedSource

    @property
    def url(self) -> str:
        return self.settings.database_url.get_secret_value()

    def tick(
        self, now: datetime, *, must_succeed: bool = True, only: list[AssetKey] | None = None
    ) -> ExecuteInProcessResult:
        """The scheduled run of this moment, some seconds after it, as the schedule asks for it."""
        recordings.put(
            self.sandbox, "clock", {"now": (now + timedelta(seconds=5)).isoformat(), "frozen": True}
        )
        return self.definitions.resolve_job_def(TICK_JOB).execute_in_process(
            instance=self.instance,
            tags=range_tags(now - QUARTER, now, HOUR_FORMAT),
            asset_selection=only,
            raise_on_error=must_succeed,
        )

    def faults(self, *faults: dict[str, object]) -> None:
        """Put these faults in force, in place of those before."""
        recordings.put(self.sandbox, "faults", {"faults": list(faults)})

    def truth(self, market: str, window: Window) -> pd.DataFrame:
        """What the exchange will say of the window for ever: open_time and PRICES."""
        exchange, symbol = market.split()
        listed = next(m for m in self.source.markets(exchange) if m.symbol == symbol)
        start, end = to_ms(window.start), to_ms(window.end)
        found = self.source.candles(listed, MINUTE_MS, start, end, end + MINUTE_MS)
        times = pd.to_datetime(found.open_time, unit="ms", utc=True).astype("datetime64[us, UTC]")
        return pd.DataFrame({"open_time": times, **{name: getattr(found, name) for name in PRICES}})

    def stored(self, market: str, window: Window) -> pd.DataFrame:
        """The final candles of the window."""
        with transaction(self.url) as connection:
            frame = candles.read(connection, [self._number(market)], window)
        return frame[["open_time", *PRICES]]

    def runs(self, market: str) -> list[Run]:
        """The ledger of a market."""
        with transaction(self.url) as connection:
            return ledger.runs(connection, [self._number(market)])[self._number(market)]

    def dump(self, *without: str) -> dict[str, bytes]:
        """Every table's rows but for those of the tables named."""
        return dump(self.url, *without)

    def assert_true(self, window: Window, markets: Sequence[str] = MARKETS) -> None:
        """Every candle of the window is stored, and the ledger says of each minute what is so."""
        for market in markets:
            truth = self.truth(market, window)
            pd.testing.assert_frame_equal(self.stored(market, window), truth, obj=market)
            assert np.array_equal(self._states(market, window) == "got", _present(truth, window)), market
            assert set(self._states(market, window)) <= {"got", "exchange-empty"}, market

    def _states(self, market: str, window: Window) -> np.ndarray:
        states = np.full(window.count(MINUTE), "never asked", dtype=object)
        for run in self.runs(market):
            part = Window(run.start, run.end).intersect(window)
            first = (part.start - window.start) // MINUTE
            states[first : first + part.count(MINUTE)] = run.state
        return states

    def _number(self, market: str) -> int:
        exchange, symbol = market.split()
        with transaction(self.url) as connection:
            return market_ids(connection, [(exchange, symbol)])[exchange, symbol]


def random_faults(chance: random.Random) -> list[dict[str, object]]:
    """One to three troubles, such as exchanges have."""
    kinds: list[dict[str, object]] = [
        {"kind": "status", "status": 429, "retry_after": 1},
        {"kind": "status", "status": 429},
        {"kind": "status", "status": 500},
        {"kind": "status", "status": 503},
        {"kind": "status", "status": 524},
        {"kind": "reset"},
        {"kind": "truncated"},
        {"kind": "html"},
        {"kind": "empty_body"},
        {"kind": "truncated", "connection": "kept"},
        {"kind": "drip", "seconds": 3},
        {"kind": "skew", "seconds": 300},
        {"kind": "skew", "seconds": -300},
        {"kind": "empty_list"},
        {"kind": "short"},
        {"kind": "reordered"},
        {"kind": "duplicated"},
        {"kind": "garbage_rows"},
        {"kind": "revised", "minutes": 3},
        {"kind": "stalled", "minutes": 20},
    ]
    chosen = []
    for _ in range(chance.randint(1, 3)):
        market = chance.choice(MARKETS).split()
        fault = {**chance.choice(kinds), "exchange": market[0], "count": chance.randint(1, 8)}
        chosen.append(fault if chance.random() < 0.5 else {**fault, "market": market[1]})
    return chosen


def _present(truth: pd.DataFrame, window: Window) -> np.ndarray:
    present = np.zeros(window.count(MINUTE), dtype=bool)
    present[((truth["open_time"] - window.start) // pd.Timedelta(MINUTE)).to_numpy(dtype=int)] = True
    return present
