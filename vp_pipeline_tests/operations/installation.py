"""An installation's database with a few hours of two markets, for the tests of the commands."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from click.testing import CliRunner, Result

from vp_pipeline.cli import main
from vp_pipeline.storage import candles, installation, ledger, rows
from vp_pipeline.storage.connection import Connection
from vp_pipeline.storage.ledger import Finding
from vp_pipeline.storage.markets import market_ids
from vp_pipeline.storage.tables import AGGREGATE
from vp_pipeline.windows import HOUR, MINUTE, Window, floor

END = floor(datetime.now(UTC), MINUTE) - 5 * MINUTE
START = floor(END, HOUR) - 30 * HOUR
MARKETS = """
[instruments.BTC]
row_size = 10
lead = "binance BTC/USDT"

[[markets]]
exchange = "binance"
symbol = "BTC/USDT"

[[markets]]
exchange = "kraken"
symbol = "BTC/USD"

[[markets]]
exchange = "okx"
symbol = "BTC/USDT"

[[markets]]
exchange = "ftx"
symbol = "BTC/USD"
retired = 2022-11-12
"""


def candles_of(window: Window, seed: int = 1) -> pd.DataFrame:
    """A minute after the other, prices wandering."""
    count = window.count(MINUTE)
    rng = np.random.default_rng(seed)
    close = 20_000 + rng.normal(0, 1, count).cumsum()
    return pd.DataFrame(
        {
            "open_time": pd.date_range(window.start, periods=count, freq="min", unit="us"),
            "open": close,
            "high": close + 1,
            "low": close - 1,
            "close": close,
            "volume": rng.exponential(1, count),
            "quote_volume": np.nan,
            "taker_buy_volume": np.nan,
            "provisional": False,
        }
    )


def fill(connection: Connection, source: str) -> dict[str, int]:
    """binance lacks 10 minutes that it has not and 20 that nobody knows; kraken has one hour and lost one."""
    found = market_ids(connection, [("binance", "BTC/USDT"), ("kraken", "BTC/USD"), ("gate", "BTC/USD")])
    numbers = {exchange: number for (exchange, _), number in found.items()}
    whole = Window(START, END)
    first = candles_of(whole)
    minute = (first["open_time"] - START) // MINUTE
    first = first[~minute.between(60, 69) & ~minute.between(120, 139)]
    hour = Window(END - HOUR, END)
    candles.store(connection, {numbers["binance"]: first, numbers["kraken"]: candles_of(hour, 2)})
    hole = Window(START + 120 * MINUTE, START + 140 * MINUTE)
    ledger.record(
        connection,
        [
            Finding(numbers["binance"], Window(START, hole.start), "answered"),
            Finding(numbers["binance"], hole, "unknown", "binance did not answer (HTTP 503)"),
            Finding(numbers["binance"], Window(hole.end, END), "answered"),
            Finding(numbers["kraken"], Window(hour.start - HOUR, hour.start), "unfetchable", "too old"),
            Finding(numbers["kraken"], hour, "answered"),
        ],
    )
    aggregate = first.drop(columns=["quote_volume", "provisional"]).assign(
        markets=1, missing="", price_market="binance BTC/USDT", vwap=first["close"],
        robust_price=first["close"], quote_volume_usd=first["volume"] * 20_000, left_out="",
    )  # fmt: skip
    rows.replace(connection, AGGREGATE, aggregate, {"base": "BTC"})
    installation.claim(connection, source)
    return numbers


def vp(*arguments: str, url: str, markets: Path, **variables: str) -> Result:
    """Run a command as from a shell."""
    environment: Mapping[str, str | None] = {
        "VP_DATABASE_URL": url,
        "VP_MARKETS_FILE": str(markets),
        "COLUMNS": "200",
        **variables,
    }
    return CliRunner().invoke(main, list(arguments), env=environment)


def document(result: Result) -> dict[str, Any]:
    """What `vp status --json` printed, markets by name."""
    assert result.exit_code == 0, result.output
    parsed: dict[str, Any] = json.loads(result.stdout)
    parsed["markets"] = {market["market"]: market for market in parsed["markets"]}
    return parsed


def minutes(count: float) -> timedelta:
    return timedelta(minutes=count)
