"""The market page's numbers: the same as those computed at once from all minutes, in bounded memory."""

import importlib
import re
import tracemalloc
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest
import requests

from vp_pipeline.analytics.price_rows import volume_by_price
from vp_pipeline.analytics.value_area import value_area
from vp_pipeline.settings import Settings
from vp_pipeline.site import market, market_queries
from vp_pipeline.site.database import reading
from vp_pipeline.site.market_profile import profile_of
from vp_pipeline.storage import rows
from vp_pipeline.storage.connection import transaction
from vp_pipeline.storage.tables import AGGREGATE
from vp_pipeline.windows import DAY, HOUR, MINUTE, Window
from vp_pipeline_tests.site import seed

END = datetime(2023, 3, 12, 0, 7, tzinfo=UTC)
COUNT = 3_000
LONG_END = datetime(2022, 3, 1, tzinfo=UTC)
LONG = 400_000


@pytest.fixture(scope="module", autouse=True)
def frame(database_url: str) -> pd.DataFrame:
    with transaction(database_url) as connection:
        return seed.fill_market(connection, END, COUNT)


@pytest.fixture(scope="module")
def long_frame(database_url: str) -> pd.DataFrame:
    """Nine months of ETH, three chunks of minutes and more."""
    made = seed.minutes(LONG_END - LONG * MINUTE, LONG, 1500.0)
    with transaction(database_url) as connection:
        rows.replace(connection, AGGREGATE, made, {"base": "ETH"})
    return made


def _text(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<script.*?</script>|<[^>]+>", " ", html, flags=re.DOTALL))


def test_the_page_shows_levels_times_and_gaps(address: str, frame: pd.DataFrame) -> None:
    text = _text(requests.get(address, params={"instrument": "BTC", "period": "4h"}, timeout=10).text)
    shown = frame[frame["open_time"] >= END - 4 * HOUR]
    area = value_area(volume_by_price(shown, 10))
    for name, level in {"VAH": area.vah, "POC": area.poc, "VAL": area.val}.items():
        assert f"{name} {level:,.0f} " in text
    assert "First timestamp 2023-03-11 20:07 UTC Last timestamp 2023-03-12 00:06 UTC" in text
    assert "Minutes stored 239 of 240 Minutes missing 1" in text
    assert f"{seed.KRAKEN} 12 kraken: {seed.REASON}" in text


def test_a_period_longer_than_what_is_stored_shows_what_is_stored(address: str) -> None:
    text = _text(requests.get(address, params={"period": "30d"}, timeout=10).text)
    assert f"Minutes stored {COUNT - 1:,} of {COUNT:,}" in text


def test_bars_are_the_minutes_resampled(settings: Settings, frame: pd.DataFrame) -> None:
    window = Window(END - DAY, END)
    with reading(settings) as connection:
        bars = market_queries.bars(connection, "BTC", window, HOUR)
    expected = (
        frame[frame["open_time"] >= window.start]
        .resample("1h", on="open_time")
        .agg({"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"})
    )
    assert len(bars) == 25
    assert list(bars["open_time"]) == list(expected.index)
    np.testing.assert_allclose(bars[expected.columns], expected, rtol=1e-12)


@pytest.mark.parametrize("days", [1, 3, 7, 14, 60, 365, 3650])
def test_bars_stay_few(days: int) -> None:
    window = Window(END - days * DAY, END)
    assert window.count(market_queries.bar_length(window)) <= 7_000


def test_minutes_without_a_price_are_left_out_and_counted(settings: Settings, database_url: str) -> None:
    bare = seed.minutes(END, 10)
    bare.loc[[0, 9], ["open", "high", "low", "close"]] = np.nan
    window = Window(END, END + 10 * MINUTE)
    with transaction(database_url) as connection:
        rows.replace(connection, AGGREGATE, bare, {"base": "SOL"})
    with reading(settings) as connection:
        [packed] = market_queries.placed_minutes(connection, "SOL", window)
        bars = market_queries.bars(connection, "SOL", window, 5 * MINUTE)
        present = market_queries.presence(connection, "SOL", window).present
    assert len(packed) == 8
    assert bars["open"].iloc[0] == bare["open"].iloc[1]
    assert bars["close"].iloc[-1] == bare["close"].iloc[8]
    assert present == 10


def test_chunks_add_up_to_the_profile_of_all_minutes(settings: Settings, long_frame: pd.DataFrame) -> None:
    window = Window(LONG_END - LONG * MINUTE, LONG_END)
    with reading(settings) as connection:
        chunked = profile_of(market_queries.placed_minutes(connection, "ETH", window), 1)
    assert chunked is not None
    at_once = volume_by_price(long_frame, 1)
    assert chunked.rows.first_row == at_once.first_row
    np.testing.assert_allclose(chunked.rows.volume, at_once.volume, rtol=1e-9, atol=1e-9)
    assert chunked.area.poc == value_area(at_once).poc


def test_a_long_period_needs_little_memory(settings: Settings, long_frame: pd.DataFrame) -> None:
    importlib.import_module("vp_pipeline.figures.volume_profile")
    window = Window(LONG_END - LONG * MINUTE, LONG_END)
    with reading(settings) as connection:
        tracemalloc.start()
        try:
            market._content(connection, "ETH", window, 1)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    # One Python float for each value of the minutes would be four times as much.
    assert peak < len(long_frame) * 4 * 24 / 4


def test_all_of_a_long_history_is_fast_enough(address: str, long_frame: pd.DataFrame) -> None:
    answer = requests.get(address, params={"instrument": "ETH", "period": "all"}, timeout=30)
    assert answer.status_code == 200
    assert f"{len(long_frame):,} of {len(long_frame):,}" in _text(answer.text)
    assert len(answer.content) < 500_000


def test_reasons_are_bounded_and_never_empty() -> None:
    assert market._in_words([]) == "no reason recorded"
    assert market._in_words(["a", "b"]) == "a; b"
    assert market._in_words(list("abcde")) == "a; b; c and 2 more"


def test_staleness_is_said_where_it_matters(settings: Settings) -> None:
    assert market._freshness(settings, END, END + 5 * MINUTE) == (
        "Newest minute closed 5 minutes ago.",
        False,
    )
    words, warn = market._freshness(settings, END, END + 3 * DAY)
    assert "3 days ago" in words
    assert warn
    replay = settings.model_copy(update={"source": "replay"})
    words, warn = market._freshness(replay, END, END + 900 * DAY)
    assert "Recorded data" in words
    assert not warn
