"""Months of minute candles from the same sandbox: ours against `freqtrade download-data`.

Every answer of the sandbox comes a tenth of a second late. Binance's candles come from its archive, Bybit's
by pages of its REST API, both for us and for freqtrade. Each load starts from nothing and is timed as a whole
process, from its start to its exit. freqtrade writes a Feather file; ours compares with what is stored,
writes to PostgreSQL and records every minute in the ledger, checksums of the archive included. The archive's
files are made before the clock starts. The platform gives each month a Dagster run of its own, some seconds
each, which are not counted here. Processes take turns, medians count, and all must bring as many
candles.

freqtrade is installed from PyPI when it is first needed, see `peers`. It takes the exchanges' addresses from
its own configuration (`ccxt_config`). One thing is patched: the archive's address is fixed in its source, so
a `sitecustomize` on its path lets aiohttp ask the sandbox instead. The limit is the same pages or months'
files over plain sockets, 16 at once; what Bybit's own limit of requests allows is slower, and both keep to
it.

Run it with `python benchmarks/history_peer.py [--archive-months N] [--rest-months N] [--runs N]`.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import gauges
import history_process
import peers
import psycopg
import requests
import sockets
from claims import Ratio, tell
from history_cost import FIRST, months_from, sandbox

from vp_pipeline.assets.history_archive import paths_of
from vp_pipeline.exchanges.archive_file import ArchiveFile, month_of
from vp_pipeline.storage import embedded, migrate
from vp_pipeline.storage.connection import transaction
from vp_pipeline.windows import MINUTE, Window, to_ms

LATENCY_SECONDS, GOAL, PAGE = 0.1, 5.0, 1000
SYMBOL = "BTC/USDT"
SOURCES = {"binance": "the archive", "bybit": "pages of REST"}
MARKETS = "".join(
    ["[instruments.BTC]\nrow_size = 10\n", f'lead = "binance {SYMBOL}"\n']
    + [f'[[markets]]\nexchange = "{exchange}"\nsymbol = "{SYMBOL}"\n' for exchange in SOURCES]
)
REDIRECT = '''\
"""Lets freqtrade find Binance's archive in the sandbox: its address is fixed in freqtrade's source."""
import os
from aiohttp import ClientSession
_original = ClientSession._request
async def _request(self, method, url, **options):
    moved = str(url).replace("https://data.binance.vision", os.environ["ARCHIVE_STAND_IN"])
    return await _original(self, method, moved, **options)
ClientSession._request = _request
'''


@dataclass(frozen=True)
class Load:
    """One load: seconds, peak memory in bytes, candles."""

    seconds: float
    memory: float
    rows: int


def timed(command: list[str], environment: Mapping[str, str], log: Path) -> tuple[float, float]:
    """Seconds of a process and its peak memory.

    Raises:
        SystemExit: it failed; its last lines are told.
    """
    with log.open("wb") as output:
        started, peak = time.perf_counter(), 0.0
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=subprocess.STDOUT)
        while process.poll() is None:
            peak = max(peak, gauges.high_water(process.pid))
            time.sleep(0.02)
        seconds = time.perf_counter() - started
    if process.returncode:
        sys.exit(f"{' '.join(command[:3])} failed:\n{log.read_text()[-3000:]}")
    return seconds, peak


class Freqtrade:
    """Its command, on the sandbox."""

    def __init__(self, address: str, folder: Path) -> None:
        programs = peers.environment("freqtrade", peers.FREQTRADE)
        self._command, self._python = str(programs / "freqtrade"), str(programs / "python")
        self._address, self._folder = address, folder
        redirect = folder / "redirect"
        redirect.mkdir()
        (redirect / "sitecustomize.py").write_text(REDIRECT)
        self._environment = {
            **os.environ,
            "PYTHONPATH": str(redirect),
            "ARCHIVE_STAND_IN": f"{address}/binance_archive",
        }

    def load(self, exchange: str, window: Window, number: int) -> Load:
        """Into a folder of its own."""
        data = self._folder / f"freqtrade-{exchange}-{number}"
        (data / "data").mkdir(parents=True)
        config = data / "config.json"
        config.write_text(json.dumps(self._config(exchange)))
        span = f"{window.start:%Y%m%d}-{window.end:%Y%m%d}"
        command = [self._command, "download-data", "--config", str(config), "--userdir", str(data)]
        command += ["--exchange", exchange, "--pairs", SYMBOL, "--timeframes", "1m", "--timerange", span]
        seconds, memory = timed(command, self._environment, data / "log")
        return Load(seconds, memory, self._rows(data, window))

    def _config(self, exchange: str) -> dict[str, object]:
        base = f"{self._address}/{exchange}"
        public = f"{base}/api/v3" if exchange == "binance" else base
        urls = dict.fromkeys(("public", "private", "spot", "futures", "v2", "web"), public)
        ccxt = {"urls": {"api": urls}, "options": {"fetchMarkets": {"types": ["spot"]}}}
        return {
            "stake_currency": "USDT",
            "dry_run": True,
            "exchange": {"name": exchange, "pair_whitelist": [SYMBOL], "ccxt_config": ccxt},
            "pairlists": [{"method": "StaticPairList"}],
        }

    def _rows(self, data: Path, window: Window) -> int:
        """Candles within the window in the files that it wrote; it may fetch some more."""
        count = (
            "import pandas, pathlib, sys\n"
            "files = pathlib.Path(sys.argv[1]).rglob('*.feather')\n"
            "times = pandas.concat([pandas.read_feather(file, columns=['date']) for file in files])['date']\n"
            "print(int(((times >= sys.argv[2]) & (times < sys.argv[3])).sum()))\n"
        )
        span = [window.start.isoformat(), window.end.isoformat()]
        done = subprocess.run(
            [self._python, "-c", count, str(data), *span], stdout=subprocess.PIPE, check=True
        )
        return int(done.stdout)


class Ours:
    """The loading that a history run does, in a process of its own, on an empty table."""

    def __init__(self, address: str, folder: Path, server: embedded.EmbeddedPostgres) -> None:
        self._url, self._folder = server.url("vp"), folder
        home = folder / "home"
        home.mkdir()
        (home / "markets.toml").write_text(MARKETS)
        migrate.create_database(self._url)
        migrate.upgrade(self._url)
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("VP_")},
            "VP_HOME": str(home),
            "VP_SOURCE": "sandbox",
            "VP_MARKETS_FILE": str(home / "markets.toml"),
            "VP_DATABASE_URL": self._url,
            "VP_EXCHANGE_URL": address,
        }

    def load(self, exchange: str, window: Window, number: int) -> Load:
        """Months of one market."""
        with transaction(self._url) as connection:
            connection.execute("TRUNCATE candle, coverage_run, archive_file, stale_hour")
        log = self._folder / f"ours-{exchange}-{number}.log"
        command = [sys.executable, history_process.__file__, exchange, f"{window.start:%Y-%m}"]
        command.append(str(len(files(window))))
        seconds, memory = timed(command, self._environment, log)
        with psycopg.connect(self._url) as connection:
            row = connection.execute("SELECT count(*) FROM candle WHERE NOT provisional").fetchone()
        return Load(seconds, memory, int(row[0]) if row else 0)


def prepare(address: str, window: Window) -> None:
    """Let the sandbox make the archive's files of both, and answer late from then on."""
    with requests.Session() as session:
        session.trust_env = False
        for month in files(window):
            for path in paths_of(month):
                session.get(f"{address}/binance_archive/{path}", timeout=60).raise_for_status()
        faults = [
            {"exchange": name, "kind": "delay", "seconds": LATENCY_SECONDS}
            for name in (*SOURCES, "binance_archive")
        ]
        answer = session.put(f"{address}/_sandbox/faults", json={"faults": faults}, timeout=10)
        answer.raise_for_status()


def files(window: Window) -> list[ArchiveFile]:
    """The months' files of the archive."""
    found, month = [], month_of(window.start)
    while month.start < window.end:
        found.append(ArchiveFile("BTCUSDT", "1m", month))
        month = month_of(month.end)
    return found


def urls(address: str, exchange: str, window: Window) -> list[str]:
    """The fewest requests that bring all candles of the window."""
    if exchange == "bybit":
        page = f"{address}/bybit/v5/market/kline?symbol=BTCUSDT&interval=1&category=spot&limit={PAGE}"
        return [
            f"{page}&start={to_ms(part.start)}&end={to_ms(part.end - MINUTE)}"
            for part in window.split(PAGE * MINUTE)
        ]
    return [f"{address}/binance_archive/{file.path}" for file in files(window)]


def compare(ours: Ours, theirs: Freqtrade, address: str, exchange: str, window: Window, runs: int) -> str:
    """A row of the table, and what the report is told."""
    mine, others = [], []
    for number in range(runs):
        mine.append(ours.load(exchange, window, number))
        others.append(theirs.load(exchange, window, number))
    counts = {load.rows for load in (*mine, *others)}
    if len(counts) != 1:
        raise SystemExit(f"{exchange}: not the same candles: {sorted(counts)}")
    months = len(files(window))
    what = f"{months} month{'s'[: months > 1]} of {exchange} from {SOURCES[exchange]}"
    both = [
        Ratio(
            what if name == "seconds" else f"{what}: peak memory",
            "freqtrade download-data",
            statistics.median(getattr(load, name) for load in mine),
            statistics.median(getattr(load, name) for load in others),
            unit="s" if name == "seconds" else "B",
            goal=GOAL if name == "seconds" else None,
        )
        for name in ("seconds", "memory")
    ]
    cells = []
    for one in both:
        tell(one)
        cells.append(one.cells)
    own = both[0].ours
    limit = statistics.median(sockets.seconds(urls(address, exchange, window)) for _ in range(runs))
    tell(Ratio(what, "its requests by plain sockets", own, limit, kind="limit"))
    return f"| {what} | {counts.pop():,} | {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--archive-months", type=int, default=12)
    parser.add_argument("--rest-months", type=int, default=1)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    lengths = {"binance": options.archive_months, "bybit": options.rest_months}
    windows = {name: Window(FIRST, months_from(FIRST, months)[-1].end) for name, months in lengths.items()}
    with tempfile.TemporaryDirectory(prefix="vp-history-peer-") as name, sandbox(Path(name)) as address:
        folder = Path(name)
        try:
            theirs = Freqtrade(address, folder)
        except peers.PeerMissingError as error:
            print(f"Not measured: {error}")
            return
        server = embedded.start(folder / "postgres")
        try:
            ours = Ours(address, folder, server)
            prepare(address, windows["binance"])
            rows = [
                compare(ours, theirs, address, name, window, options.runs) for name, window in windows.items()
            ]
        finally:
            server.stop()
    print(f"Answers {LATENCY_SECONDS * 1000:.0f} ms late, medians of {options.runs} runs.\n")
    print("| history | candles | ours | freqtrade | ratio | peak memory, ours | freqtrade | ratio |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|")
    print("\n".join(rows))


if __name__ == "__main__":
    main()
