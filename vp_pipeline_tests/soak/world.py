"""What is struck: simulated exchanges, a Postgres on a small disk of its own, and the platform's settings.

Here belong starting them, setting their time, and the truth. What is done to them is in `strikes`.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import psutil
import psycopg
import requests

from vp_pipeline.sandbox.candles import MINUTE_MS, Candles
from vp_pipeline.sandbox.generator import GeneratedSource
from vp_pipeline.settings import Settings
from vp_pipeline.storage import embedded, migrate, roles
from vp_pipeline.windows import Window, to_ms
from vp_pipeline_tests.assets.simulated import MARKETS_FILE, START

PERPETUAL: Final = "binanceusdm BTC/USDT"
"""The perpetual whose bars are fetched beside the candles: minutes, of which every one can be judged."""
_BARS: Final = """
[[klines]]
symbol = "BTCUSDT"
interval = "1m"
"""
# Enough for months of five markets; the log of changes is kept small beside them.
_DISK: Final = "700m"
_PATIENCE: Final = 30.0


@dataclass
class World:
    """A running world. `url` is the database's as its owner sees it, the settings' that of a writer of rows;
    `no_disk` says why the database has no small disk, '' if it has one.
    """

    home: Path
    settings: Settings
    url: str
    sandbox: str
    source: GeneratedSource
    no_disk: str
    session: requests.Session = field(default_factory=requests.Session)

    @property
    def folder(self) -> Path:
        """The database server's folder."""
        return self.home / "postgres"

    def set_clock(self, now: datetime) -> None:
        """Have all exchanges stand at this moment."""
        self._put("clock", {"now": now.isoformat(), "frozen": True})

    def set_faults(self, faults: list[dict[str, Any]]) -> None:
        """Put these wire faults in force, in place of those before."""
        self._put("faults", {"faults": faults})

    def faults_left(self) -> list[dict[str, Any]]:
        """The wire faults still in force, with the counts that are left."""
        answer = self.session.get(f"{self.sandbox}/_sandbox/faults", timeout=10)
        answer.raise_for_status()
        left: list[dict[str, Any]] = answer.json()["faults"]
        return left

    def start_postgres(self) -> None:
        """Start the server again if it does not run."""
        embedded.start(self.folder)

    def postgres(self) -> list[psutil.Process]:
        """All processes of the server."""
        data = str(self.folder.resolve() / "data")
        return [
            process
            for process in psutil.process_iter(["name", "cwd"])
            if process.info["name"] == "postgres" and process.info["cwd"] == data
        ]

    def let_bans_end(self) -> None:
        """Forget who banned us: a quarter of an hour has passed there, and a second here."""
        for file in (self.home / "cache" / "listings").glob("away-*"):
            file.unlink()

    def truth(self, market: str, window: Window) -> Candles:
        """What the exchange will say of the window for ever."""
        exchange, symbol = market.split()
        listed = next(m for m in self.source.markets(exchange) if m.symbol == symbol)
        start, end = to_ms(window.start), to_ms(window.end)
        return self.source.candles(listed, MINUTE_MS, start, end, end + MINUTE_MS)

    def _put(self, what: str, body: dict[str, Any]) -> None:
        self.session.put(f"{self.sandbox}/_sandbox/{what}", json=body, timeout=10).raise_for_status()


@contextmanager
def running(home: Path, seed: int) -> Iterator[World]:
    """A world in a new folder; everything ends with the block."""
    with ExitStack() as stack:
        folder = home / "postgres"
        folder.mkdir()
        no_disk = stack.enter_context(small_disk(folder))
        server = embedded.start(folder)
        stack.callback(lambda: embedded.start(folder).stop())
        url = server.url("vp")
        migrate.create_database(url)
        roles.create(url, {})
        migrate.upgrade(url)
        roles.grant(url)
        with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
            connection.execute("ALTER SYSTEM SET max_wal_size = '128MB'")
            connection.execute("SELECT pg_reload_conf()")
        sandbox = stack.enter_context(_exchanges(home, seed))
        markets = home / "markets.toml"
        markets.write_text(MARKETS_FILE + _BARS)
        settings = Settings.model_validate(
            {
                "home": home,
                "source": "sandbox",
                "markets_file": markets,
                "database_url": server.url("vp", roles.WRITER),
                "exchange_url": sandbox,
                "hourly_start": "2025-03-01T00:00:00Z",
            }
        )
        world = World(home, settings, url, sandbox, GeneratedSource(seed), no_disk)
        world.session.trust_env = False
        stack.callback(world.session.close)
        yield world


@contextmanager
def small_disk(folder: Path) -> Iterator[str]:
    """Give the folder a small file system of its own for the block; why that cannot be, '' if it can."""
    no_disk = _mount(folder)
    try:
        yield no_disk
    finally:
        if not no_disk:
            subprocess.run(["umount", str(folder)], check=True)


def _mount(folder: Path) -> str:
    if os.geteuid() != 0:
        return "mounting a small disk needs root"
    command = ["mount", "-t", "tmpfs", "-o", f"size={_DISK},mode=755", "tmpfs", str(folder)]
    try:
        done = subprocess.run(command, check=False, capture_output=True, text=True)
    except FileNotFoundError:
        return "there is no command `mount`"
    return "" if done.returncode == 0 else done.stderr.strip() or "mount failed"


@contextmanager
def _exchanges(home: Path, seed: int) -> Iterator[str]:
    port_file, log = home / "sandbox.port", home / "sandbox.log"
    command = [sys.executable, "-m", "vp_pipeline.cli", "sandbox", "--seed", str(seed), "--frozen"]
    command += ["--now", START.isoformat(), "--port-file", str(port_file)]
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
    try:
        deadline = time.monotonic() + _PATIENCE
        while not port_file.exists():
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the sandbox does not start:\n{log.read_text()}")
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port_file.read_text().strip()}"
    finally:
        process.terminate()
        process.wait(_PATIENCE)
