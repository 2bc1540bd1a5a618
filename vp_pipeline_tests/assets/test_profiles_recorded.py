"""The profile store on recorded candles of the days when a stablecoin lost its dollar."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from vp_pipeline.assets import aggregate_run, hour_profiles_run
from vp_pipeline.recordings.folder import scan
from vp_pipeline.runtime.replay import write_markets_file
from vp_pipeline.settings import Settings
from vp_pipeline.storage import candles, dollar_minutes, ledger, profiles
from vp_pipeline.storage.connection import transaction
from vp_pipeline.storage.markets import market_ids
from vp_pipeline.windows import HOUR, Window

# USDC was worth 0.88 to 0.97 dollars on this day.
DAY = Window(datetime(2023, 3, 11, tzinfo=UTC), datetime(2023, 3, 12, tzinfo=UTC))
FOLDER = "minute_2023-03-09_12"
COLUMNS = ["open_time", "open", "high", "low", "close", "volume", "quote_volume", "taker_buy_volume"]


def load(file: Path) -> pd.DataFrame:
    frame = pd.read_csv(file).rename(columns={"taker_buy_base": "taker_buy_volume"})
    times = pd.to_datetime(frame["open_time_ms"], unit="ms", utc=True).astype("datetime64[us, UTC]")
    return frame.assign(open_time=times).reindex(columns=COLUMNS)


@pytest.fixture(scope="module")
def quotes(
    recorded_data: Path, database_url: str, tmp_path_factory: pytest.TempPathFactory
) -> dict[int, str]:
    """The quote currency of each market; candles, aggregate and profiles of the day are stored."""
    if not (recorded_data / FOLDER).is_dir():
        pytest.skip(f"no {FOLDER} among the recorded market data")
    home = tmp_path_factory.mktemp("home")
    write_markets_file(scan(recorded_data), home / "markets.toml")
    settings = Settings.model_validate(
        {
            "home": home,
            "source": "replay",
            "markets_file": home / "markets.toml",
            "database_url": database_url,
            "exchange_url": "http://127.0.0.1:1",
        }
    )
    with transaction(database_url) as connection:
        numbers = hour_profiles_run.quotes_of(connection, settings, "BTC")
        for market in settings.catalog.markets:
            name = f"{market.exchange.removesuffix('exchange')}_{market.symbol.replace('/', '-')}.csv.gz"
            key = (market.exchange, market.symbol)
            if market.base == "BTC" and (recorded_data / FOLDER / name).is_file():
                number = market_ids(connection, [key])[key]
                candles.store(connection, {number: load(recorded_data / FOLDER / name)})
                ledger.record(connection, [ledger.Finding(number, DAY, "answered")])
    aggregate_run.recompute(database_url, settings, "BTC", DAY)
    assert len(hour_profiles_run.recompute(database_url, settings, "BTC", DAY)) == 24
    return numbers


def test_venues_agree_whatever_they_are_quoted_in(quotes: dict[int, str], database_url: str) -> None:
    apart: dict[str, list[float]] = {}
    with transaction(database_url) as connection:
        for hour in DAY.split(HOUR):
            found = profiles.profile(connection, "BTC", hour)
            mean = {
                number: float((part.rows.midpoint * part.volume).sum() / part.volume.sum())
                for number, part in found.items()
            }
            dollar = np.median([mean[number] for number in mean if quotes[number] == "USD"])
            for number, price in mean.items():
                apart.setdefault(quotes[number], []).append(abs(price / dollar - 1))
    assert {"USD", "USDT", "USDC"} <= set(apart)
    for quote, distances in apart.items():
        assert np.median(distances) < 0.004, quote


@pytest.mark.usefixtures("quotes")
def test_without_the_basis_they_would_not(database_url: str) -> None:
    with transaction(database_url) as connection:
        rates = profiles.read_rates(connection, {"USDC"}, [DAY])
    assert rates["usd"].min() < 0.9, "the recording should show the loss of the dollar, or this shows little"


@pytest.mark.usefixtures("quotes")
def test_total_is_the_sum_of_venues_and_within_the_days_prices(database_url: str) -> None:
    with transaction(database_url) as connection:
        total = profiles.total(connection, "BTC", DAY)
        found = profiles.profile(connection, "BTC", DAY)
        prices = dollar_minutes.read(connection, "BTC", DAY)
    assert total.rows.total == pytest.approx(sum(part.rows.total for part in found.values()), rel=1e-12)
    assert len(prices) == 1440
    inside = (total.rows.price >= prices["low"].min() * 0.98) & (
        total.rows.price <= prices["high"].max() * 1.02
    )
    assert total.volume[inside].sum() > 0.999 * total.rows.total
