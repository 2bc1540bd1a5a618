"""The aggregate of the same candles is the same, in whatever pieces it is computed."""

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from vp_pipeline.assets.aggregate import rates_first
from vp_pipeline.assets.aggregate_run import recompute
from vp_pipeline.settings import Settings
from vp_pipeline.storage.connection import transaction
from vp_pipeline.windows import DAY, HOUR, MINUTE, Window
from vp_pipeline_tests.assets.made_markets import keep, settings_of

START = datetime(2025, 8, 25, tzinfo=UTC)
PERIOD = Window(START, START + 3 * DAY)
RETIRED = START + 2 * DAY
MARKETS = {
    "binance BTC/USDT": None,
    "coinbaseexchange BTC/USD": None,
    "kraken BTC/EUR": None,
    "okx BTC/USDT": None,
    "bitfinex BTC/USD": RETIRED.date(),
    "binance ETH/USDT": None,
    "kraken ETH/EUR": None,
}
TABLES = ("aggregate", "quote_rate", "venue_verdict")


def stored(url: str) -> dict[str, list[tuple[object, ...]]]:
    with transaction(url) as connection:
        return {
            name: connection.execute(f"SELECT * FROM {name} ORDER BY {name}").fetchall() for name in TABLES
        }


def computed(url: str, settings: Settings, pieces: Iterable[Window]) -> dict[str, list[tuple[object, ...]]]:
    with transaction(url) as connection:
        connection.execute(f"TRUNCATE {', '.join(TABLES)}, stale_hour")
    parts = list(pieces)
    for base in rates_first(settings.catalog):
        for piece in parts:
            recompute(url, settings, base, piece)
    return stored(url)


def random_stretches(rng: np.random.Generator, hours: int) -> list[Window]:
    """Some minutes to some days within the period; they may overlap."""
    found = []
    for _ in range(rng.integers(1, 4)):
        start = START + int(rng.integers(0, PERIOD.count(MINUTE))) * MINUTE
        found.append(Window(start, min(PERIOD.end, start + int(rng.integers(1, hours * 60)) * MINUTE)))
    return found


@pytest.fixture
def empty(database_url: str) -> str:
    with transaction(database_url) as connection:
        connection.execute(f"TRUNCATE candle, coverage_run, stale_hour, {', '.join(TABLES)}")
    return database_url


@pytest.mark.parametrize("seed", range(2))
def test_hour_by_hour_day_by_day_and_in_one_piece_are_the_same(empty: str, tmp_path: Path, seed: int) -> None:
    settings = settings_of(tmp_path, empty, MARKETS)
    rng = np.random.default_rng(seed)
    for market, retired in MARKETS.items():
        for known in random_stretches(rng, 60):
            end = known.end if retired is None else min(known.end, RETIRED)
            if known.start < end:
                keep(empty, market, Window(known.start, end), random_stretches(rng, 30), seed)
    whole = computed(empty, settings, [PERIOD])
    assert all(whole[name] for name in ("aggregate", "quote_rate"))
    assert computed(empty, settings, reversed(list(PERIOD.split(DAY)))) == whole
    assert computed(empty, settings, PERIOD.split(HOUR)) == whole


def test_a_market_followed_later_is_neither_missed_nor_the_measure_of_dollars_before(
    empty: str, tmp_path: Path
) -> None:
    settings = settings_of(tmp_path, empty, dict.fromkeys(["binance BTC/USDT", "coinbaseexchange BTC/USD"]))
    live = Window(START + 2 * DAY, PERIOD.end)
    keep(empty, "binance BTC/USDT", PERIOD)
    keep(empty, "coinbaseexchange BTC/USD", live)
    recompute(empty, settings, "BTC", PERIOD)
    with transaction(empty) as connection:
        rows = connection.execute(
            "SELECT open_time >= %s, count(*), count(vwap), max(missing), min(quote_rate.markets)"
            " FROM aggregate JOIN quote_rate USING (open_time) WHERE quote = 'USDT' GROUP BY 1 ORDER BY 1",
            [live.start],
        ).fetchall()
    before, after = (live.start - START) // MINUTE, live.count(MINUTE)
    assert rows == [(False, before, before, "", 0), (True, after, after, "", 1)]
