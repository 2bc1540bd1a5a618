"""`vp status` on a real database: figures, label, and what it says where there is nothing."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from vp_pipeline.catalog import load_catalog
from vp_pipeline.operations.status import market_statuses
from vp_pipeline.storage import candles, ledger
from vp_pipeline.storage.connection import transaction
from vp_pipeline.storage.ledger import Finding
from vp_pipeline.windows import DAY, MINUTE, Window
from vp_pipeline_tests.operations.conftest import Installed
from vp_pipeline_tests.operations.installation import END, START, candles_of, document, vp


def test_the_figures_of_each_market(installed: Installed) -> None:
    found = document(vp("status", "--json", url=installed.url, markets=installed.markets))
    assert (found["source"], found["label"]) == ("sandbox", "SIMULATED DATA")
    assert list(found["markets"]) == [
        "binance BTC/USDT", "kraken BTC/USD", "okx BTC/USDT", "ftx BTC/USD", "gate BTC/USD",
    ]  # fmt: skip
    binance = found["markets"]["binance BTC/USDT"]
    assert binance["state"] == "live"
    assert binance["last_closed_minute"] == (END - MINUTE).isoformat()
    lag = (datetime.now(UTC) - END).total_seconds()
    assert lag - 60 <= binance["lag_seconds"] <= lag + 1
    every = Window(START, END).count(MINUTE)
    assert binance["coverage"]["all"] == pytest.approx((every - 20) / every)
    assert binance["coverage"]["30d"] == binance["coverage"]["all"]
    assert binance["coverage"]["24h"] == 1.0
    assert (binance["unknown_minutes"], binance["unfetchable_minutes"]) == (20, 0)
    assert binance["last_trouble"]["reason"] == "binance did not answer (HTTP 503)"
    kraken = found["markets"]["kraken BTC/USD"]
    assert (kraken["unknown_minutes"], kraken["unfetchable_minutes"]) == (0, 60)
    assert kraken["coverage"] == {"24h": 0.5, "30d": 0.5, "all": 0.5}
    assert found["markets"]["ftx BTC/USD"]["state"] == "retired"
    assert found["markets"]["gate BTC/USD"]["state"] == "not in the markets file"
    assert found["markets"]["okx BTC/USDT"]["coverage"] == {"24h": None, "30d": None, "all": None}


def test_the_table_for_people(installed: Installed) -> None:
    result = vp("status", url=installed.url, markets=installed.markets)
    assert result.exit_code == 0, result.output
    assert result.output.splitlines()[0].strip() == "SIMULATED DATA"
    rows = {line.split("  ")[0]: line.split() for line in result.output.splitlines() if line}
    share = f"{int((1 - 20 / Window(START, END).count(MINUTE)) * 10_000) / 100:.2f}"
    assert rows["binance BTC/USDT"][-6:-3] == ["100.00", share, share]
    assert rows["binance BTC/USDT"][-3:] == ["20", "0", "0"]
    assert rows["okx BTC/USDT"][2:] == ["never", "0", "0", "0"]
    assert "ftx BTC/USD (retired)" in rows
    assert "binance did not answer (HTTP 503)" in result.output


@pytest.mark.parametrize("columns", ["40", "300"])
def test_a_market_is_a_line_whatever_the_width(installed: Installed, columns: str) -> None:
    result = vp("status", url=installed.url, markets=installed.markets, COLUMNS=columns)
    (line,) = [line for line in result.output.splitlines() if line.startswith("kraken BTC/USD  ")]
    assert line.split()[-6:] == ["50.00", "50.00", "50.00", "0", "60", "0"]


def test_after_an_outage_of_the_platform_the_minutes_nobody_asked_for_are_unknown(
    installed: Installed,
) -> None:
    with transaction(installed.url) as connection:
        catalog = load_catalog(installed.markets)
        soon = market_statuses(connection, catalog, END + 25 * MINUTE)[0]
        late = market_statuses(connection, catalog, END + 600 * MINUTE)[0]
    assert soon.unknown == 20
    assert late.unknown == 620
    assert late.lag == 600 * MINUTE
    assert late.coverage["24h"] == pytest.approx(840 / 1440)


def test_an_open_candle_is_no_closed_minute(installed: Installed) -> None:
    with transaction(installed.url) as connection:
        open_one = candles_of(Window(END, END + MINUTE)).assign(provisional=True)
        candles.store(connection, {installed.numbers["binance"]: open_one})
    found = document(vp("status", "--json", url=installed.url, markets=installed.markets))
    assert found["markets"]["binance BTC/USDT"]["last_closed_minute"] == (END - MINUTE).isoformat()


def test_no_installation_is_said_with_what_to_do(tmp_path: Path) -> None:
    result = vp("status", url="", markets=tmp_path / "none.toml", VP_HOME=str(tmp_path))
    assert result.exit_code == 1
    assert "none.toml: cannot be read" in result.output


def test_a_database_that_cannot_be_reached_is_no_traceback(installed: Installed) -> None:
    result = vp("status", url="postgresql://127.0.0.1:1/vp", markets=installed.markets)
    assert result.exit_code == 1
    assert result.output.startswith("Error: the database cannot be used: ")


def test_what_lies_between_history_and_the_live_hours_is_no_gap(installed: Installed) -> None:
    catalog = load_catalog(installed.markets)
    month = Window(START - 60 * DAY, START - 30 * DAY)
    with transaction(installed.url) as connection:
        before = market_statuses(connection, catalog, END)[0]
        ledger.record(connection, [Finding(installed.numbers["binance"], month, "answered")])
        after = market_statuses(connection, catalog, END)[0]
        connection.rollback()
    assert (before.not_asked, after.not_asked) == (0, 30 * 1440)
    assert after.unknown == before.unknown
