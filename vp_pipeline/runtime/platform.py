"""The platform on one machine: started as parallel as can be, kept running, and stopped.

Here belongs the order of starting and stopping. Which processes there are is in `services`; what
happens to one that ends by itself is in `guard`.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

import psycopg
import requests
from alembic.util import CommandError

from vp_pipeline.runtime import platform_file, ports, services, signals
from vp_pipeline.runtime.guard import Guard
from vp_pipeline.runtime.kin import StartError, end_all
from vp_pipeline.runtime.processes import Processes
from vp_pipeline.runtime.services import Addresses, Options
from vp_pipeline.storage import embedded, installation, lock_files, migrate, roles
from vp_pipeline.storage.connection import transaction

__all__ = ["Options", "Platform", "running"]

DAGSTER_PORT = 3000
SITE_PORT = 8080


@dataclass(frozen=True)
class Platform:
    """A running platform; `guard` keeps it running."""

    options: Options
    processes: Processes
    addresses: Addresses
    notes: tuple[str, ...]
    guard: Guard


@contextmanager
def running(options: Options, tell: Callable[[str], None]) -> Iterator[Platform]:
    """Start everything; on leaving the block, stop everything. `tell` gets what happens meanwhile.

    Raises:
        StartError: another platform uses the folder, it cannot be used, or a process does not start.
        EmbeddedPostgresError: the database does not start.
    """
    home = options.home.resolve()
    with ExitStack() as stack:
        _take(stack.enter_context(_lock_file(home)), home)
        end_all(home)
        take_port = stack.enter_context(ports.taken())
        addresses = Addresses(
            take_port(DAGSTER_PORT),
            take_port(SITE_PORT),
            take_port(0),
            None if options.source == "live" else take_port(0),
        )
        with signals.held_back():
            postgres = embedded.start(home / "postgres")
            stack.callback(_undisturbed, postgres.stop)
        variables = services.environment(options, home, addresses, postgres)
        processes = Processes(home, variables, services.differing(postgres))
        # The daemon first: a run that it hands to a code server that is ending would be marked failed.
        stack.callback(_undisturbed, lambda: processes.stop(first=services.DAEMON))
        _start(options, home, addresses, postgres, processes)
        platform_file.write(home, variables)

        def commands(runs_since: datetime) -> dict[str, list[str]]:
            return services.commands(options, addresses, runs_since)

        guard = Guard(processes, postgres, commands, tell)
        stack.callback(guard.stop)
        guard.start()
        yield Platform(options, processes, addresses, _notes(addresses), guard)


def _start(
    options: Options,
    home: Path,
    addresses: Addresses,
    postgres: embedded.EmbeddedPostgres,
    processes: Processes,
) -> None:
    """Start the processes, and wait until all that can be asked answer."""
    commands = services.commands(options, addresses, datetime.now(UTC))
    services.make_dagster_home(home)
    with processes.sharing(services.DAGSTERS):
        _start_all(options, postgres, processes, commands)
    ready = {
        services.CODE: lambda: ports.listens(addresses.code),
        services.WEBSERVER: lambda: _answers(f"{addresses.dagster_url}/server_info"),
        services.SITE: lambda: _answers(f"{addresses.site_url}/healthz"),
    }
    if addresses.sandbox is not None:
        sandbox = addresses.sandbox
        ready[services.SANDBOX] = lambda: ports.listens(sandbox)
    processes.wait(ready)


def _start_all(
    options: Options,
    postgres: embedded.EmbeddedPostgres,
    processes: Processes,
    commands: dict[str, list[str]],
) -> None:
    """Start the processes, those first that take longest, and prepare the databases meanwhile."""
    try:
        roles.create(postgres.url("postgres"), {})
        for name in (services.CODE, services.SANDBOX):
            if name in commands:
                processes.start(name, commands.pop(name))
        migrate.create_database(postgres.url("dagster"))
        roles.hand_over(postgres.url("dagster"))
        processes.start(services.WEBSERVER, commands.pop(services.WEBSERVER))
        migrate.create_database(postgres.url("vp"))
        migrate.upgrade(postgres.url("vp"))
        roles.grant(postgres.url("vp"))
        with transaction(postgres.url("vp")) as connection:
            installation.claim(connection, options.source)
    except installation.MixedSourcesError as error:
        raise StartError(str(error)) from error
    except (psycopg.Error, CommandError) as error:
        raise StartError(
            f"the database in {postgres.folder} cannot be used: {error}\n"
            "If another version of vp-pipeline made it, start that version, or set VP_HOME to another folder"
        ) from error
    for name, command in commands.items():
        processes.start(name, command)


@contextmanager
def _lock_file(home: Path) -> Iterator[IO[str]]:
    try:
        home.mkdir(parents=True, exist_ok=True)
        file = (home / lock_files.PLATFORM).open("w")
    except OSError as error:
        raise StartError(
            f"{home} cannot be the platform's folder ({error.strerror}: {error.filename}): "
            "set VP_HOME to a folder that this user may write to"
        ) from error
    with file:
        yield file


def _take(lock: IO[str], home: Path) -> None:
    if not lock_files.take(lock):
        raise StartError(f"another platform runs on {home}: stop it, or set VP_HOME to another folder")


def _undisturbed(stop: Callable[[], None]) -> None:
    signals.ignore()
    with signals.held_back():
        stop()


def _notes(addresses: Addresses) -> tuple[str, ...]:
    chosen = (("Dagster", DAGSTER_PORT, addresses.dagster), ("the site", SITE_PORT, addresses.site))
    return tuple(
        f"port {wanted} is in use: {name} takes {got}" for name, wanted, got in chosen if wanted != got
    )


def _answers(url: str) -> bool:
    with requests.Session() as session:
        session.trust_env = False  # a proxy of the environment is not meant for loopback
        try:
            response = session.get(url, timeout=5)
        except requests.RequestException:
            return False
    return response.status_code == 200
