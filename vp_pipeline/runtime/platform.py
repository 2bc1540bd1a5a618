"""The platform on one machine: database, sandbox, code server, Dagster and site, started in order.

Here belong which processes there are, with what environment, and when each is ready.
"""

import fcntl
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from urllib.request import urlopen

from vp_pipeline.catalog import SHIPPED
from vp_pipeline.runtime.processes import (
    Child,
    Processes,
    StartError,
    free_port,
    kill_leftovers,
    listens,
)
from vp_pipeline.settings import Source
from vp_pipeline.storage import embedded, migrate

ROOT = Path(__file__).resolve().parent.parent.parent
DAGSTER_PORT = 3000
SITE_PORT = 8080


@dataclass(frozen=True)
class Options:
    """What distinguishes one platform from another. `replay`: the folder to replay; `first_hour`: ISO."""

    home: Path
    source: Source
    markets_file: Path = SHIPPED
    replay: Path | None = None
    first_hour: str | None = None


@dataclass(frozen=True)
class Platform:
    """A running platform's addresses."""

    options: Options
    processes: Processes
    database_url: str
    dagster_url: str
    site_url: str
    sandbox_url: str | None
    notes: tuple[str, ...]

    def dead(self) -> list[Child]:
        """Children that have ended by themselves."""
        return [child for child in self.processes.children if not child.alive]


@contextmanager
def running(options: Options) -> Iterator[Platform]:
    """Start everything; on leaving the block, stop everything.

    Raises:
        StartError: another platform uses the folder, or a process does not start.
        EmbeddedPostgresError: the database does not start.
    """
    home = options.home.resolve()
    home.mkdir(parents=True, exist_ok=True)
    with (home / "lock").open("w") as lock:
        _take(lock, home)
        kill_leftovers(home)
        postgres = embedded.start(home / "postgres")
        processes = Processes(home, {})
        try:
            yield _start(options, home, postgres, processes)
        finally:
            processes.stop()
            postgres.stop()


def _take(lock: IO[str], home: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise StartError(
            f"another platform runs on {home}: stop it, or set VP_HOME to another folder"
        ) from error


def _start(
    options: Options, home: Path, postgres: embedded.EmbeddedPostgres, processes: Processes
) -> Platform:
    database_url, dagster_database = postgres.url("vp"), postgres.url("dagster")
    migrate.create_database(dagster_database)
    migrate.create_database(database_url)
    migrate.upgrade(database_url)

    dagster_port, site_port, code_port = free_port(DAGSTER_PORT), free_port(SITE_PORT), free_port(0)
    notes = [
        f"port {wanted} is in use: {name} takes {got}"
        for name, wanted, got in (("Dagster", DAGSTER_PORT, dagster_port), ("the site", SITE_PORT, site_port))
        if wanted != got
    ]
    platform_urls = {
        "VP_DAGSTER_URL": f"http://127.0.0.1:{dagster_port}",
        "VP_SITE_URL": f"http://127.0.0.1:{site_port}",
    }
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"} | {
        "DAGSTER_HOME": str(_dagster_home(home)),
        "VP_CODE_HOST": "127.0.0.1",
        "VP_CODE_PORT": str(code_port),
        # What Dagster logs can be made again: it need not wait for the disk at every event.
        "VP_DAGSTER_DATABASE_URL": dagster_database.replace("postgresql://", "postgresql+psycopg2://", 1)
        + "&options=-c%20synchronous_commit%3Doff",
        "VP_DATABASE_URL": database_url,
        "VP_HOME": str(home),
        "VP_MARKETS_FILE": str(options.markets_file),
        "VP_SOURCE": options.source,
        **platform_urls,
        **({"VP_HOURLY_START": options.first_hour} if options.first_hour else {}),
    }
    processes.environment = environment
    sandbox_url = _start_sandbox(options, home, processes)
    if sandbox_url is not None:
        environment["VP_EXCHANGE_URL"] = sandbox_url

    python = [sys.executable, "-m"]
    code = processes.start(
        "code-server",
        [
            *[*python, "dagster", "api", "grpc", "-m", "vp_pipeline.definitions", "-a", "defs"],
            *["-h", "127.0.0.1", "-p", str(code_port), "--location-name", "vp_pipeline"],
        ],
    )
    recovery = processes.start("recovery", [*python, "vp_pipeline.runtime.recovery"])
    site = processes.start("site", [*python, "vp_pipeline.cli", "site", "--port", str(site_port)])
    if recovery.process.wait() != 0:
        raise StartError(f"Dagster's storage cannot be opened:\n{recovery.log.read_text()}")
    processes.children.remove(recovery)
    processes.wait(code, lambda: listens(code_port))
    workspace = ["-w", str(ROOT / "workspace.yaml")]
    webserver = processes.start(
        "dagster-webserver",
        [*python, "dagster_webserver", "-h", "127.0.0.1", "-p", str(dagster_port), *workspace],
    )
    processes.start("dagster-daemon", [*python, "dagster._daemon", "run", *workspace])
    processes.wait(webserver, lambda: _answers(f"{platform_urls['VP_DAGSTER_URL']}/server_info"))
    processes.wait(site, lambda: _answers(f"{platform_urls['VP_SITE_URL']}/healthz"))
    return Platform(
        options,
        processes,
        database_url,
        platform_urls["VP_DAGSTER_URL"],
        platform_urls["VP_SITE_URL"],
        sandbox_url,
        tuple(notes),
    )


def _start_sandbox(options: Options, home: Path, processes: Processes) -> str | None:
    if options.source == "live":
        return None
    port_file = home / "sandbox.port"
    port_file.unlink(missing_ok=True)
    replay = ["--replay", str(options.replay)] if options.replay else []
    child = processes.start(
        "sandbox",
        [sys.executable, "-m", "vp_pipeline.cli", "sandbox", "--port-file", str(port_file), *replay],
    )
    processes.wait(child, lambda: port_file.exists() and port_file.read_text().strip() != "")
    return f"http://127.0.0.1:{port_file.read_text().strip()}"


def _dagster_home(home: Path) -> Path:
    folder = home / "dagster"
    folder.mkdir(exist_ok=True)
    shutil.copyfile(ROOT / "dagster.yaml", folder / "dagster.yaml")
    return folder


def _answers(url: str) -> bool:
    try:
        with urlopen(url, timeout=5) as response:  # noqa: S310  # our own loopback address
            return bool(response.status == 200)
    except OSError:
        return False
