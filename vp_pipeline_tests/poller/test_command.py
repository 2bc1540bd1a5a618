"""`vp poll` as a process: cut off from its database, given it back, told to stop."""

import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from vp_pipeline.sandbox.generator import GeneratedSource
from vp_pipeline.storage import embedded, migrate
from vp_pipeline.storage.embedded import EmbeddedPostgres
from vp_pipeline_tests.poller.installation import Installed, installed
from vp_pipeline_tests.runtime.command import Vp


@pytest.fixture
def server() -> Iterator[EmbeddedPostgres]:
    """A server of this test's own: it is stopped and started again."""
    with tempfile.TemporaryDirectory(prefix="vp-poller-") as folder:
        started = embedded.start(Path(folder))
        yield started
        started.stop()


def command(here: Installed, **more: str) -> Vp:
    variables = {
        "VP_DATABASE_URL": here.url,
        "VP_EXCHANGE_URL": here.sandbox,
        "VP_MARKETS_FILE": str(here.settings.markets_file),
        "VP_POLL_SECONDS": "5",
        "VP_SOURCE": "sandbox",
        **more,
    }
    return Vp("poll", home=here.settings.home, output=here.settings.home / "output", variables=variables)


def test_it_outlives_its_database_and_ends_when_told(
    server: EmbeddedPostgres, tmp_path: Path, sandbox: str, source: GeneratedSource
) -> None:
    url = server.url("vp")
    migrate.create_database(url)
    migrate.upgrade(url)
    here = installed(url, tmp_path, sandbox, source)
    here.list_markets()
    running = command(here)
    try:
        running.wait_for("polling kraken BTC/USD, binance ETH/USDT", 20)
        first = _read_again(here, None)
        process = psutil.Process(running.process.pid)
        maps = {Path(one.path).name for one in process.memory_maps()}
        assert not any("pandas" in name for name in maps)
        server.stop()
        running.wait_for("the database: ", 20)
        time.sleep(4)
        embedded.start(server.folder)
        _read_again(here, first)
        running.wait_for("the database: answers again", 10)
        assert running.printed.count("the database: ") == 2, running.printed
        assert "Traceback" not in running.printed
        status, _ = running.stop(signal.SIGTERM)
        assert (status, running.printed.endswith("stopped\n")) == (0, True)
    finally:
        running.process.kill()


def _read_again(here: Installed, last: object) -> object:
    """When the lead was read, once that is not as it was."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            found = here.read("BTC").read_at
        except AssertionError:
            found = None
        if found is not None and found != last:
            return found
        time.sleep(0.2)
    raise AssertionError("the poller reads nothing")


@pytest.mark.parametrize("disposition", [signal.SIG_DFL, signal.SIG_IGN])
def test_turned_off_it_waits_and_asks_nobody(here: Installed, disposition: signal.Handlers) -> None:
    """Also where it inherits that the signal is ignored."""
    before = signal.signal(signal.SIGTERM, disposition)
    try:
        running = command(here, VP_POLL_SECONDS="0")
    finally:
        signal.signal(signal.SIGTERM, before)
    try:
        running.wait_for("nothing to do: VP_POLL_SECONDS is 0", 20)
        status, _ = running.stop(signal.SIGTERM)
        assert (status, running.printed.endswith("stopped\n")) == (0, True)
    finally:
        running.process.kill()
        running.process.wait()
