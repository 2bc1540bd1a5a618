"""From the wire to candles, coverage and aggregate."""

from datetime import datetime, timedelta

import pandas as pd
import pytest
from dagster import AssetKey

from vp_pipeline.storage import rows
from vp_pipeline.storage.connection import transaction
from vp_pipeline.storage.tables import AGGREGATE, COVERAGE, MARKET_CANDLE
from vp_pipeline.windows import HOUR, Window
from vp_pipeline_tests.assets.conftest import Replayed
from vp_pipeline_tests.assets.recordings import END, SPOT, START

MINUTES = 300


def recorded(replayed: Replayed, market: str) -> pd.DataFrame:
    """A market's file, as stored candles should read."""
    exchange, symbol = market.split()
    name = f"{exchange.removesuffix('exchange')}_{symbol.replace('/', '-')}.csv.gz"
    frame = pd.read_csv(replayed.recording / "minute_test" / name)
    frame["open_time"] = pd.to_datetime(frame["open_time_ms"], unit="ms", utc=True).astype(
        "datetime64[us, UTC]"
    )
    return frame[["open_time", "open", "high", "low", "close", "volume"]]


def stored(replayed: Replayed, market: str) -> pd.DataFrame:
    exchange, symbol = market.split()
    with transaction(replayed.url) as connection:
        frame = rows.read(connection, MARKET_CANDLE, {"exchange": exchange, "symbol": symbol})
    return frame.drop(columns=["exchange", "symbol", "quote_volume", "taker_buy_volume"])


@pytest.fixture(scope="module", autouse=True)
def _materialized(replayed: Replayed) -> None:
    assert replayed.all_minutes().success


@pytest.mark.parametrize("market", SPOT)
def test_stored_candles_are_the_recorded_ones(replayed: Replayed, market: str) -> None:
    pd.testing.assert_frame_equal(stored(replayed, market), recorded(replayed, market))


def test_aggregate_equals_an_independent_sum(replayed: Replayed) -> None:
    files = {market: recorded(replayed, market).set_index("open_time") for market in SPOT if "BTC/" in market}
    volumes = pd.concat({market: frame["volume"] for market, frame in files.items()}, axis=1)
    assert volumes.isna().any().any(), "the recording should leave out minutes, or this shows little"
    with transaction(replayed.url) as connection:
        aggregate = rows.read(connection, AGGREGATE, {"base": "BTC"}).set_index("open_time")
    assert len(aggregate) == MINUTES
    pd.testing.assert_series_equal(
        aggregate["volume"], volumes.sum(axis=1), rtol=1e-12, check_names=False, check_freq=False
    )
    pd.testing.assert_frame_equal(
        aggregate[["open", "high", "low", "close"]],
        files["binance BTC/USDT"][["open", "high", "low", "close"]],
        check_freq=False,
    )
    absent = volumes.isna().apply(lambda row: ", ".join(sorted(row.index[row])), axis=1)
    assert (
        aggregate["missing"]
        .map(lambda names: ", ".join(sorted(filter(None, names.split(", ")))))
        .equals(absent)
    )
    assert (aggregate["markets"] == volumes.notna().sum(axis=1)).all()


def test_the_ledger_accounts_for_every_minute(replayed: Replayed) -> None:
    with transaction(replayed.url) as connection:
        coverage = rows.read(connection, COVERAGE, {})
    minutes = coverage.groupby("state")["minutes"].sum()
    assert minutes.sum() == MINUTES * len(SPOT)
    assert minutes["got"] == sum(len(recorded(replayed, market)) for market in SPOT)
    assert set(minutes.index) == {"got", "exchange-empty"}
    assert set(coverage["reason"]) == {"", "the exchange has no candle"}


def test_the_ledger_alone_counts_what_all_markets_miss(replayed: Replayed) -> None:
    result = replayed.run("tick", START, only=[AssetKey("coverage")])
    (event,) = (e for e in result.all_events if e.is_step_materialization)
    first = Window(START, START + HOUR)
    present = sum(
        ((frame["open_time"] >= first.start) & (frame["open_time"] < first.end)).sum()
        for frame in (recorded(replayed, market) for market in SPOT)
    )
    missing = event.materialization.metadata["minutes_empty"].value
    assert missing == 60 * len(SPOT) - present > 0


def test_materializing_again_changes_no_byte(replayed: Replayed) -> None:
    before = replayed.dump()
    assert before["candle"].count(b"\n") > MINUTES
    replayed.all_minutes()
    assert replayed.dump() == before
    replayed.run("tick", START + HOUR)
    replayed.run("tick", START + 2 * HOUR, only=[AssetKey(["candles", "kraken", "btc_usd"])])
    replayed.run("tick", START + 3 * HOUR, only=[AssetKey(["aggregate", "btc"])])
    assert replayed.dump() == before


def test_a_market_that_is_down_stops_no_other(replayed: Replayed) -> None:
    before = replayed.dump("coverage")
    replayed.faults({"exchange": "kraken", "kind": "status", "status": 451})
    try:
        result = replayed.run("tick", START)
    finally:
        replayed.faults()
    made = {event.asset_key for event in result.all_events if event.is_step_materialization}
    assert AssetKey(["candles", "kraken", "btc_usd"]) not in made
    assert {AssetKey(["candles", "binance", "btc_usdt"]), AssetKey(["aggregate", "btc"])} <= made
    assert replayed.dump("coverage") == before, "what was stored of a market that is down stays"


def test_an_hour_never_had_says_why(replayed: Replayed) -> None:
    before = replayed.dump()
    forget(replayed, START, START + HOUR)
    replayed.faults({"exchange": "kraken", "kind": "status", "status": 451})
    try:
        replayed.run("tick", START)
    finally:
        replayed.faults()
    with transaction(replayed.url) as connection:
        refused = connection.execute(
            "SELECT state, minutes, reason FROM coverage WHERE exchange = 'kraken' AND state <> 'got'"
            " AND start_time = %s",
            [START],
        ).fetchall()
        aggregate = rows.read(connection, AGGREGATE, {"base": "BTC"})
    assert [row[:2] for row in refused] == [("unknown", 60)]
    assert "refuses this address" in refused[0][2]
    first = aggregate[aggregate["open_time"] < pd.Timestamp(START + HOUR)]
    assert first["missing"].str.contains("kraken BTC/USD").all()
    replayed.all_minutes()
    assert replayed.dump() == before, "what was unknown is healed, and the aggregate with it"


def test_all_markets_down_fails_and_leaves_what_is_stored(replayed: Replayed) -> None:
    before = replayed.dump()
    exchanges = {market.split()[0] for market in SPOT}
    down: list[dict[str, object]] = [{"exchange": e, "kind": "status", "status": 451} for e in exchanges]
    replayed.faults(*down)
    try:
        result = replayed.run("tick", START, must_succeed=False)
    finally:
        replayed.faults()
    assert not result.success
    failure = result.failure_data_for_node("candles")
    assert failure is not None
    assert failure.user_failure_data is not None
    assert "No market could be fetched" in str(failure.user_failure_data.description)
    assert replayed.dump() == before


def test_hours_an_exchange_no_longer_serves_stay_as_they_were(replayed: Replayed) -> None:
    before = replayed.dump()
    replayed.clock(END + timedelta(days=2))  # Kraken serves the last 720 minutes, and now none of these
    kraken = AssetKey(["candles", "kraken", "btc_usd"])
    result = replayed.at_our_own_time().run("tick", START, only=[kraken, AssetKey("coverage")])
    assert result.success
    assert replayed.dump() == before


def test_the_open_minute_is_provisional_and_never_counted(replayed: Replayed) -> None:
    replayed.clock(START + timedelta(minutes=30, seconds=30))
    forget(replayed, START, END)
    replayed.at_our_own_time().run("tick", START)
    last = stored(replayed, "binance BTC/USDT")["open_time"].max()
    # Minute 29 closed half a minute ago: younger than the grace.
    assert last == pd.Timestamp(START + timedelta(minutes=28))
    with transaction(replayed.url) as connection:
        provisional = connection.execute(
            "SELECT DISTINCT open_time FROM candle WHERE provisional ORDER BY 1"
        ).fetchall()
        known = connection.execute("SELECT max(end_time) FROM coverage").fetchone()
        final = connection.execute("SELECT max(open_time) FROM aggregate").fetchone()
    assert provisional == [(START + timedelta(minutes=29),)]
    assert known == (START + timedelta(minutes=29),)
    assert final == (START + timedelta(minutes=28),)
    replayed.all_minutes()


def forget(replayed: Replayed, start: datetime, end: datetime) -> None:
    """Delete a time from candles and ledger, as if it had never been asked for."""
    with transaction(replayed.url) as connection:
        connection.execute("DELETE FROM candle WHERE open_time >= %s AND open_time < %s", [start, end])
        connection.execute("DELETE FROM aggregate WHERE open_time >= %s AND open_time < %s", [start, end])
        connection.execute("DELETE FROM coverage_run WHERE end_time <= %s", [end])
        connection.execute("UPDATE coverage_run SET start_time = %s WHERE start_time < %s", [end, end])
