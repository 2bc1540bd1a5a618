"""A small recording, made by the sandbox's generator, and a sandbox that serves it to this process."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import requests

from vp_pipeline.sandbox import server
from vp_pipeline.sandbox.candles import FUTURES, STEPS_MS
from vp_pipeline.sandbox.clock import Clock
from vp_pipeline.sandbox.generator import GeneratedSource
from vp_pipeline.sandbox.source import CandleSource
from vp_pipeline.windows import to_ms

START = datetime(2025, 3, 4, 20, tzinfo=UTC)
END = START + timedelta(hours=5)
SPOT = ("binance BTC/USDT", "coinbaseexchange BTC/USDT", "kraken BTC/USD", "binance ETH/USDT")
FIRST_DAY = datetime(2024, 1, 1, tzinfo=UTC)
LAST_DAY = datetime(2025, 3, 1, tzinfo=UTC)


def write(folder: Path, seed: int = 7) -> Path:
    """Five hours of four markets, two days of 15-minute bars, fourteen months of daily bars."""
    source = GeneratedSource(seed)
    for name in SPOT:
        exchange, symbol = name.split()
        file = f"{exchange.removesuffix('exchange')}_{symbol.replace('/', '-')}.csv.gz"
        _save(source, exchange, symbol, "1m", START, END, folder / "minute_test" / file)
    for base in ("BTC", "ETH"):
        end = START + timedelta(days=2)
        file = f"{base}USDT.csv"
        _save(source, FUTURES, f"{base}/USDT", "15m", START, end, folder / "usdm_15m" / file)
    for base in ("BTC", "ETH", "XRP", "BNB", "SOL"):
        file = f"{base}USDT.csv.gz"
        _save(source, FUTURES, f"{base}/USDT", "1d", FIRST_DAY, LAST_DAY, folder / "daily" / file)
    return folder


@contextmanager
def serving(source: CandleSource, clock: Clock) -> Iterator[str]:
    """A sandbox in a thread of its own; its base address."""
    loop, stop, ready = asyncio.new_event_loop(), asyncio.Event(), threading.Event()
    addresses: list[str] = []

    async def main() -> None:
        async with server.serve(source, clock) as address:
            addresses.append(address)
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=[main()])
    thread.start()
    try:
        if not ready.wait(30):
            raise TimeoutError("the sandbox does not listen")
        yield addresses[0]
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(30)
        loop.close()


def put(address: str, what: str, body: object) -> None:
    """Set the sandbox's clock or faults."""
    with requests.Session() as session:
        session.trust_env = False
        session.put(f"{address}/_sandbox/{what}", json=body, timeout=10).raise_for_status()


def _save(
    source: GeneratedSource,
    exchange: str,
    symbol: str,
    interval: str,
    start: datetime,
    end: datetime,
    path: Path,
) -> None:
    market = next(m for m in source.markets(exchange) if m.symbol == symbol)
    step = STEPS_MS[interval]
    candles = source.candles(market, step, to_ms(start), to_ms(end), to_ms(end))
    columns = {"open_time_ms": candles.open_time, "volume": candles.volume, "trades": candles.trades}
    columns |= {name: getattr(candles, name) for name in ("open", "high", "low", "close", "quote_volume")}
    frame = pd.DataFrame(columns).assign(taker_buy_base=candles.taker_buy_volume)
    path.parent.mkdir(exist_ok=True)
    frame.to_csv(path, index=False)
