"""`vp doctor`: a line for each thing, a remedy where it fails, against the sandbox and a real database."""

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import pytest
from click.testing import Result

from vp_pipeline.operations import checkup
from vp_pipeline.sandbox.clock import Clock
from vp_pipeline.sandbox.generator import GeneratedSource
from vp_pipeline.storage.connection import transaction
from vp_pipeline_tests.assets.recordings import put, serving
from vp_pipeline_tests.operations.conftest import Installed
from vp_pipeline_tests.operations.installation import vp


@pytest.fixture(scope="module")
def sandbox() -> Iterator[str]:
    with serving(GeneratedSource(3), Clock()) as address:
        yield address


def ask(installed: Installed, tmp_path: Path, sandbox: str, **variables: str) -> Result:
    settings = {"VP_HOME": str(tmp_path), "VP_EXCHANGE_URL": sandbox, **variables}
    return vp("doctor", url=installed.url, markets=installed.markets, **settings)


def lines(result: Result) -> dict[str, str]:
    """What was said, by the name of the check."""
    parts = (line.partition(": ") for line in result.output.splitlines())
    return {name: text for name, _, text in parts}


def test_a_healthy_installation(installed: Installed, tmp_path: Path, sandbox: str) -> None:
    result = ask(installed, tmp_path, sandbox)
    assert result.exit_code == 0, result.output
    names = [line.split(": ")[0] for line in result.output.splitlines()]
    assert names == [
        f"ok    {name}"
        for name in (
            "configuration", "disk", "database", "schema", "stored pages", "candle tables", "live partitions",
            "clock", "binance", "kraken", "okx",
        )
    ]  # fmt: skip
    assert lines(result)["ok    okx"] == "answers for BTC/USDT"
    assert lines(result)["ok    stored pages"] == "none broken"


def test_exchanges_that_fail_are_told_with_what_to_do(
    installed: Installed, tmp_path: Path, sandbox: str
) -> None:
    put(sandbox, "faults", {"faults": [{"kind": "status", "exchange": "kraken", "status": 451}]})
    try:
        result = ask(installed, tmp_path, sandbox)
    finally:
        put(sandbox, "faults", {"faults": []})
    assert result.exit_code == 1
    assert result.output.splitlines()[-1] == "1 thing wrong"
    kraken = lines(result)["WRONG kraken"]
    assert kraken.startswith("BTC/USD: ")
    assert " -> " in kraken
    assert "ok    binance" in lines(result)


def test_a_market_that_an_exchange_does_not_list(installed: Installed, tmp_path: Path, sandbox: str) -> None:
    markets = tmp_path / "markets.toml"
    markets.write_text(
        installed.markets.read_text() + '\n[[markets]]\nexchange = "binance"\nsymbol = "BTC/XYZ"\n'
    )
    result = ask(installed, tmp_path, sandbox, VP_MARKETS_FILE=str(markets))
    assert result.exit_code == 1
    binance = lines(result)["WRONG binance"]
    assert binance.startswith("BTC/XYZ: the exchange does not list it")
    assert "correct the market in the markets file" in binance


def test_a_clock_that_is_wrong(installed: Installed, tmp_path: Path, sandbox: str) -> None:
    put(sandbox, "clock", {"now": (datetime.now(UTC) - timedelta(minutes=7)).isoformat()})
    try:
        result = ask(installed, tmp_path, sandbox)
    finally:
        put(sandbox, "clock", {"now": None})
    clock = lines(result)["WRONG clock"]
    assert clock.startswith(("419 s ahead of the exchanges", "420 s ahead of the exchanges"))
    assert "NTP" in clock


def test_a_mistake_in_the_markets_file(installed: Installed, tmp_path: Path, sandbox: str) -> None:
    markets = tmp_path / "markets.toml"
    markets.write_text("[instruments.BTC]\nrow_size = -1\n")
    result = ask(installed, tmp_path, sandbox, VP_MARKETS_FILE=str(markets))
    assert result.exit_code == 1
    assert f"{markets}:2: instruments.BTC.row_size" in result.output
    assert "ok    schema" in lines(result)


def test_no_database(installed: Installed, tmp_path: Path, sandbox: str) -> None:
    settings = {"VP_HOME": str(tmp_path), "VP_EXCHANGE_URL": sandbox}
    result = vp("doctor", url="postgresql://127.0.0.1:1/vp", markets=installed.markets, **settings)
    assert result.exit_code == 1
    assert "mend that first" in lines(result)["WRONG database"]
    assert "ok    binance" in lines(result)


def test_live_exchanges_are_no_part_of_simulated_data(installed: Installed, tmp_path: Path) -> None:
    result = vp("doctor", url=installed.url, markets=installed.markets, VP_HOME=str(tmp_path))
    assert result.exit_code == 0, result.output
    assert "SIMULATED DATA" in lines(result)["ok    exchanges"]


def test_an_older_schema_and_a_market_without_a_table(installed: Installed) -> None:
    with transaction(installed.url) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0001'")
        connection.execute("DROP VIEW market_candle, aggregate_venue")
        connection.execute(f"ALTER TABLE candle_{installed.numbers['kraken']} RENAME TO gone")
        found = {check.name: check for check in checkup.database(connection)}
        connection.rollback()
    assert found["schema"].found.startswith("version 0001, this program needs")
    assert found["candle tables"].found == "none for kraken BTC/USD"
    assert not found["candle tables"].ok


class Disk(NamedTuple):
    total: int
    used: int
    free: int


def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert checkup.disk(tmp_path / "not" / "yet").ok
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Disk(10**12, 10**12 - 10**9, 10**9))
    check = checkup.disk(tmp_path)
    assert check.found == f"1.0 GB free in {tmp_path}"
    assert check.remedy.startswith("free at least 2 GB")


@pytest.mark.parametrize(
    ("first", "remedy"),
    [
        (None, ""),
        (datetime(2026, 1, 1, tzinfo=UTC), ""),
        (datetime(2026, 1, 1), ""),  # noqa: DTZ001  # as the variable may say it
        (datetime(2026, 1, 1, 0, 30, tzinfo=UTC), "whole hour"),
        (datetime(2026, 2, 1, tzinfo=UTC), "in the future"),
        (datetime(2025, 1, 1, tzinfo=UTC), "slow"),
    ],
)
def test_the_start_of_the_live_partitions(first: datetime | None, remedy: str) -> None:
    check = checkup.live_hours(first, datetime(2026, 1, 10, tzinfo=UTC))
    assert check.ok is (not remedy)
    assert remedy in check.remedy
