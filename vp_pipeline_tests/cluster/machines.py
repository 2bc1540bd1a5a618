"""A cluster on one machine: a real Redis, real workers, and runs that hand months out to them."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from vp_pipeline.assets.keys import HISTORY_JOB, MONTH_FORMAT, range_tags
from vp_pipeline.runtime.ports import LOOPBACK
from vp_pipeline.storage import embedded, migrate
from vp_pipeline.storage.connection import transaction
from vp_pipeline.storage.markets import market_ids
from vp_pipeline.windows import Window
from vp_pipeline_tests.conftest import REPOSITORY
from vp_pipeline_tests.runtime.command import Vp

PASSWORD = "geheim"  # of a server that lives as long as a test
MARKETS = """
[instruments.BTC]
row_size = 10
lead = "binance BTC/USDT"

[[markets]]
exchange = "binance"
symbol = "BTC/USDT"

[[markets]]
exchange = "kucoin"
symbol = "BTC/USDT"
"""
# Its candles come from the exchange, page by page, those of binance from the archive.
PAGED = 2


class RedisServer:
    """A Redis with a password, which remembers nothing when it is started again."""

    def __init__(self, folder: Path, port: int) -> None:
        program = shutil.which("redis-server")
        if program is None:
            pytest.skip("no redis-server: install Debian's package redis-server")
        self.url = f"redis://:{PASSWORD}@{LOOPBACK}:{port}/0"
        file = folder / "redis.conf"
        lines = (f"port {port}", f"bind {LOOPBACK}", f"requirepass {PASSWORD}", f"dir {folder}")
        file.write_text("\n".join([*lines, "appendonly no", 'save ""', f"logfile {folder}/log"]))
        self._command = [program, str(file)]
        self.start()

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self._process = subprocess.Popen(self._command)
        until(self._answers)

    def cut(self) -> None:
        """End it at once."""
        self._process.kill()
        self._process.wait()

    def _answers(self) -> bool:
        with Redis.from_url(self.url, retry=None) as redis:
            try:
                return bool(redis.ping())
            except RedisConnectionError:
                return False


def _ours() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(("VP_", "DAGSTER_"))}


class Run:
    """A run of Dagster that loads one month; what it says goes to a file."""

    def __init__(self, window: Window, variables: Mapping[str, str], output: Path) -> None:
        tags = range_tags(window.start, window.start, MONTH_FORMAT)
        command = ["dagster", "job", "execute", "-m", "vp_pipeline.definitions", "-a", "defs"]
        self._output = output
        with output.open("wb") as file:
            self._process = subprocess.Popen(
                [sys.executable, "-m", *command, "-j", HISTORY_JOB, "--tags", json.dumps(tags)],
                env={**_ours(), **variables},
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
            )

    @property
    def said(self) -> str:
        """Everything so far."""
        return self._output.read_text()

    def succeed(self, seconds: float = 120) -> None:
        """Wait for its end, which must be a good one."""
        assert self._process.wait(seconds) == 0, self.said

    def kill(self) -> None:
        """End it if it has not ended."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()


@dataclass
class Cluster:
    """Databases of their own, and processes on them."""

    home: Path
    variables: Mapping[str, str]
    stack: ExitStack

    @property
    def url(self) -> str:
        """The database of candles."""
        return self.variables["VP_DATABASE_URL"]

    def worker(self, name: str) -> Vp:
        """A worker, which takes steps as soon as it has started."""
        log = self.home / f"{name}.log"
        worker = Vp("worker", home=self.home / name, output=log, variables=self.variables)
        self.stack.callback(_end, worker)
        return worker

    def run(self, window: Window) -> Run:
        """A run of this month."""
        variables = {**self.variables, "DAGSTER_HOME": str(self.home), "VP_HOME": str(self.home)}
        run = Run(window, variables, self.home / f"run-{window.start:%Y-%m}.log")
        self.stack.callback(run.kill)
        return run

    def rows(self, window: Window) -> int:
        """How many candles of the paged market are stored."""
        with transaction(self.url) as connection:
            found = connection.execute(
                "SELECT count(*) FROM candle WHERE market_id = %s AND open_time >= %s AND open_time < %s",
                [PAGED, window.start, window.end],
            )
            return int((found.fetchone() or (0,))[0])


@contextmanager
def cluster(
    server: embedded.EmbeddedPostgres, name: str, home: Path, sandbox: str, broker: str
) -> Iterator[Cluster]:
    """A cluster without workers, on new databases."""
    url, records = server.url(name), server.url(f"{name}_dagster")
    make_database(url)
    migrate.create_database(records)
    (home / "markets.toml").write_text(MARKETS)
    (home / "dagster.yaml").write_text((REPOSITORY / "dagster.yaml").read_text())
    variables = {
        "VP_BROKER_URL": broker,
        "VP_DAGSTER_DATABASE_URL": records.replace("postgresql://", "postgresql+psycopg2://", 1),
        "VP_DATABASE_URL": url,
        "VP_EXCHANGE_URL": sandbox,
        "VP_MARKETS_FILE": str(home / "markets.toml"),
        "VP_SOURCE": "sandbox",
    }
    with ExitStack() as stack:
        yield Cluster(home, variables, stack)


def make_database(url: str) -> None:
    """A database of candles, in which the markets have the same numbers every time."""
    migrate.create_database(url)
    migrate.upgrade(url)
    with transaction(url) as connection:
        market_ids(connection, [("binance", "BTC/USDT")])
        assert market_ids(connection, [("kucoin", "BTC/USDT")]) == {("kucoin", "BTC/USDT"): PAGED}


def until(what: Callable[[], bool], seconds: float = 60) -> None:
    """Wait for it."""
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def kill(worker: Vp) -> None:
    """End a worker and its processes as a power failure would."""
    os.killpg(worker.process.pid, signal.SIGKILL)
    worker.process.wait()


def _end(worker: Vp) -> None:
    if worker.process.poll() is None:
        worker.stop(signal.SIGTERM)
