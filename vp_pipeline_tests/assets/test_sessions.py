"""Session tables as of each day: rows, windows, documents, links and the comparison."""

import math
from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from dagster import AssetKey, AssetMaterialization, ExecuteInProcessResult

from vp_pipeline.analytics.bar_returns import returns_pct
from vp_pipeline.analytics.session_report import session_report
from vp_pipeline.assets.session_healing import figures_until
from vp_pipeline.assets.sessions_run import SPANS
from vp_pipeline.storage import artifacts, rows
from vp_pipeline.storage.connection import transaction
from vp_pipeline.storage.tables import KLINE, SESSION_VOLATILITY
from vp_pipeline.windows import DAY, HOUR, Window, floor
from vp_pipeline_tests.assets.conftest import Replayed
from vp_pipeline_tests.assets.recordings import START

FIRST = floor(START, DAY)
ETH = AssetKey(["session_volatility", "ethusdt"])
COMPARISON = AssetKey(["session_comparison", "15m"])


@pytest.fixture(scope="module", autouse=True)
def run(replayed: Replayed) -> ExecuteInProcessResult:
    replayed.run("klines_15m_job", START, START + 2 * DAY - HOUR)
    return replayed.run("sessions", FIRST, FIRST + 2 * DAY)


def recorded(replayed: Replayed, symbol: str, end: pd.Timestamp) -> pd.DataFrame:
    """The recording's bars that open before `end`."""
    file = pd.read_csv(replayed.recording / "usdm_15m" / f"{symbol}.csv")
    file["open_time"] = pd.to_datetime(file["open_time_ms"], unit="ms", utc=True)
    return file[file["open_time"] < end]


def tables(replayed: Replayed, symbol: str, day: datetime) -> pd.DataFrame:
    with transaction(replayed.url) as connection:
        scope = {"symbol": symbol, "interval": "15m"}
        return rows.read(connection, SESSION_VOLATILITY, scope, Window(day, day + DAY))


def materialization(result: ExecuteInProcessResult, key: AssetKey, partition: str) -> AssetMaterialization:
    (found,) = (
        event.materialization
        for event in result.all_events
        if event.is_step_materialization
        and event.asset_key == key
        and event.materialization.partition == partition
    )
    return found


@pytest.mark.parametrize("place", [0, 1, 2])
def test_each_day_has_the_table_of_the_bars_until_its_end(replayed: Replayed, place: int) -> None:
    day = FIRST + place * DAY
    file = recorded(replayed, "ETHUSDT", pd.Timestamp(day + DAY))
    change = file["close"].pct_change() * 100
    change.iloc[0] = (file["close"].iloc[0] / file["open"].iloc[0] - 1) * 100
    table = tables(replayed, "ETHUSDT", day)
    assert set(table["span"]) == set(SPANS)
    assert len(table) == 62 * len(SPANS)
    # Two days of history are shorter than any span.
    rows_of_all = table[(table["grouping"] == "all") & (table["span"] == "30d")]
    volatility = rows_of_all.set_index("horizon")["volatility_pct"].to_dict()
    assert math.isclose(volatility["bar"], change.std(), rel_tol=1e-9)
    assert math.isclose(volatility["1d"], change.std() * math.sqrt(96), rel_tol=1e-9)
    assert set(rows_of_all["returns"]) == {len(file)}


def test_each_day_links_to_its_own_document(replayed: Replayed, run: ExecuteInProcessResult) -> None:
    labels = [f"{FIRST + place * DAY:%Y-%m-%d}" for place in range(3)]
    found = []
    for label in labels:
        metadata = materialization(run, ETH, label).metadata
        assert metadata["download"].value == replayed.settings.artifact_url(
            "session_volatility/ethusdt", label
        )
        assert metadata["daily volatility all, %"].value
        assert "| EUNA" in str(metadata["preview"].value)
        with transaction(replayed.url) as connection:
            content = artifacts.content(connection, "session_volatility/ethusdt", label)
        assert content is not None
        assert f"ETHUSDT by weekday and session, as of {label}".encode() in content
        assert b"RECORDED DATA" in content
        found.append(content)
    assert len(set(found)) == 3


def test_the_comparison_is_of_common_bars(replayed: Replayed, run: ExecuteInProcessResult) -> None:
    metadata = materialization(run, COMPARISON, f"{FIRST + DAY:%Y-%m-%d}").metadata
    common = set(recorded(replayed, "BTCUSDT", pd.Timestamp(FIRST + 2 * DAY))["open_time"])
    common &= set(recorded(replayed, "ETHUSDT", pd.Timestamp(FIRST + 2 * DAY))["open_time"])
    assert metadata["common_bars"].value == len(common)
    assert metadata["symbols"].value == 2
    assert "BTCUSDT" in str(metadata["preview"].value)


def test_the_same_day_again_changes_nothing(replayed: Replayed) -> None:
    before = replayed.dump()
    replayed.run("sessions", FIRST + DAY)
    assert replayed.dump() == before


def test_days_whose_bars_came_late_are_made_again(replayed: Replayed) -> None:
    """As after an outage: the tables of the first two days were made without three hours of the first."""
    whole = {place: tables(replayed, "ETHUSDT", FIRST + place * DAY) for place in range(3)}
    live = replayed.at_our_own_time()
    live.clock(FIRST + 2 * DAY + HOUR)
    scope = {"symbol": "ETHUSDT", "interval": "15m"}
    outage = Window(START + 3 * HOUR, START + 6 * HOUR)
    with transaction(replayed.url) as connection:
        missed = rows.read(connection, KLINE, scope, outage)
        connection.execute(
            "DELETE FROM kline WHERE symbol = 'ETHUSDT' AND open_time >= %s AND open_time < %s",
            [outage.start, outage.end],
        )
    live.run("sessions", FIRST, FIRST + DAY)
    with transaction(replayed.url) as connection:
        rows.replace(connection, KLINE, missed, scope, outage)
    assert not tables(replayed, "ETHUSDT", FIRST).equals(whole[0])

    late = live.run("sessions", FIRST + DAY)
    made = [
        (event.asset_key, event.materialization.partition)
        for event in late.get_asset_materialization_events()
    ]
    labels = [f"{FIRST + place * DAY:%Y-%m-%d}" for place in range(2)]
    btc = AssetKey(["session_volatility", "btcusdt"])
    assert sorted(made) == sorted(
        [(ETH, labels[0]), (COMPARISON, labels[0]), *((key, labels[1]) for key in (btc, ETH, COMPARISON))]
    )
    for place, table in whole.items():
        pd.testing.assert_frame_equal(tables(replayed, "ETHUSDT", FIRST + place * DAY), table)
    assert len(live.run("sessions", FIRST + DAY).get_asset_materialization_events()) == 3


@pytest.mark.parametrize("column", ["close", "volume"])
def test_days_of_which_a_bar_was_revised_are_made_again(replayed: Replayed, column: str) -> None:
    replayed.run("sessions", FIRST, FIRST + DAY)
    live = replayed.at_our_own_time()
    live.clock(FIRST + 2 * DAY + HOUR)
    bar = "symbol = 'ETHUSDT' AND interval = '15m' AND open_time = %s"
    with transaction(replayed.url) as connection:
        [kept] = connection.execute(f"SELECT {column} FROM kline WHERE {bar}", [START + HOUR]).fetchall()
        connection.execute(f"UPDATE kline SET {column} = {column} * 1.001 WHERE {bar}", [START + HOUR])
    before = tables(replayed, "ETHUSDT", FIRST)
    made = live.run("sessions", FIRST + DAY).get_asset_materialization_events()
    labels = {(event.asset_key, event.materialization.partition) for event in made}
    assert (ETH, f"{FIRST:%Y-%m-%d}") in labels
    assert not tables(replayed, "ETHUSDT", FIRST).equals(before)
    assert len(live.run("sessions", FIRST + DAY).get_asset_materialization_events()) == 3
    with transaction(replayed.url) as connection:
        connection.execute(f"UPDATE kline SET {column} = %s WHERE {bar}", [*kept, START + HOUR])
    replayed.run("sessions", FIRST, FIRST + DAY)


def test_a_run_of_the_past_makes_its_own_day_alone(replayed: Replayed) -> None:
    live = replayed.at_our_own_time()
    live.clock(FIRST + 4 * DAY)
    with transaction(replayed.url) as connection:
        connection.execute("UPDATE session_volatility SET bars = bars + 1 WHERE day = %s", [FIRST.date()])
    made = live.run("sessions", FIRST + DAY).get_asset_materialization_events()
    assert {event.materialization.partition for event in made} == {f"{FIRST + DAY:%Y-%m-%d}"}
    replayed.run("sessions", FIRST)


def test_spans_hold_their_days_only(replayed: Replayed) -> None:
    """Forty days of made-up bars before the recording: the last 30 are less than all."""
    with transaction(replayed.url) as connection:
        kept = rows.read(connection, KLINE, {"symbol": "BTCUSDT", "interval": "15m"})
        count = 40 * 96
        times = pd.date_range(FIRST - 40 * DAY, periods=count, freq="15min")
        older = kept.iloc[[0]].loc[lambda frame: frame.index.repeat(count)].reset_index(drop=True)
        older = older.assign(open_time=times.as_unit("us"), volume=1.0)
        older["close"] = older["open"] * [1 + 0.001 * (place % 3) for place in range(count)]
        window = Window(FIRST - 40 * DAY, FIRST)
        rows.replace(connection, KLINE, older, {"symbol": "BTCUSDT", "interval": "15m"}, window)
    replayed.run("sessions", FIRST + DAY, only=[AssetKey(["session_volatility", "btcusdt"])])
    table = tables(replayed, "BTCUSDT", FIRST + DAY)
    bars = table[(table["grouping"] == "all") & (table["horizon"] == "bar")].set_index("span")["bars"]
    of_recording = int((kept["open_time"] < pd.Timestamp(FIRST + 2 * DAY)).sum())
    assert bars.to_dict() == {
        "30d": 28 * 96 + of_recording,
        "90d": count + of_recording,
        "1y": count + of_recording,
        "all": count + of_recording,
    }
    assert SPANS["30d"] == timedelta(days=30)


def test_a_day_before_all_bars_fails_and_says_what_to_do(replayed: Replayed) -> None:
    with transaction(replayed.url) as connection:
        connection.execute("DELETE FROM kline")
    result = replayed.run("sessions", FIRST, must_succeed=False)
    assert not result.success
    failure = result.failure_data_for_node("session_volatility")
    assert failure is not None
    assert failure.user_failure_data is not None
    assert "materialize klines/* first" in str(failure.user_failure_data.description)


def test_a_table_says_of_all_bars_what_the_search_for_other_bars_does() -> None:
    """By which days are found whose bars are others: else they would be made again every day."""
    count = 480
    closes = 100 * (1 + 0.001 * (np.arange(count) % 7))
    closes[200] *= 1.5
    bars = pd.DataFrame(
        {
            "open_time": pd.date_range("2025-01-01", periods=count, freq="15min", tz="UTC"),
            "open": np.r_[100.0, closes[:-1]],
            "close": closes,
            "volume": np.where(np.arange(count) % 50, 1.0, 0.0),
            "trades": 1.0,
            "taker_buy_volume": 0.0,
        }
    ).drop(index=range(300, 320))
    returns = returns_pct(bars.reset_index(drop=True), pd.Timedelta(minutes=15))
    assert returns.outlier.sum() == 1
    for count, figures in zip((460, 1, 96), figures_until(returns, [460, 1, 96]), strict=True):
        until = returns.between(returns.open_time[0], returns.open_time[count - 1] + returns.bar)
        table = session_report(until).rows
        row = table[(table["grouping"] == "all") & (table["horizon"] == "bar")].iloc[0]
        told = row[["bars", "volatility_pct", "mean_volume"]].to_numpy(dtype=float)
        np.testing.assert_allclose(figures, told, rtol=1e-12)
    assert figures_until(returns, [460])[0, 0] == 459
