"""What history costs: minutes of a spot market and daily bars of a perpetual, from the archive into Postgres.

A sandbox in a process of its own serves the archive, its files made before the clock starts: the work of the
archive's own server is not ours. The loading process is measured from its first month to its last, checksums,
unpacking, storing and ledger included; its memory is the highest it ever had. Bytes are those of the tables
with their indexes, and of the log that was written for them.

Run it with `python benchmarks/history_cost.py [--months N] [--years N]`; it prints a Markdown table and
leaves nothing behind.
"""

import argparse
import multiprocessing
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import requests

from vp_pipeline.assets.history_klines import load_bars
from vp_pipeline.assets.history_spot import SpotHistory
from vp_pipeline.exchanges.archive_file import ArchiveFile, month_of
from vp_pipeline.settings import Settings
from vp_pipeline.storage import embedded, migrate
from vp_pipeline.windows import Window

MARKETS = """
[instruments.BTC]
row_size = 10
lead = "binance BTC/USDT"

[[markets]]
exchange = "binance"
symbol = "BTC/USDT"

[[klines]]
symbol = "BTCUSDT"
interval = "1d"
"""
# The simulated markets begin in 2020 and go on into the future, as far as the sandbox's clock says.
FIRST = datetime(2021, 1, 1, tzinfo=UTC)
NOW = datetime(2035, 1, 20, tzinfo=UTC)
HEAD = """\
| history | files | rows | seconds | peak memory | table and indexes | bytes a row | WAL |
|---|---:|---:|---:|---:|---:|---:|---:|"""


@dataclass(frozen=True)
class Cost:
    """Of loading some months; memory and sizes in bytes."""

    rows: int
    seconds: float
    memory: int
    size: int
    wal: int


def months_from(first: datetime, count: int) -> list[Window]:
    found = [month_of(first)]
    while len(found) < count:
        found.append(month_of(found[-1].end))
    return found


@contextmanager
def sandbox(folder: Path) -> Iterator[str]:
    port_file = folder / "port"
    command = [sys.executable, "-m", "vp_pipeline.cli", "sandbox", "--port-file", str(port_file)]
    command += ["--now", NOW.isoformat(), "--frozen"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)  # our own command
    try:
        while not port_file.exists():
            if process.poll() is not None:
                raise SystemExit("the sandbox did not start")
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port_file.read_text().strip()}"
    finally:
        process.terminate()
        process.wait()


def make_files(address: str, files: list[ArchiveFile]) -> None:
    """Let the sandbox make its files; it keeps the last ones."""
    with requests.Session() as session:
        session.trust_env = False
        for file in files:
            session.get(f"{address}/binance_archive/{file.path}", timeout=60).raise_for_status()


def load(
    settings: Settings, months: list[Window], spot: bool, results: "multiprocessing.Queue[float]"
) -> None:
    """The loading process: seconds and its highest memory."""
    url = settings.database_url.get_secret_value()
    started = time.perf_counter()
    for month in months:
        if spot:
            problems = SpotHistory(settings, url, NOW).load(settings.catalog.markets, month)[0].problems
        else:
            problems = load_bars(settings, url, settings.catalog.klines, month, NOW)[0].problems
        if problems:
            raise SystemExit("; ".join(problems))
    results.put(time.perf_counter() - started)
    results.put(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024.0)


def measured(settings: Settings, months: list[Window], spot: bool) -> Cost:
    url = settings.database_url.get_secret_value()
    before = _database(url, spot)
    context = multiprocessing.get_context("spawn")
    results: multiprocessing.Queue[float] = context.Queue()
    process = context.Process(target=load, args=(settings, months, spot, results))
    process.start()
    process.join()
    if process.exitcode != 0:
        raise SystemExit(f"loading ended with {process.exitcode}")
    seconds, memory = results.get(), results.get()
    after = _database(url, spot)
    return Cost(after[0], seconds, int(memory), after[1] - before[1], after[2] - before[2])


def _database(url: str, spot: bool) -> tuple[int, int, int]:
    """Rows, bytes of the table with its indexes, position in the log."""
    table, parts = ("candle", "candle\\_%") if spot else ("kline", "kline")
    size = "(SELECT coalesce(sum(pg_total_relation_size(oid)), 0)::bigint FROM pg_class"
    size += " WHERE relkind = 'r' AND relname LIKE %s)"
    query = f"SELECT (SELECT count(*) FROM {table}), {size},"  # constant names
    query += " pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint"
    with psycopg.connect(url) as connection:
        row = connection.execute(query.encode(), [parts]).fetchone()
    if row is None:
        raise SystemExit("the database does not answer")
    return int(row[0]), int(row[1]), int(row[2])


def line(name: str, files: int, cost: Cost) -> str:
    cells = (
        f"{files}",
        f"{cost.rows:,}",
        f"{cost.seconds:.1f}",
        f"{cost.memory / 1e6:.0f} MB",
        f"{cost.size / 1e6:.1f} MB",
        f"{cost.size / max(cost.rows, 1):.0f}",
        f"{cost.wal / 1e6:.1f} MB",
    )
    return f"| {name} | {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--months", type=int, default=3, help="of spot minutes; a year is 12")
    parser.add_argument("--years", type=int, default=2, help="of daily bars")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="vp-history-") as name, sandbox(Path(name)) as address:
        home = Path(name) / "home"
        home.mkdir()
        (home / "markets.toml").write_text(MARKETS)
        server = embedded.start(Path(name) / "postgres")
        try:
            url = server.url("vp")
            migrate.create_database(url)
            migrate.upgrade(url)
            settings = Settings.model_validate(
                {
                    "home": home,
                    "source": "sandbox",
                    "markets_file": home / "markets.toml",
                    "database_url": url,
                    "exchange_url": address,
                }
            )
            print(HEAD)
            minutes = months_from(FIRST, chosen.months)
            make_files(address, [ArchiveFile("BTCUSDT", "1m", month) for month in minutes])
            cost = measured(settings, minutes, spot=True)
            print(line(f"minutes of a spot market, {chosen.months} months", len(minutes), cost))
            days = months_from(FIRST, 12 * chosen.years)
            make_files(address, [ArchiveFile("BTCUSDT", "1d", month, futures=True) for month in days])
            cost = measured(settings, days, spot=False)
            print(line(f"daily bars of a perpetual, {chosen.years} years", len(days), cost))
            again = measured(settings, minutes, spot=True)
            print(line("the minutes asked for again", len(minutes), again))
        finally:
            server.stop()


if __name__ == "__main__":
    main()
