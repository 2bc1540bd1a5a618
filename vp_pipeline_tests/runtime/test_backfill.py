"""`vp backfill`: what it refuses, what it adds up, and that a killed one goes on."""

import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner
from rich.console import Console

from vp_pipeline.catalog import SHIPPED
from vp_pipeline.cli import main
from vp_pipeline.runtime import platform_file
from vp_pipeline.runtime.backfill_summary import Tally, show
from vp_pipeline.sandbox.candles import MINUTE_MS
from vp_pipeline.sandbox.generator import GeneratedSource
from vp_pipeline.storage import embedded
from vp_pipeline.windows import to_ms
from vp_pipeline_tests.runtime.command import Vp, left_behind

MARKETS = """
[instruments.BTC]
row_size = 10
lead = "binance BTC/USDT"

[[markets]]
exchange = "binance"
symbol = "BTC/USDT"
"""
TODAY = datetime.now(UTC).date()


def refused(home: Path, *arguments: str) -> str:
    """What the command prints when it ends with a usage error."""
    result = CliRunner().invoke(main, ["backfill", *arguments], env={"VP_HOME": str(home)})
    assert result.exit_code == 2, result.output
    return " ".join(result.output.split())


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--from", "2024-13-01", "--to", "2024-02-01"), "'2024-13-01' is no day such as 2024-03-01"),
        (("--from", "yesterday", "--to", "2024-02-01"), "'yesterday' is no day"),
        (("--from", "2024-02-01"), "Missing option '--to'"),
        (("--from", "2024-02-01", "--to", "2024-02-01"), "is not before --to"),
        (("--from", "2024-03-01", "--to", "2024-02-01"), "is not before --to"),
        (("--from", "2024-03-01", "--to", f"{TODAY + timedelta(days=2)}"), "lies in the future"),
        (
            ("--from", "2024-01-01", "--to", "2024-02-01", "--market", "binance BTCUSDT"),
            "the nearest is 'binance BTC/USDT'",
        ),
        (("--from", "2024-01-01", "--to", "2024-02-01", "--klines"), "has no [[klines]]"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_starts(
    tmp_path: Path, arguments: tuple[str, ...], told: str
) -> None:
    (tmp_path / "markets.toml").write_text(MARKETS)
    platform_file.write(tmp_path, {"VP_SOURCE": "sandbox", "VP_MARKETS_FILE": str(tmp_path / "markets.toml")})
    assert told in refused(tmp_path, *arguments)
    assert not (tmp_path / "postgres").exists()


def test_a_platform_elsewhere_is_asked_by_its_address_and_months_side_by_side_need_workers() -> None:
    asked = ["backfill", "--from", "2024-01-01", "--to", "2024-02-01", "--dagster", "http://127.0.0.1:1/"]
    elsewhere = {"VP_DATABASE_URL": "postgresql://nobody@127.0.0.1/none"}
    workers = {**elsewhere, "VP_BROKER_URL": "redis://127.0.0.1:1/0"}
    result = CliRunner().invoke(main, [*asked, "--at-once", "2"], env=elsewhere)
    assert result.exit_code == 2
    assert "--at-once needs workers" in result.output
    for variables in (elsewhere, workers):
        result = CliRunner().invoke(main, asked, env=variables)
        assert result.exit_code == 1
        assert "Dagster at http://127.0.0.1:1 " in result.output


def test_a_database_of_ones_own_has_a_dagster_of_its_own(tmp_path: Path) -> None:
    asked = ["backfill", "--from", "2024-01-01", "--to", "2024-02-01"]
    variables = {"VP_HOME": str(tmp_path), "VP_DATABASE_URL": "postgresql://vp_writer@db/vp"}
    result = CliRunner().invoke(main, asked, env=variables)
    assert result.exit_code == 2
    assert "name its Dagster, such as --dagster http" in " ".join(result.output.replace("│", "").split())
    assert list(tmp_path.iterdir()) == []


def test_a_replay_has_no_history(tmp_path: Path) -> None:
    platform_file.write(tmp_path, {"VP_SOURCE": "replay", "VP_MARKETS_FILE": str(SHIPPED)})
    assert "holds a replay" in refused(tmp_path, "--from", "2024-01-01", "--to", "2024-02-01")


def test_the_file_of_a_platform(tmp_path: Path) -> None:
    assert platform_file.last_variables(tmp_path) is None
    assert platform_file.running_variables(tmp_path) is None
    platform_file.write(
        tmp_path, {"VP_SOURCE": "live", "PATH": "/bin", "VP_DAGSTER_DATABASE_URL": "postgresql://secret"}
    )
    assert platform_file.last_variables(tmp_path) == {"VP_SOURCE": "live"}
    assert platform_file.running_variables(tmp_path) is None  # it has ended: nobody holds the lock
    assert (tmp_path / "platform.json").stat().st_mode & 0o077 == 0
    (tmp_path / "platform.json").write_text("{}")
    result = CliRunner().invoke(
        main, ["backfill", "--from", "2024-01-01", "--to", "2024-02-01"], env={"VP_HOME": str(tmp_path)}
    )
    assert result.exit_code == 1
    assert "platform.json cannot be read" in result.output


def test_the_summary_adds_up_and_says_what_is_open() -> None:
    usdt, ftx = ("history", "binance", "btc_usdt"), ("history", "ftx", "btc_usd")
    tally = Tally()
    gone = {"unfetchable": "44640", "reasons": "ftx has ended [really]"}
    tally.add("2024-02", {usdt: {"rows": "7", "new": "5", "revised": "2"}, ftx: gone}, [usdt, ftx], None)
    tally.add("2024-01", {usdt: {"rows": "10", "new": "10"}, ftx: gone}, [usdt, ftx], None)
    before = tally.incomplete
    console = Console(width=80)
    with console.capture() as printed:
        show(console, tally)
    lines = printed.get().splitlines()
    assert lines[0].split() == ["history", "rows", "new", "revised", "empty", "unfetchable", "unknown"]
    assert lines[1].split() == ["binance/btc_usdt", "17", "15", "2", "0", "0", "0"]
    assert lines[2].split() == ["ftx/btc_usd", "0", "0", "0", "0", "89,280", "0"]
    assert lines[3] == "ftx/btc_usd, 2024-01 to 2024-02: ftx has ended [really]"
    tally.add("2024-03", {usdt: {"unknown": "3", "problems": "no answer"}}, [usdt, ftx], None)
    assert (before, tally.incomplete) == (False, True)
    assert tally.failures == ["2024-03: the run says nothing of ftx/btc_usd"]


@pytest.mark.platform
@pytest.mark.timeout(600)
def test_a_backfill_killed_in_the_middle_goes_on_to_the_truth() -> None:
    with tempfile.TemporaryDirectory(prefix="vp backfill ") as folder:
        home = Path(folder) / "home"
        home.mkdir()
        (home / "markets.toml").write_text(MARKETS)
        variables = {"VP_SOURCE": "sandbox", "VP_MARKETS_FILE": str(home / "markets.toml")}
        platform_file.write(home, variables)
        asked = ("backfill", "--from", "2024-12-20", "--to", "2025-02-01", "--market", "binance BTC/USDT")
        first = Vp(*asked, home=home, output=Path(folder) / "first")
        first.wait_for("history 2024-12  1 of 2")
        first.process.kill()
        first.process.wait()

        second = Vp(*asked, home=home, output=Path(folder) / "second")
        assert second.ended() == 0, second.printed
        assert "SIMULATED DATA" in second.printed
        start, end = datetime(2024, 12, 1, tzinfo=UTC), datetime(2025, 2, 1, tzinfo=UTC)
        minutes = (end - start) // timedelta(minutes=1)
        counted = next(line.split() for line in second.printed.splitlines() if "btc_usdt" in line)
        assert counted[1] == f"{minutes:,}"
        assert int(counted[2].replace(",", "")) <= 31 * 1440  # the first month was there
        assert left_behind(home) == []

        source = GeneratedSource()
        market = next(m for m in source.markets("binance") if m.symbol == "BTC/USDT")
        truth = source.candles(market, MINUTE_MS, to_ms(start), to_ms(end), to_ms(end) + MINUTE_MS)
        server = embedded.start(home / "postgres")
        try:
            with psycopg.connect(server.url("vp")) as connection:
                rows = connection.execute(
                    "SELECT extract(epoch FROM open_time)::bigint * 1000, close, volume FROM candle"
                    " WHERE open_time >= %s AND open_time < %s ORDER BY 1",
                    [start, end],
                ).fetchall()
                aggregate = connection.execute(
                    "SELECT count(*) FROM aggregate WHERE open_time >= %s AND open_time < %s", [start, end]
                ).fetchone()
        finally:
            server.stop()
        columns = (truth.open_time.tolist(), truth.close.tolist(), truth.volume.tolist())
        assert rows == list(zip(*columns, strict=True))
        assert aggregate == (minutes,)
