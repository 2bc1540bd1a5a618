"""The two sides of a comparison of history: ours and `freqtrade download-data`, each in processes of its own.

freqtrade is installed from PyPI when it is first needed, see `peers`. It takes the exchanges' addresses from
its own configuration (`ccxt_config`). One thing is patched: the archive's address is fixed in its source, so
a `sitecustomize` on its path lets aiohttp ask the sandbox instead.

Here belongs how each side is told to load, and what is measured of it. What is compared is in `history_peer`
and `history_venues`.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import gauges
import history_process
import peers
import psycopg
import requests
from history_cost import sandbox

from vp_pipeline.assets.history_archive import paths_of
from vp_pipeline.exchanges import lean
from vp_pipeline.exchanges.archive_file import ArchiveFile, month_of
from vp_pipeline.exchanges.spot_client import rehosted
from vp_pipeline.exchanges.traits import traits_of
from vp_pipeline.storage import embedded, migrate
from vp_pipeline.storage.connection import transaction
from vp_pipeline.windows import Window

LATENCY_SECONDS, GOAL = 0.1, 5.0
# A market of each exchange of the README's table that serves years of minutes.
VENUES = {
    "binance": "BTC/USDT",
    "binanceus": "BTC/USDT",
    "bitfinex": "BTC/USD",
    "bitstamp": "BTC/USD",
    "bybit": "BTC/USDT",
    "coinbaseexchange": "BTC/USD",
    "cryptocom": "BTC/USDT",
    "htx": "BTC/USDT",
    "kucoin": "BTC/USDT",
    "okx": "BTC/USDT",
}
MARKETS = "".join(
    ["[instruments.BTC]\nrow_size = 10\n", f'lead = "binance {VENUES["binance"]}"\n']
    + [f'[[markets]]\nexchange = "{exchange}"\nsymbol = "{symbol}"\n' for exchange, symbol in VENUES.items()]
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

    def load(self, exchange: str, window: Window, number: int | str) -> Load:
        """The market of an exchange, into a folder of its own."""
        data = self._folder / f"freqtrade-{exchange}-{number}"
        (data / "data").mkdir(parents=True)
        config = data / "config.json"
        config.write_text(json.dumps(self._config(exchange)))
        span = f"{window.start:%Y%m%d}-{window.end:%Y%m%d}"
        command = [self._command, "download-data", "--config", str(config), "--userdir", str(data)]
        command += [
            "--exchange",
            exchange,
            "--pairs",
            VENUES[exchange],
            "--timeframes",
            "1m",
            "--timerange",
            span,
        ]
        seconds, memory = timed(command, self._environment, data / "log")
        return Load(seconds, memory, self._rows(data, window))

    def _config(self, exchange: str) -> dict[str, object]:
        urls = rehosted(lean.client(exchange)().urls["api"], f"{self._address}/{exchange}")
        options = traits_of(exchange).options or {"fetchMarkets": {"types": ["spot"]}}
        symbol = VENUES[exchange]
        return {
            "stake_currency": symbol.partition("/")[2],
            "dry_run": True,
            "exchange": {
                "name": exchange,
                "pair_whitelist": [symbol],
                "ccxt_config": {"urls": {"api": urls}, "options": options},
            },
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

    def load(self, exchanges: Sequence[str], window: Window, number: int) -> Load:
        """Months of the markets of some exchanges, all in one process."""
        with transaction(self._url) as connection:
            connection.execute("TRUNCATE candle, coverage_run, archive_file, stale_hour")
        log = self._folder / f"ours-{'-'.join(exchanges)}-{number}.log"
        command = [sys.executable, history_process.__file__, f"{window.start:%Y-%m}"]
        command += [str(len(files(window))), *exchanges]
        seconds, memory = timed(command, self._environment, log)
        with psycopg.connect(self._url) as connection:
            row = connection.execute("SELECT count(*) FROM candle WHERE NOT provisional").fetchone()
        return Load(seconds, memory, int(row[0]) if row else 0)


@contextmanager
def both_sides(window: Window) -> Iterator[tuple[Ours, Freqtrade, str]]:
    """Both on a sandbox whose archive has its files of the window, and its address.

    Raises:
        PeerMissingError: freqtrade cannot be installed here.
    """
    with TemporaryDirectory(prefix="vp-history-peer-") as name, sandbox(Path(name)) as address:
        folder = Path(name)
        theirs = Freqtrade(address, folder)
        server = embedded.start(folder / "postgres")
        try:
            ours = Ours(address, folder, server)
            _prepare(address, window)
            yield ours, theirs, address
        finally:
            server.stop()


def files(window: Window) -> list[ArchiveFile]:
    """The months' files of the archive."""
    found, month = [], month_of(window.start)
    while month.start < window.end:
        found.append(ArchiveFile("BTCUSDT", "1m", month))
        month = month_of(month.end)
    return found


def _prepare(address: str, window: Window) -> None:
    """Let the sandbox make the archive's files and every host answer late from then on."""
    with requests.Session() as session:
        session.trust_env = False
        for month in files(window):
            for path in paths_of(month):
                session.get(f"{address}/binance_archive/{path}", timeout=60).raise_for_status()
        faults = [
            {"exchange": name, "kind": "delay", "seconds": LATENCY_SECONDS}
            for name in (*VENUES, "binance_archive")
        ]
        answer = session.put(f"{address}/_sandbox/faults", json={"faults": faults}, timeout=10)
        answer.raise_for_status()
