from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from vp_pipeline.catalog import Catalog, load_catalog
from vp_pipeline.recordings.folder import scan
from vp_pipeline.runtime.replay import write_markets_file
from vp_pipeline.sandbox.replay import ReplaySource, left_out_note

START = datetime(2025, 3, 4, 20, tzinfo=UTC)


def record(
    folder: Path,
    file: str,
    price: float = 100.0,
    volume: float = 1.0,
    start: datetime = START,
    rows: int = 90,
    step: timedelta = timedelta(minutes=1),
) -> None:
    times = pd.date_range(start, periods=rows, freq=step).as_unit("ms").astype("int64")
    prices = dict.fromkeys(("open", "high", "low", "close"), np.full(rows, price))
    frame = pd.DataFrame({"open_time_ms": times, **prices, "volume": np.full(rows, volume)})
    path = folder / file
    path.parent.mkdir(parents=True, exist_ok=True)
    frame.to_csv(path, index=False)


def catalog_of(folder: Path) -> Catalog:
    path = folder.parent / "home" / "markets.toml"
    write_markets_file(scan(folder), path)
    return load_catalog(path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "a recording with 'quotes' and \"spaces\""


def test_binances_usdt_market_leads_whatever_its_volume(folder: Path) -> None:
    record(folder, "minute/kraken_BTC-USD.csv", volume=100)
    record(folder, "minute/binance_BTC-USDT.csv", volume=1)
    catalog = catalog_of(folder)
    assert catalog.instruments["BTC"].lead == "binance BTC/USDT"
    assert catalog.instruments["BTC"].row_size == 10
    assert [market.name for market in catalog.live_markets()] == ["binance BTC/USDT", "kraken BTC/USD"]


def test_an_exchange_that_nobody_can_play_is_left_out(folder: Path) -> None:
    record(folder, "minute/ftx_BTC-USD.csv", volume=100)
    record(folder, "minute/kraken_BTC-USD.csv", volume=1)
    catalog = catalog_of(folder)
    assert [market.name for market in catalog.markets] == ["kraken BTC/USD"]
    assert catalog.instruments["BTC"].lead == "kraken BTC/USD"
    (left_out,) = ReplaySource(scan(folder)).left_out
    assert left_out_note(left_out).endswith("of ftx, left out: minute/ftx_BTC-USD.csv")


def test_without_it_the_largest_volume_leads(folder: Path) -> None:
    record(folder, "minute/kraken_BTC-EUR.csv", volume=3)
    record(folder, "minute/binance_BTC-EUR.csv", volume=2)
    assert catalog_of(folder).instruments["BTC"].lead == "kraken BTC/EUR"


def test_ether_alone_has_its_shipped_row_size(folder: Path) -> None:
    record(folder, "minute/coinbase_ETH-USD.csv")
    catalog = catalog_of(folder)
    assert list(catalog.instruments) == ["ETH"]
    assert catalog.instruments["ETH"].row_size == 1
    assert catalog.markets[0].exchange == "coinbaseexchange"
    assert catalog.klines == ()
    assert catalog.strategies is None


@pytest.mark.parametrize(
    ("price", "row_size"),
    [(0.00001234, 1e-8), (0.4, 0.0002), (1.0, 0.0005), (3999, 2), (20_000, 10), (1.3e6, 1000)],
)
def test_other_bases_have_rows_near_a_two_thousandth_of_the_price(
    folder: Path, price: float, row_size: float
) -> None:
    record(folder, "minute/binance_1000PEPE-USDT.csv", price=price)
    assert catalog_of(folder).instruments["1000PEPE"].row_size == row_size


def test_separate_stretches_stay_separate_and_touching_ones_are_one(folder: Path) -> None:
    later = START + timedelta(days=30)
    record(folder, "minute_a/binance_BTC-USDT.csv", rows=60)
    record(folder, "minute_a/kraken_BTC-USD.csv", rows=60, start=START + timedelta(hours=1))
    record(folder, "minute_b/kraken_ETH-USD.csv", rows=30, start=later)
    recording = catalog_of(folder).recording
    assert recording is not None
    assert [(span.start, span.end) for span in recording.minutes] == [
        (START, START + timedelta(hours=2)),
        (later, later + timedelta(minutes=30)),
    ]


def test_daily_bars_alone_are_strategies_alone(folder: Path) -> None:
    first = datetime(2019, 6, 1, tzinfo=UTC)
    for symbol in ("DOGEUSDT", "ETHUSDT", "BTCUSDT", "ADAUSDT"):
        record(folder, f"daily/{symbol}.csv", start=first, rows=900, step=timedelta(days=1))
    catalog = catalog_of(folder)
    assert catalog.markets == ()
    assert catalog.klines == ()
    assert catalog.strategies is not None
    # The shipped order, others behind by name; the history begins as the published tables do.
    assert catalog.strategies.symbols == ("BTCUSDT", "ETHUSDT", "ADAUSDT", "DOGEUSDT")
    assert catalog.strategies.start == datetime(2021, 1, 1, tzinfo=UTC).date()
    assert catalog.recording is not None
    assert catalog.recording.minutes == ()


@pytest.mark.parametrize(("year", "start"), [(2019, "2019-06-01"), (2023, "2023-06-01")])
def test_a_history_elsewhere_begins_with_the_recording(folder: Path, year: int, start: str) -> None:
    first = datetime(year, 6, 1, tzinfo=UTC)
    record(folder, "daily/BTCUSDT.csv", start=first, rows=100, step=timedelta(days=1))
    strategies = catalog_of(folder).strategies
    assert strategies is not None
    assert strategies.start.isoformat() == start


def test_one_symbol_in_two_intervals_is_two_series(folder: Path) -> None:
    record(folder, "usdm_1m/LINKUSDT.csv", rows=120)
    record(folder, "usdm_5m_more/LINKUSDT.csv", rows=24, step=timedelta(minutes=5))
    catalog = catalog_of(folder)
    assert [catalog.kline_key(series) for series in catalog.klines] == ["linkusdt_1m", "linkusdt_5m"]
    spans = {series.recorded.window for series in catalog.klines if series.recorded}
    assert [(span.start, span.end) for span in spans] == [(START, START + timedelta(hours=2))]
    assert catalog.instruments == {}
