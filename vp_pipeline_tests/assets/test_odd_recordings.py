"""A recording with everything in it that is wrong in the world: outage, doubled feed, dead market, holes."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest
from dagster import AssetKey

from vp_pipeline.storage import candles, ledger, rows
from vp_pipeline.storage.connection import transaction
from vp_pipeline.storage.markets import market_ids
from vp_pipeline.storage.tables import AGGREGATE, VENUE_VERDICT
from vp_pipeline.windows import HOUR, MINUTE, Window
from vp_pipeline_tests.assets import recordings
from vp_pipeline_tests.assets.conftest import Replayed, replaying
from vp_pipeline_tests.assets.recordings import END, START

TRUE, DOUBLE, DEAD, OUT, HOLED = (
    ("binance", "BTC/USDT"),
    ("bybit", "BTC/USDT"),
    ("htx", "BTC/USDC"),
    ("okx", "BTC/USDT"),
    ("cryptocom", "BTC/USD"),
)
LATE = ("bitstamp", "BTC/USD")
OUTAGE = (START + HOUR, START + 4 * HOUR)
BTC = AssetKey(["aggregate", "btc"])


@pytest.fixture(scope="module")
def odd(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replayed]:
    folder = recordings.write(tmp_path_factory.mktemp("recording"))
    minutes = folder / "minute_test"
    true = pd.read_csv(minutes / "binance_BTC-USDT.csv.gz")
    price = float(true["close"].iloc[0])
    rng = np.random.default_rng(1)
    time = pd.to_datetime(true["open_time_ms"], unit="ms", utc=True)
    still = {"open": price, "high": price, "low": price, "close": price, "volume": 0.0}

    def other() -> pd.DataFrame:
        own = true[["open_time_ms", "open", "high", "low", "close", "volume"]]
        return own.assign(volume=own["volume"] * rng.uniform(0.2, 0.4, len(own)))

    written = {
        DOUBLE: true,
        DEAD: other().assign(**still),
        OUT: other()[(time < OUTAGE[0]) | (time >= OUTAGE[1])],
        HOLED: other()[np.arange(len(true)) % 31 != 30],
        LATE: other()[time >= START + 3 * HOUR],
    }
    for (exchange, symbol), frame in written.items():
        frame.to_csv(minutes / f"{exchange}_{symbol.replace('/', '-')}.csv", index=False)
    with replaying(folder, database_url, tmp_path_factory.mktemp("home")) as platform:
        yield platform


@pytest.fixture(scope="module")
def checks(odd: Replayed) -> dict[str, str]:
    """Findings of the aggregate's checks that failed, after every hour was materialized by itself."""
    for hour in range(5):
        result = odd.run("tick", START + hour * HOUR)
    return {
        evaluation.check_name: str(evaluation.metadata["findings"].value)
        for evaluation in result.get_asset_check_evaluations()
        if not evaluation.passed and evaluation.asset_key in (BTC, AssetKey("coverage"))
    }


@pytest.mark.usefixtures("checks")
def test_the_ledger_is_right_about_every_minute(odd: Replayed) -> None:
    for market in (TRUE, DOUBLE, DEAD, OUT, HOLED, LATE):
        with transaction(odd.url) as connection:
            number = market_ids(connection, [market])[market]
            stored = candles.read(connection, [number], Window(START, END))
            runs = ledger.runs(connection, [number])[number]
        got = [run for run in runs if run.state == "got"]
        assert sum((run.end - run.start) // MINUTE for run in got) == len(stored)
        assert {run.state for run in runs} <= {"got", "exchange-empty"}, market
        assert (runs[0].start, runs[-1].end) == (START, END)
    with transaction(odd.url) as connection:
        number = market_ids(connection, [OUT])[OUT]
        (empty,) = (r for r in ledger.runs(connection, [number])[number] if r.state == "exchange-empty")
    assert (empty.start, empty.end) == OUTAGE


def test_each_oddity_is_named_by_a_check(checks: dict[str, str]) -> None:
    assert "bybit BTC/USDT" in checks["duplicate_feeds"]
    assert "binance BTC/USDT" in checks["duplicate_feeds"]
    assert "htx BTC/USDC" in checks["dead_markets"]
    assert "cryptocom BTC/USD: a minute is missing in every 31" in checks["regular_holes"]
    assert checks.keys() <= {"duplicate_feeds", "dead_markets", "regular_holes", "price_deviation"}


@pytest.mark.usefixtures("checks")
def test_the_sum_leaves_out_the_double_and_the_dead(odd: Replayed) -> None:
    with transaction(odd.url) as connection:
        aggregate = rows.read(connection, AGGREGATE, {"base": "BTC"})
        verdicts = rows.read(connection, VENUE_VERDICT, {"base": "BTC"})
        markets = [(e, s) for e, s in connection.execute("SELECT exchange, symbol FROM market").fetchall()]
        numbers = market_ids(connection, [m for m in markets if m[1].startswith("BTC/")])
        frame = candles.read(connection, list(numbers.values()), Window(START, END))
    out = {numbers[DOUBLE], numbers[DEAD]}
    assert set(verdicts["market_id"]) == out
    expected = frame[~frame["market_id"].isin(out)].groupby("open_time")["volume"].sum()
    # The dead market is found out when it has stood still for an hour; it adds nothing before.
    np.testing.assert_allclose(aggregate["volume"], expected, rtol=1e-12)
    last = aggregate.iloc[-1]
    assert "bybit BTC/USDT (duplicate)" in last["left_out"]
    assert "htx BTC/USDC (dead)" in last["left_out"]
    during = aggregate[aggregate["open_time"] == pd.Timestamp(OUTAGE[0])].iloc[0]
    assert "okx BTC/USDT" in during["missing"]


@pytest.mark.usefixtures("checks")
def test_one_run_over_all_hours_leaves_the_same(odd: Replayed) -> None:
    before = odd.dump()
    assert odd.all_minutes().success
    assert odd.dump() == before
