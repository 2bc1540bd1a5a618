"""What happens to a process of the platform that ends by itself: it is told, and started again.

Here belongs what must start again together, and when to give up.
"""

import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import psutil

from vp_pipeline.runtime import services, signals
from vp_pipeline.runtime.kin import StartError
from vp_pipeline.runtime.processes import Processes, ending, shorten
from vp_pipeline.storage import embedded
from vp_pipeline.storage.embedded import EmbeddedPostgres, EmbeddedPostgresError

POSTGRES = "PostgreSQL"
# What a process takes along. All hold connections to PostgreSQL. With the code server end the runs, which
# the daemon says when it starts. A sandbox has lost the time that a run had told it.
TAKES_ALONG: Mapping[str, tuple[str, ...]] = {
    POSTGRES: (services.CODE, services.WEBSERVER, services.SITE, services.DAEMON),
    services.CODE: (services.DAEMON,),
    services.SANDBOX: (services.CODE, services.DAEMON),
}
# Seconds before each start of the same process, as long as it does not run for `CALM_SECONDS`.
DELAYS = (0, 2, 5, 15, 30)
CALM_SECONDS = 300
# In how many looks the logs are looked at once.
_LOGS_EVERY = 60


class Guard:
    """A thread that looks every second whether all processes run."""

    def __init__(
        self,
        processes: Processes,
        postgres: EmbeddedPostgres,
        commands: Callable[[datetime], dict[str, list[str]]],
        tell: Callable[[str], None],
    ) -> None:
        """`commands`: the command lines, given the moment before which runs are cut off."""
        self._processes, self._postgres, self._tell = processes, postgres, tell
        self._commands = commands
        self._postmaster = postgres.process()
        self._runs_since = datetime.now(UTC)
        self._starts: dict[str, list[float]] = {}
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="guard", daemon=True)
        self._failure: str | None = None
        # How often something was started again so far: a run of that time may have been cut off by it.
        self.mended = 0

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Start nothing again from now on."""
        signals.ignore()
        self._stopped.set()
        if self._thread.ident is not None:
            self._thread.join(5)

    def check(self) -> None:
        """Whether the platform is worth waiting for.

        Raises:
            StartError: a process ends again and again, and has been given up.
        """
        if self._failure is not None:
            raise StartError(self._failure)

    def _watch(self) -> None:
        looked = 0
        while not self._stopped.wait(1) and self._failure is None:
            looked += 1
            if looked % _LOGS_EVERY == 0:
                self._processes.shorten_logs()
                shorten(self._postgres.folder / "postgres.log")
            if not _runs(self._postmaster):
                self._mend(POSTGRES, f"{POSTGRES} has ended", self._postgres.folder / "postgres.log")
                continue
            # One at a time: it may take along the next.
            child = next((child for child in self._processes.children.values() if not child.alive), None)
            if child is not None:
                self._mend(child.name, ending(child), child.log.with_suffix(".previous.log"))

    def _mend(self, name: str, how: str, log: Path) -> None:
        now = time.monotonic()
        recent = [start for start in self._starts.get(name, []) if now - start < CALM_SECONDS]
        if len(recent) == len(DELAYS):
            self._failure = f"{how}, after {len(DELAYS)} new starts: given up; its log was {log}"
            self._tell(self._failure)
            return
        delay = DELAYS[len(recent)]
        self._tell(f"{how}: starting it again{f' in {delay} s' if delay else ''}; its log was {log}")
        if self._stopped.wait(delay):
            return
        self._starts[name] = [*recent, time.monotonic()]
        self.mended += 1
        try:
            self._start_again({name, *TAKES_ALONG.get(name, ())})
        except (EmbeddedPostgresError, StartError, OSError) as error:
            # It counts as one more end: told here, tried again after the next delay.
            self._tell(str(error))

    def _start_again(self, names: set[str]) -> None:
        for name in names & self._processes.children.keys():
            self._processes.end(name)
        if POSTGRES in names:
            with signals.held_back():
                embedded.start(self._postgres.folder)
            self._postmaster = self._postgres.process()
        if services.CODE in names:
            self._runs_since = datetime.now(UTC)
        with self._processes.sharing(services.DAGSTERS):
            for name, command in self._commands(self._runs_since).items():
                if name in names:
                    self._processes.start(name, command)


def _runs(process: psutil.Process | None) -> bool:
    try:
        return process is not None and process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
