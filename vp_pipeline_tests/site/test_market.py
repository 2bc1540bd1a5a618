"""The market page's numbers: the same as those computed at once from all minutes and candles."""

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import psycopg
import pytest
import requests

from vp_pipeline.analytics.price_rows import PriceRows, volume_by_price
from vp_pipeline.analytics.timeframes import resample
from vp_pipeline.analytics.value_area import value_area
from vp_pipeline.settings import Settings
from vp_pipeline.site import bar_queries, market, market_data
from vp_pipeline.site.market_data import View
from vp_pipeline.site.market_state import State
from vp_pipeline.storage import rows
from vp_pipeline.storage.connection import transaction
from vp_pipeline.storage.tables import AGGREGATE, QUOTE_RATE
from vp_pipeline.windows import DAY, HOUR, MINUTE, Window, floor
from vp_pipeline_tests.site import seed
from vp_pipeline_tests.site.conftest import reading

END = datetime(2023, 3, 12, 0, 7, tzinfo=UTC)
COUNT = 3_000
BINANCE = "binance BTC/USDT"


@pytest.fixture(scope="module", autouse=True)
def frame(settings: Settings, database_url: str) -> pd.DataFrame:
    made = seed.fill_market(settings, END, COUNT)
    with transaction(database_url) as connection:
        seed.fill_days(connection, END)
    return made


@pytest.fixture(scope="module")
def dollars(frame: pd.DataFrame, database_url: str) -> dict[str, pd.DataFrame]:
    """Candles by venue with prices in dollars, from what the platform says a tether was worth."""
    with transaction(database_url) as connection:
        rates = rows.read(connection, QUOTE_RATE, {"quote": "USDT"}).set_index("open_time")["usd"]
    rate = frame["open_time"].map(rates)
    assert rate.notna().mean() > 0.9
    binance = frame.copy()
    for name in ("open", "high", "low", "close"):
        binance[name] *= rate
    return {BINANCE: binance[rate.notna()], seed.KRAKEN: seed.at_kraken(frame.iloc[:-12])}


def _view(settings: Settings, state: State) -> View:
    with reading(settings) as connection:
        found = market_data.view(connection, settings, state)
    assert found is not None
    return found


def _text(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<script.*?</script>|<[^>]+>", " ", html, flags=re.DOTALL))


def _within(frame: pd.DataFrame, window: Window) -> pd.DataFrame:
    return frame[(frame["open_time"] >= window.start) & (frame["open_time"] < window.end)]


def test_the_page_shows_levels_times_coverage_and_gaps(address: str, settings: Settings) -> None:
    text = _text(requests.get(address, params={"period": "4h"}, timeout=10).text)
    levels = _view(settings, State("BTC", "4h")).levels
    assert levels is not None
    for name, level in {"VAH": levels.area.vah, "POC": levels.area.poc, "VAL": levels.area.val}.items():
        assert f"{name} {level:,.0f} " in text
    assert "First timestamp 2023-03-11 20:07 UTC Last timestamp 2023-03-12 00:06 UTC" in text
    assert "Minutes stored 239 of 240" in text
    assert f"{seed.KRAKEN} 13 0 13 0 kraken: {seed.REASON}" in text
    assert "Coverage 97.08 %" in text


def test_what_the_daily_profiles_say_is_shown(address: str) -> None:
    html = requests.get(address, params={"period": "1d"}, timeout=10).text
    text = _text(html)
    assert "Day of 2023-03-11 POC 20,000 19,950 to 20,050 VAH 20,200 VAL 19,800" in text
    assert "High node 20,010 19,990 to 20,030" in text
    assert "Naked points of control 2023-03-08 19,400" in text
    figure = json.loads(re.search(r'application/json">(.*?)</script>', html, re.DOTALL)[1])  # type: ignore[index]  # it is there
    assert "naked POC 2023-03-08" in [one["text"] for one in figure["layout"]["annotations"]]


@pytest.mark.parametrize(("end", "naked"), [("12:00", True), ("15:00", True), ("15:01", False)])
def test_a_point_of_control_is_naked_until_it_is_touched(
    address: str, database_url: str, end: str, naked: bool
) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE naked_poc SET touched = '2023-03-11T15:00Z'")
    try:
        query = {"instrument": "BTC", "start": "2023-03-11T00:00Z", "end": f"2023-03-11T{end}Z"}
        levels = requests.get(f"{address}/api/v1/levels", params=query, timeout=10).json()
        assert levels["naked"] == ([{"day": "2023-03-08", "poc": 19_400.0}] if naked else [])
        dates = {"from": "2023-03-11", "to": f"2023-03-11T{end}"}
        text = _text(requests.get(address, params=dates, timeout=10).text)
        assert ("Naked points of control 2023-03-08 19,400" in text) == naked
    finally:
        with psycopg.connect(database_url) as connection:
            connection.execute("UPDATE naked_poc SET touched = NULL")


@pytest.mark.parametrize("timeframe", ["1m", "15m", "1h", "4h", "1d", "1w"])
def test_candles_are_the_minutes_resampled(
    settings: Settings, dollars: dict[str, pd.DataFrame], timeframe: str
) -> None:
    window = Window(END - 2 * DAY + 13 * MINUTE, END - 3 * MINUTE)
    with reading(settings) as connection:
        bars = bar_queries.bars(connection, "BTC", window, timeframe)
        stored = bar_queries.stored_minutes(connection, "BTC", window, 10_000)
    expected = resample(_within(dollars[BINANCE], window), timeframe)
    assert list(bars["open_time"]) == list(expected["open_time"])
    assert bars["minutes"].sum() == len(stored)
    np.testing.assert_allclose(
        bars[["open", "high", "low", "close"]], expected[["open", "high", "low", "close"]]
    )
    volume = sum(_within(frame, window)["volume"].sum() for frame in dollars.values())
    assert bars["volume"].sum() == pytest.approx(volume, rel=1e-9)


WINDOWS = {
    "whole hours": Window(floor(END, HOUR) - 5 * HOUR, floor(END, HOUR) - HOUR),
    "parts of hours": Window(END - 4 * HOUR, END),
    "within an hour": Window(END - 25 * MINUTE, END - 15 * MINUTE),
    "days": Window(END - 2 * DAY, END),
}


@pytest.mark.parametrize("window", WINDOWS.values(), ids=WINDOWS)
@pytest.mark.parametrize("placement", ["uniform", "close", "midpoint", "touched"])
def test_the_profile_is_that_of_all_candles(
    settings: Settings, dollars: dict[str, pd.DataFrame], window: Window, placement: Any
) -> None:
    found = _view(settings, State("BTC", dates=window, placement=placement))
    parts = {
        name: volume_by_price(_within(frame, window), 10, placement).trimmed()
        for name, frame in dollars.items()
    }
    assert {name for name, rows in found.venues.items() if rows.total} == {
        name for name, rows in parts.items() if rows.total
    }
    for name, rows_of in found.venues.items():
        same = rows_of.trimmed()
        assert same.first_row == parts[name].first_row, name
        np.testing.assert_allclose(same.volume, parts[name].volume, rtol=1e-9, atol=1e-9)
    assert found.levels is not None
    assert found.levels.area.poc == value_area(PriceRows.sum_of(list(parts.values()))).poc
    assert found.lacking_hours == 0


def test_venues_out_are_in_nothing_of_the_profile(settings: Settings) -> None:
    both, one = (_view(settings, State("BTC", "1d", venues=names)) for names in ((), (seed.KRAKEN,)))
    assert set(one.venues) == {seed.KRAKEN}
    assert one.levels is not None
    assert both.levels is not None
    assert one.levels.rows.total == pytest.approx(both.venues[seed.KRAKEN].total)
    assert {missing.market for missing in one.missing} == {seed.KRAKEN}


def test_the_value_area_rule_counts(settings: Settings) -> None:
    areas = {
        rule: _view(settings, State("BTC", "1d", rule=rule)).levels for rule in ("two-row", "both-sides")
    }
    two, both = (one.area for one in areas.values() if one is not None)
    assert (two.val, two.vah) != (both.val, both.vah)


@pytest.mark.parametrize("period", ["1h", "4h", "1d", "all"])
def test_the_developing_point_of_control_ends_at_the_windows(settings: Settings, period: str) -> None:
    found = _view(settings, State("BTC", period))
    assert found.levels is not None
    moments = [moment for moment, _ in found.developing]
    assert len(moments) > 3
    assert moments == sorted(set(moments))
    assert moments[-1] <= found.window.end
    if period in ("1h", "4h"):
        assert found.developing[-1][1] == found.levels.area.poc


def test_hours_that_the_store_lacks_come_from_candles(settings: Settings, database_url: str) -> None:
    before = _view(settings, State("BTC", "1d"))
    with psycopg.connect(database_url) as connection:
        kept = connection.execute("SELECT * FROM profile").fetchall()
        connection.execute("DELETE FROM profile WHERE start_time >= %s", [END - 12 * HOUR])
    try:
        after = _view(settings, State("BTC", "1d"))
        assert after.lacking_hours == 0
        for name, rows_of in before.venues.items():
            np.testing.assert_allclose(after.venues[name].trimmed().volume, rows_of.trimmed().volume)
    finally:
        with psycopg.connect(database_url) as connection:
            connection.execute("DELETE FROM profile")
            places = ", ".join(["%s"] * len(kept[0]))
            connection.cursor().executemany(f"INSERT INTO profile VALUES ({places})", kept)


def test_a_view_is_kept_until_its_instrument_changes(settings: Settings, database_url: str) -> None:
    views = market.Views()
    with reading(settings) as connection:
        first = views.get(connection, settings, State("BTC"))
        assert views.get(connection, settings, State("BTC")) is first
        assert views.get(connection, settings, State("BTC", "1h")) is not first
    with psycopg.connect(database_url) as changed:
        changed.execute(
            "UPDATE aggregate SET volume = volume WHERE base = 'BTC' AND open_time >= %s", [END - HOUR]
        )
    with reading(settings) as connection:
        second = views.get(connection, settings, State("BTC"))
    assert first is not None
    assert second is not None
    assert second.number > first.number


def test_bars_follow_their_minutes_whoever_writes_them(settings: Settings, database_url: str) -> None:
    made = seed.minutes(END - 3 * DAY, 3 * 1440, 1500.0)
    everything = Window(END - 4 * DAY, END)

    def bars() -> pd.DataFrame:
        with reading(settings) as connection:
            return bar_queries.bars(connection, "ETH", everything, "1d")

    with transaction(database_url) as connection:
        rows.replace(connection, AGGREGATE, made.assign(price_market="kraken ETH/USD"), {"base": "ETH"})
    whole = bars()
    assert whole["volume"].sum() == pytest.approx(made["volume"].sum())
    with psycopg.connect(database_url) as connection:
        connection.execute("DELETE FROM aggregate WHERE base = 'ETH' AND open_time >= %s", [END - DAY])
        connection.execute(
            "UPDATE aggregate SET high = 9999 WHERE base = 'ETH' AND open_time = %s", [END - 2 * DAY]
        )
    left = bars()
    assert left["minutes"].sum() == 2 * 1440
    assert left["high"].max() == 9999
    with psycopg.connect(database_url) as connection:
        connection.execute("DELETE FROM aggregate WHERE base = 'ETH'")
        assert connection.execute("SELECT count(*) FROM site.bar WHERE base = 'ETH'").fetchone() == (0,)


def test_dates_far_from_what_is_stored_are_an_empty_view(address: str) -> None:
    answer = requests.get(address, params={"from": "1999-01-01", "to": "1999-02-01"}, timeout=10)
    assert answer.status_code == 200
    assert "there is no profile to draw" in _text(answer.text)


@pytest.mark.parametrize(
    ("query", "status", "named"),
    [
        ("period=3h", 404, "There are: 1h"),
        ("from=2023-01-01", 422, "to: missing"),
        ("period=all&timeframe=1m&x=1", 422, "no such parameter"),
        ("from=2020-01-01&to=2023-01-01&timeframe=1m", 422, "choose 12h or longer"),
        ("from=2020-01-01&to=2023-01-01&placement=close", 422, "at most 31 days"),
    ],
)
def test_what_cannot_be_shown_is_a_page_that_says_why(
    address: str, query: str, status: int, named: str
) -> None:
    answer = requests.get(f"{address}/?{query}", timeout=10)
    assert answer.status_code == status
    assert named in _text(answer.text)
    assert "Go to the market page" in answer.text


def test_staleness_is_said_where_it_matters(settings: Settings) -> None:
    words, warn = market.freshness(settings, END, END + 5 * MINUTE)
    assert words == "Last minute 00:06 UTC, closed 5 minutes ago"
    assert not warn
    words, warn = market.freshness(settings, END, END + timedelta(days=3))
    assert "2023-03-12 00:06 UTC, closed 3 days ago: nothing has come in since" in words
    assert warn
    replay = settings.model_copy(update={"source": "replay"})
    words, warn = market.freshness(replay, END, END + 900 * DAY)
    assert "Recorded data" in words
    assert not warn
