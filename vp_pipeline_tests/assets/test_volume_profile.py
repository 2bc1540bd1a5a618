"""Daily profiles of a replayed recording: levels, tables, documents, what is made again."""

import json
import math
import re
from base64 import b64decode
from datetime import datetime

import numpy as np
import pandas as pd
import pytest
from dagster import AssetKey, AssetMaterialization, ExecuteInProcessResult

from vp_pipeline.analytics.kde import document_profile
from vp_pipeline.analytics.price_rows import PriceRows, volume_by_price
from vp_pipeline.analytics.value_area import value_area
from vp_pipeline.storage import artifacts, candles, profiles, rows, stale
from vp_pipeline.storage.connection import Connection, transaction
from vp_pipeline.storage.markets import market_ids
from vp_pipeline.storage.profile_tables import (
    COMPOSITE_LEVEL,
    NAKED_POC,
    VOLUME_PROFILE,
    VOLUME_PROFILE_NODE,
    VOLUME_PROFILE_ROW,
    VOLUME_PROFILE_VENUE,
)
from vp_pipeline.storage.tables import AGGREGATE, QUOTE_RATE
from vp_pipeline.windows import DAY, HOUR, MINUTE, Window, floor
from vp_pipeline_tests.assets.conftest import Replayed
from vp_pipeline_tests.assets.recordings import END, SPOT, START

FIRST = floor(START, DAY)
KEY = AssetKey(["volume_profile", "btc"])
DAYS = [FIRST, FIRST + DAY]
BTC = [name for name in SPOT if "BTC/" in name]


@pytest.fixture(scope="module", autouse=True)
def made(replayed: Replayed) -> ExecuteInProcessResult:
    tick = replayed.all_minutes()
    hours = [
        event.materialization.partition
        for event in tick.all_events
        if event.is_step_materialization and event.asset_key == AssetKey(["profile_hours", "btc"])
    ]
    assert hours == [f"{hour.start:%Y-%m-%d-%H:00}" for hour in Window(START, END).split(HOUR)]
    with transaction(replayed.url) as connection:
        assert profiles.hours_made(connection, "BTC") == [h.start for h in Window(START, END).split(HOUR)]
    return replayed.run("volume_profiles", FIRST, FIRST + DAY)


def number(connection: Connection, market: str) -> int:
    exchange, symbol = market.split()
    return market_ids(connection, [(exchange, symbol)])[exchange, symbol]


def in_dollars(connection: Connection, market: str, window: Window) -> pd.DataFrame:
    """A market's candles times the rate of each minute."""
    frame = candles.read(connection, [number(connection, market)], window)
    rates = rows.read(connection, QUOTE_RATE, {"quote": market.split("/")[1]}, window)
    usd = rates.set_index("open_time")["usd"].reindex(frame["open_time"]).to_numpy()
    return frame.assign(low=frame["low"] * usd, high=frame["high"] * usd)


def direct(connection: Connection, window: Window) -> PriceRows:
    return PriceRows.sum_of(
        volume_by_price(in_dollars(connection, market, window), 10.0) for market in BTC
    ).trimmed()


def materialization(result: ExecuteInProcessResult, day: datetime) -> AssetMaterialization:
    (found,) = (
        event.materialization
        for event in result.all_events
        if event.is_step_materialization
        and event.asset_key == KEY
        and event.materialization.partition == f"{day:%Y-%m-%d}"
    )
    return found


@pytest.mark.parametrize("day", DAYS)
def test_levels_and_rows_are_those_of_all_venues_at_their_own_prices(
    replayed: Replayed, day: datetime
) -> None:
    window = Window(day, day + DAY)
    with transaction(replayed.url) as connection:
        expected = direct(connection, window)
        (stored,) = rows.read(connection, VOLUME_PROFILE, {"base": "BTC"}, window).to_dict("records")
        by_price = rows.read(connection, VOLUME_PROFILE_ROW, {"base": "BTC"}, window)
        aggregate = rows.read(connection, AGGREGATE, {"base": "BTC"}, window)
    area = value_area(expected)
    assert (stored["poc"], stored["vah"], stored["val"]) == (area.poc, area.vah, area.val)
    filled = expected.volume > 0
    assert by_price["price"].tolist() == expected.price[filled].tolist()
    np.testing.assert_allclose(by_price["volume"], expected.volume[filled], rtol=1e-9)
    assert math.isclose(stored["total_volume"], aggregate["volume"].sum(), rel_tol=1e-12)
    assert stored["minutes"] == len(aggregate)
    assert stored["venues"] == len(BTC)
    # One hour alone says nothing of how sure a level is.
    assert (stored["poc_low"] <= stored["poc_high"]) == (day == FIRST)
    assert (0 <= stored["poc_stability"] <= 1) == (day == FIRST)
    assert stored["minutes_expected"] == stored["minutes_got"] + stored["minutes_empty"]


def test_nodes_are_high_low_and_the_published_ones(replayed: Replayed) -> None:
    window = Window(FIRST, FIRST + DAY)
    with transaction(replayed.url) as connection:
        nodes = rows.read(connection, VOLUME_PROFILE_NODE, {"base": "BTC"}, window)
        aggregate = rows.read(connection, AGGREGATE, {"base": "BTC"}, window)
        (stored,) = rows.read(connection, VOLUME_PROFILE, {"base": "BTC"}, window).to_dict("records")
    curve = document_profile(aggregate["close"], aggregate["volume"])
    published = nodes[nodes["kind"] == "document"]
    assert published["price"].tolist() == [peak.price for peak in curve.peaks]
    assert stored["kde_bandwidth"] == curve.bandwidth
    high, low = nodes[nodes["kind"] == "high"], nodes[nodes["kind"] == "low"]
    assert len(high) == len(low) + 1
    assert (high["survives"] >= stored["node_bandwidth"]).all()
    assert high["share"].between(0, 1).all()
    assert high["stability"].between(0, 1).all()


def test_venues_add_up_to_the_profile(replayed: Replayed) -> None:
    window = Window(FIRST, FIRST + DAY)
    with transaction(replayed.url) as connection:
        venues = rows.read(connection, VOLUME_PROFILE_VENUE, {"base": "BTC"}, window).set_index("market")
        (stored,) = rows.read(connection, VOLUME_PROFILE, {"base": "BTC"}, window).to_dict("records")
        volumes = {market: in_dollars(connection, market, window)["volume"].sum() for market in BTC}
    assert set(venues.index) == set(BTC)
    for market, volume in volumes.items():
        assert math.isclose(venues["volume"][market], volume, rel_tol=1e-12)
    assert math.isclose(venues["volume"].sum(), stored["total_volume"], rel_tol=1e-12)
    sold = venues["volume"] - venues["bought"]
    assert math.isclose((venues["bought"] - sold).sum(), stored["delta"], rel_tol=1e-9)


def test_composites_go_from_their_start_to_the_end_of_the_day(replayed: Replayed) -> None:
    with transaction(replayed.url) as connection:
        table = rows.read(connection, COMPOSITE_LEVEL, {"base": "BTC"})
        whole = value_area(direct(connection, Window(START, END)))
        hours = value_area(direct(connection, Window(FIRST + 21 * HOUR, FIRST + 23 * HOUR)))
    second = table[table["day"] == pd.Timestamp(DAYS[1].date())].set_index("span")
    assert second.loc["week", "start_time"] == pd.Timestamp("2025-03-03", tz="UTC")
    for span in ("week", "month", "year"):
        assert second.loc[[span], ["poc", "vah", "val"]].to_numpy().tolist() == [
            [whole.poc, whole.vah, whole.val]
        ]
        assert second.loc[span, "hours"] == (END - START) // HOUR
    first = table[table["day"] == pd.Timestamp(FIRST.date())].set_index("span")
    assert first.loc[["OTHERS"], ["poc", "vah", "val"]].to_numpy().tolist() == [
        [hours.poc, hours.vah, hours.val]
    ]
    assert "EU" not in first.index, "a session without volume has no levels"


def test_the_second_day_says_what_became_of_the_firsts_point_of_control(replayed: Replayed) -> None:
    with transaction(replayed.url) as connection:
        naked = rows.read(connection, NAKED_POC, {"base": "BTC"})
        (first, _) = rows.read(connection, VOLUME_PROFILE, {"base": "BTC"})["poc"].tolist()
        frame = in_dollars(connection, "binance BTC/USDT", Window(FIRST + DAY, END))
    assert naked["day"].tolist() == [pd.Timestamp(DAYS[1].date())]
    assert naked["poc"].tolist() == [first]
    met = frame[(frame["low"] < first + 10) & (frame["high"] >= first)]["open_time"]
    expected = met.iloc[0] if len(met) else pd.NaT
    touched = naked["touched"].iloc[0]
    assert touched == expected or (touched is pd.NaT and expected is pd.NaT)
    until = met.iloc[0] if len(met) else pd.Timestamp(END)
    assert naked["age_days"].iloc[0] == (until - pd.Timestamp(FIRST + DAY)) / pd.Timedelta(days=1)


def test_each_day_links_to_its_page_picture_and_data(
    replayed: Replayed, made: ExecuteInProcessResult
) -> None:
    for day in DAYS:
        label = f"{day:%Y-%m-%d}"
        metadata = materialization(made, day).metadata
        for entry, partition in (("download", label), ("svg", f"{label}.svg"), ("json", f"{label}.json")):
            assert metadata[entry].value == replayed.settings.artifact_url("volume_profile/btc", partition)
        with transaction(replayed.url) as connection:
            artifact = artifacts.find(connection, "volume_profile/btc", label)
            page, picture, data = (
                artifacts.content(connection, "volume_profile/btc", label + ending)
                for ending in ("", ".svg", ".json")
            )
            (stored,) = rows.read(
                connection, VOLUME_PROFILE, {"base": "BTC"}, Window(day, day + DAY)
            ).to_dict("records")
        assert artifact is not None
        assert page is not None
        assert picture is not None
        assert data is not None
        assert metadata["sha256"].value == artifact.sha256
        assert artifact.run_id == made.run_id
        assert metadata["poc"].value == stored["poc"]
        assert f"BTC volume profile, {label}".encode() in page
        assert b"RECORDED DATA" in page
        assert b"RECORDED DATA" in picture
        assert b"<!--vp:include" not in page
        assert picture.startswith(b"<svg")
        said = json.loads(data)
        assert (said["poc"], said["vah"], said["val"]) == (stored["poc"], stored["vah"], stored["val"])
        assert math.isclose(sum(row["volume"] for row in said["rows"]), stored["total_volume"], rel_tol=1e-9)
        assert math.isclose(
            sum(sum(venue["rows"]["volume"]) for venue in said["venues"]),
            stored["total_volume"],
            rel_tol=1e-9,
        )
        assert {"poc", "vah", "val", "total_volume", "row_size", "rows", "nodes"} <= said.keys()
        assert set(said["nodes"]) == {"high", "low", "document"}
        poc = said["levels"]["POC"]
        assert (poc is None) == (day != FIRST)
        assert poc is None or poc["interval"] == [stored["poc_low"], stored["poc_high"]]


def test_the_preview_is_an_image_short_enough_to_be_shown(made: ExecuteInProcessResult) -> None:
    preview = str(materialization(made, FIRST).metadata["preview"].value)
    assert len(preview) < 1_000
    encoded = re.fullmatch(r"!\[profile\]\(data:image/svg\+xml;base64,([A-Za-z0-9+/=]+)\)", preview)
    assert encoded is not None
    assert b64decode(encoded[1]).startswith(b"<svg")


def test_a_changed_hour_makes_its_day_again_when_another_day_runs(replayed: Replayed) -> None:
    first = Window(FIRST, FIRST + DAY)
    with transaction(replayed.url) as connection:
        market = number(connection, "kraken BTC/USD")
        kept = candles.read(connection, [market], Window(START, START + MINUTE * 30)).iloc[[3]]
        hour = floor(kept["open_time"].iloc[0].to_pydatetime(), HOUR)
        changed = kept.drop(columns=["market_id", "provisional"])
        # Turnover too: a market whose volume does not fit it is left out.
        volumes = ["volume", "quote_volume", "taker_buy_volume"]
        candles.store(connection, {market: changed.assign(**changed[volumes] * 50)})
        stale.mark(connection, stale.AGGREGATE, "BTC", [hour])
        (before,) = rows.read(connection, VOLUME_PROFILE, {"base": "BTC"}, first)["total_volume"]
    replayed.run(
        "tick", END - HOUR, only=[AssetKey(["aggregate", "btc"]), AssetKey(["profile_hours", "btc"])]
    )
    with transaction(replayed.url) as connection:
        assert stale.pending(connection, stale.PROFILE_HOURS, "BTC") == []
        assert hour in stale.pending(connection, stale.VOLUME_PROFILE, "BTC")
    result = replayed.run("volume_profiles", FIRST + DAY, only=[KEY])
    with transaction(replayed.url) as connection:
        (after,) = rows.read(connection, VOLUME_PROFILE, {"base": "BTC"}, first)["total_volume"]
        total = profiles.total(connection, "BTC", first).rows.total
        assert stale.pending(connection, stale.VOLUME_PROFILE, "BTC") == []
    added = 49 * float(kept["volume"].iloc[0])
    assert added > 0
    assert after == pytest.approx(before + added, rel=1e-12)
    assert total == pytest.approx(after, rel=1e-12)
    assert materialization(result, FIRST).metadata["volume"].value == after


def test_a_day_that_the_lead_did_not_trade_in_has_a_profile(replayed: Replayed) -> None:
    second = Window(FIRST + DAY, FIRST + 2 * DAY)
    with transaction(replayed.url) as connection:
        lead = number(connection, "binance BTC/USDT")
        connection.execute(
            "DELETE FROM candle WHERE market_id = %s AND open_time >= %s", [lead, second.start]
        )
        connection.execute(
            "UPDATE aggregate SET open = NULL, high = NULL, low = NULL, close = NULL, price_market = NULL"
            " WHERE base = 'BTC' AND open_time >= %s",
            [second.start],
        )
        connection.execute("DELETE FROM profile WHERE start_time >= %s", [second.start])
    replayed.run("volume_profiles", FIRST + DAY, only=[KEY])
    with transaction(replayed.url) as connection:
        expected = value_area(direct(connection, second))
        (stored,) = rows.read(connection, VOLUME_PROFILE, {"base": "BTC"}, second).to_dict("records")
        nodes = rows.read(connection, VOLUME_PROFILE_NODE, {"base": "BTC"}, second)
    assert (stored["poc"], stored["vah"], stored["val"]) == (expected.poc, expected.vah, expected.val)
    assert math.isnan(stored["kde_bandwidth"])
    assert set(nodes["kind"]) <= {"high", "low"}
